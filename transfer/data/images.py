"""One picture: bytes to upright RGB pixels, and pixels to the square that a network takes.

`runs.graph_images` repeats these two steps as TensorFlow operations, and a test holds the two together.
Colour profiles of RGB pictures are ignored, as in every network's own training; CMYK is converted
by its profile where it has one.
"""

from __future__ import annotations

import hashlib
import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError

from transfer.data.orientation import upright
from transfer.errors import PictureError, unknown_name

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
FITS = ("crop", "pad", "stretch")
MOST_PIXELS = 89_000_000

# Pillow only warns between one and two times its limit of 89 million pixels: refuse there already.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# A long comment is no reason to refuse a picture: Pillow's limit for one is that for all of them.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
# What Pillow says of odd metadata changes no pixel.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def read_picture(source: Path | str | bytes, digest: str | None = None) -> np.ndarray:
    """Decode a picture file.

    Animations give their first frame, transparency is laid on white, 16 bits keep their upper 8; EXIF or else
    XMP turns it upright.

    Args:
        source: a path, or the bytes of a file.
        digest: of its bytes when it was listed, see `digest_of`; with others it is another picture by now.

    Returns:
        `(H, W, 3)` uint8 RGB, 0..255.

    Raises:
        PictureError: no picture, cut short, damaged, changed, or of more than 89 million pixels.
    """
    with opened(source, digest) as image:
        return np.array(upright_rgb(image))


def check_picture(data: bytes) -> None:
    """Find out whether the bytes are a whole picture, for the common formats without decoding pixels.

    Raises:
        PictureError: empty, of no known format, too many pixels, or cut short.
    """
    with opened(data) as image:
        _check_whole(data, image)


@contextmanager
def opened_whole(path: Path) -> Iterator[tuple[bytes, Image.Image]]:
    """Yield the bytes of a file that is a whole picture, and the picture as Pillow sees it; raise as `read_whole`."""
    data = _bytes_of(path)
    with opened(data) as image:
        if image.format == "PNG":
            check_picture(data)  # leaves nothing to decode of what it looks at
        else:
            _check_whole(data, image)
        yield data, image


def read_whole(path: Path) -> bytes:
    """The bytes of a file that is a whole picture.

    Raises:
        PictureError: it is none, see `check_picture`, or cannot be read.
    """
    data = _bytes_of(path)
    check_picture(data)
    return data


def digest_of(data: bytes) -> str:
    """The digest by which the project knows a file's content: 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as stored, from the header alone."""
    with Image.open(path, formats=FORMATS) as image:
        return image.size


def crop_box(height: int, width: int, fit: str) -> tuple[float, float, float, float]:
    """The part (left, top, right, bottom) of a picture that is scaled to the square."""
    if fit != "crop":
        return (0, 0, width, height)
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)


def padded_size(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width of a picture scaled to fit into `size x size`."""
    longer = max(height, width)
    return max(1, round(height * size / longer)), max(1, round(width * size / longer))


def fit_picture(picture: np.ndarray, size: int, fit: str = "crop") -> np.ndarray:
    """Bring a picture to the square that a network takes, by antialiased bilinear scaling.

    Args:
        picture: `(H, W, 3)` uint8.
        size: side S of the square in pixels.
        fit: `crop` cuts out the middle square, `pad` keeps everything between black bars, `stretch`
            changes the proportions.

    Returns:
        `(S, S, 3)` uint8.
    """
    if fit not in FITS:
        raise unknown_name("--fit", fit, FITS)
    height, width = picture.shape[:2]
    box = crop_box(height, width, fit)
    if fit != "pad":
        return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR, box))
    inner_height, inner_width = padded_size(height, width, size)
    inner = Image.fromarray(picture).resize((inner_width, inner_height), Image.Resampling.BILINEAR, box)
    square = np.zeros((size, size, 3), np.uint8)
    top, left = (size - inner_height) // 2, (size - inner_width) // 2
    square[top : top + inner_height, left : left + inner_width] = np.asarray(inner)
    return square


@contextmanager
def opened(source: Path | str | bytes, digest: str | None = None) -> Iterator[Image.Image]:
    """Yield a picture as Pillow sees it; whatever reading it raises becomes a `PictureError`."""
    try:
        data = source if isinstance(source, bytes) else _file_bytes(Path(source))
        if digest is not None and digest_of(data) != digest:
            raise PictureError("has changed since it was listed")
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            yield image
    except PictureError:
        raise
    except Exception as error:  # decoders raise every kind on damaged bytes
        raise PictureError(_reason(source, error)) from error


def _bytes_of(path: Path) -> bytes:
    try:
        return _file_bytes(path)
    except OSError as error:
        raise PictureError(f"cannot be read ({error.strerror})") from error


def _check_whole(data: bytes, image: Image.Image) -> None:
    kind = image.format
    if kind in ("GIF", "BMP", "TIFF"):
        image.load()  # has neither checksums nor an end that could be looked for
    elif kind == "PNG":
        image.verify()
    cut = kind == "WEBP" and len(data) < 8 + int.from_bytes(data[4:8], "little")
    if kind in ("JPEG", "MPO"):
        cut = data.find(b"\xff\xd9", _first_scan(data)) < 0
    if cut:
        raise PictureError("is cut short")


def _file_bytes(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise PictureError("is no file")  # a folder, or a pipe that would be waited for
    return path.read_bytes()


def _first_scan(data: bytes) -> int:
    """Where the pixels of a JPEG begin: behind the metadata, whose thumbnail has an end mark of its own."""
    position = 2
    while position + 4 <= len(data) and data[position : position + 2] != b"\xff\xda":
        is_segment = data[position] == 0xFF and 0xC0 <= data[position + 1] < 0xFF
        position += 2 + int.from_bytes(data[position + 2 : position + 4]) if is_segment else 1
    return position


def upright_rgb(image: Image.Image) -> Image.Image:
    """An opened picture in mode `RGB`, with the pixels that `read_picture` returns; the same object if it is so."""
    return _to_rgb(upright(image))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        grey = np.asarray(image)
        return _grey_to_rgb(np.where(grey == image.info.get("transparency", -1), 255, grey >> 8))
    if image.mode in ("I", "F"):
        values = np.asarray(image, np.float64)
        # A picture of 32 bits has no agreed range: 8 bits, 16 bits, or floats up to 1.
        scale = 255.0 if image.mode == "F" and values.max() <= 1 else 1.0 if values.max() <= 255 else 1 / 256
        return _grey_to_rgb(np.clip(values * scale, 0, 255))
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        image = _cmyk_by_profile(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return Image.fromarray(on_white(np.asarray(image.convert("RGBA"))))
    return image if image.mode == "RGB" else image.convert("RGB")


def on_white(rgba: np.ndarray) -> np.ndarray:
    """Lay `(H, W, 4)` uint8 pixels on white, in whole numbers so that other code can repeat it."""
    alpha = rgba[..., 3:].astype(np.int32)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _grey_to_rgb(grey: np.ndarray) -> Image.Image:
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def _cmyk_by_profile(image: Image.Image) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # an unusable profile: the plain conversion


def _reason(source: Path | str | bytes, error: BaseException) -> str:
    if isinstance(source, bytes) and not source:
        return "is empty"
    if isinstance(error, UnidentifiedImageError):
        return "is no picture of a known format"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return "has more than 89 million pixels"
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "may not be read"
    return f"is cut short or damaged ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
