"""Random changes of training pictures, applied in front of the network and never saved with it.

Pillow does the work: it changes one `uint8` picture at a time on any thread, and each change follows from the generator
that it is given, so that a seed, an epoch and the number of a batch give the same pictures again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

Change = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]  # pixels, side of the square, chance
Step = Callable[[Image.Image, np.random.Generator], Image.Image]

TURN, JITTER = 10, 0.25  # of `standard`: degrees to either side, and the share that brightness and the like change by
ERASED, ERASED_AREA = 0.25, (0.02, 0.2)  # of `strong`: how often, and which share of the picture


def random_crop(
    picture: np.ndarray, size: int, rng: np.random.Generator, smallest: float = 0.35, flip: bool = True
) -> np.ndarray:
    """Cut out a random part, scale it to the square, and mirror it half the time.

    The inception crop (Szegedy et al. 2014, arXiv:1409.4842): part of the area and proportions
    drawn at random.

    Args:
        picture: `(H, W, 3)` uint8.
        size: side S of the result in pixels.
        rng: the source of chance.
        smallest: share of the area that is kept at least, 0..1.
        flip: whether a mirror image means the same.

    Returns:
        `(S, S, 3)` uint8.
    """
    height, width = picture.shape[:2]
    area = rng.uniform(smallest, 1.0) * height * width
    ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    w, h = min(width, np.sqrt(area * ratio)), min(height, np.sqrt(area / ratio))
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    box = (left, top, left + w, top + h)
    crop = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR, box))
    return crop[:, ::-1] if flip and rng.random() < 0.5 else crop


@cache
def change_of(preset: str, smallest: float, flip: bool) -> Change:
    """What a preset does to each picture; the same function for the same arguments.

    Args:
        preset: a row of `PRESETS`.
        smallest: share of the area that a crop keeps at least, 0..1.
        flip: whether a mirror image means the same.
    """
    if preset == "none":
        return unchanged
    return partial(_changed, steps=PRESETS[preset], smallest=smallest, flip=flip)


def unchanged(picture: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """The whole picture, which is of that size already."""
    return picture


def _changed(
    picture: np.ndarray, size: int, rng: np.random.Generator, steps: Sequence[Step], smallest: float, flip: bool
) -> np.ndarray:
    crop = random_crop(picture, size, rng, smallest, flip)
    if not steps:
        return crop
    image = Image.fromarray(np.ascontiguousarray(crop))
    for step in steps:
        image = step(image, rng)
    return np.asarray(image)


def _turned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.rotate(rng.uniform(-TURN, TURN), Image.Resampling.BILINEAR, fillcolor=_mean_colour(image))


def _jittered(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Brightness, contrast and saturation, each by a factor of its own."""
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhancer(image).enhance(rng.uniform(1 - JITTER, 1 + JITTER))
    return image


def _trivial(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """One change of one strength, both drawn evenly: TrivialAugment (Müller & Hutter 2021, arXiv:2103.10158).

    Of its two sets of strengths the narrower one, that of RandAugment: in the wider one a picture is turned by up to
    135 degrees and moved by its whole width.
    """
    change = _TRIVIAL[rng.integers(len(_TRIVIAL))]
    return change(image, rng.uniform(0, 1), rng.choice((-1, 1)))


def _erased(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Now and then a rectangle is noise: random erasing (Zhong et al. 2017, arXiv:1708.04896)."""
    if rng.random() >= ERASED:
        return image
    area, ratio = rng.uniform(*ERASED_AREA), np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3)))
    width, height = (
        max(1, round(side * min(1, np.sqrt(area * part)))) for side, part in zip(image.size, (ratio, 1 / ratio))
    )
    left, top = (int(rng.integers(0, whole - part + 1)) for whole, part in zip(image.size, (width, height)))
    noise = rng.integers(0, 256, (height, width, 3), np.uint8)
    image.paste(Image.fromarray(noise), (left, top))
    return image


def _enhanced(enhancer: Callable) -> Callable:
    return lambda image, strength, sign: enhancer(image).enhance(1 + 0.9 * sign * strength)


def _moved(matrix: Callable[[float], tuple[float, ...]]) -> Callable:
    """A change of places: the matrix of `Image.transform` by strength, -1..1, for a square of side 1."""

    def change(image: Image.Image, strength: float, sign: int) -> Image.Image:
        a, b, c, d, e, f = matrix(sign * strength)
        side = image.width
        return image.transform(
            image.size,
            Image.Transform.AFFINE,
            (a, b, c * side, d, e, f * side),
            Image.Resampling.BILINEAR,
            fillcolor=_mean_colour(image),
        )

    return change


def _mean_colour(image: Image.Image) -> tuple[int, ...]:
    """What stands outside of a picture that was moved: black there would be a mark of its own."""
    return image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))


_TRIVIAL = (
    lambda image, strength, sign: image,
    lambda image, strength, sign: ImageOps.autocontrast(image),
    lambda image, strength, sign: ImageOps.equalize(image),
    lambda image, strength, sign: ImageOps.solarize(image, round(256 * (1 - strength))),
    lambda image, strength, sign: ImageOps.posterize(image, 8 - round(4 * strength)),
    *map(_enhanced, (ImageEnhance.Color, ImageEnhance.Contrast, ImageEnhance.Brightness, ImageEnhance.Sharpness)),
    lambda image, strength, sign: image.rotate(
        30 * sign * strength, Image.Resampling.BILINEAR, fillcolor=_mean_colour(image)
    ),
    _moved(lambda by: (1, 0.3 * by, -0.15 * by, 0, 1, 0)),
    _moved(lambda by: (1, 0, 0, 0.3 * by, 1, -0.15 * by)),
    _moved(lambda by: (1, 0, 0.31 * by, 0, 1, 0)),
    _moved(lambda by: (1, 0, 0, 0, 1, 0.31 * by)),
)

# What follows the crop and the mirroring, by preset; `none` has neither of them.
PRESETS: dict[str, tuple[Step, ...]] = {
    "none": (),
    "light": (),
    "standard": (_turned, _jittered),
    "strong": (_trivial, _erased),
}
