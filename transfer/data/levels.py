"""Values that are no grey levels of 8 bits, and alphas that may be another band: what they become.

No file says which range its values have. So it is taken from all pictures of a data set together, and kept with what
was learned from them: `levels` by kind, as JSON holds them. The kinds are Pillow's modes `I;16` (16 bits), `I` (32
bits) and `F` (floats), each with the factor by which values become grey levels 0..255; and `A`, the alpha of TIFFs,
with 0 where it is another band, which is left away, and 1 where pictures are laid on white by it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from PIL import Image

Levels = Mapping[str, float]
Seen = tuple[str, float]  # the kind of one picture, and its `measured` value

BITS = (8, 10, 12, 14, 16, 24, 32)  # that whole numbers are stored in
OF_PIXELS, OF_PICTURES = 0.999, 0.95  # shares that fit into the range: what stands out is cut to white
HALF_CLEAR = 0.5  # share of the pixels from which on an alpha that is neither all nor nothing is none
UPPER_8 = 1 / 256
BAND = 1 << 20  # pixels converted at once
SAMPLE_FORMAT, SIGNED = 339, 2  # of a TIFF


def kind_of(image: Image.Image) -> str:
    """The kind of an opened picture, or `""` for one of plain 8 bits."""
    if image.mode.startswith("I;16"):
        return "I;16"
    if image.mode in ("I", "F"):
        return image.mode
    return "A" if image.mode in ("RGBA", "LA") and image.format == "TIFF" else ""


def measured(image: Image.Image) -> float:
    """What tells the range of a picture of some kind: a value that its pixels do not exceed, but for one in a thousand.

    Of an alpha it is the share of the pixels where that is neither all nor nothing.
    """
    if kind_of(image) == "A":
        return half_clear(image)
    step = max(1, image.width * image.height // BAND)
    seen = [values.ravel()[::step].copy() for values in _bands(image)]  # a view would keep all of them
    values = np.concatenate([part[np.isfinite(part)] for part in seen])
    return float(np.quantile(values, OF_PIXELS, method="lower")) if len(values) else 0.0


def half_clear(image: Image.Image) -> float:
    """The share of the pixels of a picture with alpha where that is neither all nor nothing, 0..1."""
    alpha = image.getchannel("A").histogram()
    return sum(alpha[1:-1]) / sum(alpha)


def no_number(image: Image.Image) -> float:
    """The share of the pixels that are NaN or infinite, 0..1."""
    if image.mode != "F":
        return 0.0
    return sum(values.size - np.count_nonzero(np.isfinite(values)) for values in _bands(image)) / (
        image.width * image.height
    )


def agreed(seen: Iterable[Seen]) -> dict[str, float]:
    """The levels of a data set, from the kind and the `measured` value of those of its pictures that have one."""
    by_kind = defaultdict(list)
    for kind, value in seen:
        by_kind[kind].append(value)
    return {
        kind: float(np.median(values) <= HALF_CLEAR)
        if kind == "A"
        else factor(kind, float(np.quantile(values, OF_PICTURES, method="nearest")))
        for kind, values in sorted(by_kind.items())
    }


def level_of(image: Image.Image, levels: Levels | None) -> float:
    """The level of a picture of some kind: that of its data set, or where that has none of them its own.

    Of 16 bits that nothing is known of, the upper 8 count, as for every other reader.
    """
    kind = kind_of(image)
    if levels and kind in levels:
        return levels[kind]
    return UPPER_8 if kind == "I;16" else agreed([(kind, measured(image))])[kind]


def factor(kind: str, highest: float) -> float:
    """What values up to `highest` become grey levels by: floats up to 1 by 255, others by the bits that they take."""
    if kind == "F" and highest <= 1:
        return 255.0
    return 2.0 ** (8 - next((bits for bits in BITS if highest < 2**bits), BITS[-1]))


def range_of(level: float) -> str:
    """The range that becomes 0..255 by a factor, in words."""
    return "0 to 1" if level == 255 else f"0 to {256 / level - 1:.0f}"


def values_of(part: Image.Image, image: Image.Image) -> np.ndarray:
    """The values `(H, W)` of a picture of one channel, or of a part of it, which no longer knows of signs."""
    values = np.asarray(part)
    signs = image.mode != "I" or image.format != "TIFF" or image.tag_v2.get(SAMPLE_FORMAT, (1,))[0] == SIGNED
    return values if signs else values.view(np.uint32)  # Pillow takes all for signed


def _bands(image: Image.Image) -> Iterator[np.ndarray]:
    """Yield the values of a large picture some rows at a time."""
    rows = max(1, BAND // max(1, image.width))
    for top in range(0, image.height, rows):
        yield values_of(image.crop((0, top, image.width, min(top + rows, image.height))), image)
