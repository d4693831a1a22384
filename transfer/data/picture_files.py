"""A picture file: opened, told whether it is whole, or refused with the reason."""

from __future__ import annotations

import hashlib
import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from transfer.data.levels import kind_of
from transfer.data.pixel_limits import most_pixels, room
from transfer.errors import PictureError, UnreachablePicture

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
    | {".heic", ".heif"}  # with the extra `heif`
)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# Brands of HEIF files whose pixels are HEVC, as phones write them; `mif1` and `msf1` may be AVIF as well.
_HEVC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", *_TIFF, b"\xff\x0a", b"8BPS")
LARGE_FILE = 1 << 26  # bytes of a picture for which memory is looked after


# A long comment is no reason to refuse a picture: Pillow's limit for one is that for all of them.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
# What Pillow says of odd metadata changes no pixel.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def check_picture(data: bytes) -> str:
    """Find out whether the bytes are a whole picture, for the common formats without decoding pixels.

    Returns:
        Its `levels.kind_of`.

    Raises:
        PictureError: empty, of no known format, too many pixels, or cut short.
    """
    with opened(data) as image:
        _check_whole(data, image)
        return kind_of(image)


@contextmanager
def opened_whole(path: Path) -> Iterator[tuple[bytes, Image.Image]]:
    """Yield the bytes of a file that is a whole picture, and the picture as Pillow sees it; raise as `read_whole`."""
    data = _bytes_of(path)
    if is_png := data.startswith(b"\x89PNG"):
        check_picture(data)  # leaves nothing to decode of what it looks at
    with opened(data) as image:
        if not is_png:
            _check_whole(data, image)
        yield data, image


def read_whole(path: Path) -> tuple[bytes, str]:
    """The bytes of a file that is a whole picture, and its `levels.kind_of`.

    Raises:
        PictureError: it is none, see `check_picture`, or cannot be read.
    """
    data = _bytes_of(path)
    return data, check_picture(data)


def digest_of(data: bytes) -> str:
    """The digest by which the project knows a file's content: 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as stored, from the header alone.

    Raises:
        PictureError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            formats = _formats(file.read(64))
            file.seek(0)
            with Image.open(file, formats=formats) as image:
                return image.size
    except PictureError:
        raise
    except Exception as error:  # decoders raise every kind on damaged bytes
        raise PictureError(_reason(error)) from error


def begins_like_a_picture(path: Path) -> bool:
    """Tell by its first bytes whether a file, whatever its name, is a picture or a raw file of a camera."""
    try:
        with path.open("rb") as file:
            data = file.read(64)
    except OSError:
        return False
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return webp or data.startswith(_BEGINNINGS) or _is_heif(data) or data[4:12] in (b"ftypavif", b"ftypcrx ")


@contextmanager
def opened(source: Path | str | bytes, digest: str | None = None) -> Iterator[Image.Image]:
    """Yield a picture as Pillow sees it; whatever reading it raises becomes a `PictureError`.

    It waits while pictures that other threads have open take all the room, and one inside another could wait for ever.
    """
    begin = b""
    try:
        with _stream(source) as stream:
            begin = stream.read(64)
            if not begin:
                raise PictureError("is empty")
            stream.seek(0)
            if digest is not None and _digest_of_stream(stream) != digest:
                raise PictureError("has changed since it was listed")
            with Image.open(stream, formats=_formats(begin)) as image:
                if image.width * image.height > most_pixels():
                    raise Image.DecompressionBombError
                with room.of(image.width * image.height):
                    try:
                        yield image
                    finally:
                        image.close()  # its pixels, which would stay as long as anybody knows of it
    except PictureError:
        raise
    except Exception as error:  # decoders raise every kind on damaged bytes
        # Pillow's own OSErrors have no number.
        kind = UnreachablePicture if isinstance(error, OSError) and error.errno is not None else PictureError
        raise kind(_reason(error, begin)) from error


def _bytes_of(path: Path) -> bytes:
    try:
        return _file_bytes(path)
    except OSError as error:
        raise PictureError(f"cannot be read ({error.strerror})") from error


def _check_whole(data: bytes, image: Image.Image) -> None:
    kind = image.format
    if kind in ("GIF", "BMP", "TIFF", "AVIF", "HEIF"):
        image.load()  # has neither checksums nor an end that could be looked for
    elif kind == "PNG":
        image.verify()
    cut = kind == "WEBP" and len(data) < 8 + int.from_bytes(data[4:8], "little")
    if kind in ("JPEG", "MPO"):
        cut = data.find(b"\xff\xd9", _first_scan(data)) < 0
    if cut:
        raise PictureError("is cut short")


def _stream(source: Path | str | bytes) -> io.BytesIO | io.BufferedReader:
    """The bytes of a file, at once: those of a very large one, which may wait for others, stay where they are."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    large = Path(source).stat().st_size > LARGE_FILE
    return Path(source).open("rb") if large else io.BytesIO(_file_bytes(Path(source)))


def _digest_of_stream(stream: io.BytesIO | io.BufferedReader) -> str:
    digest = hashlib.file_digest(stream, _hash).hexdigest()
    stream.seek(0)
    return digest


def _hash():
    return hashlib.blake2b(digest_size=16)


def _file_bytes(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise PictureError("is no file")  # a folder, or a pipe that would be waited for
    return path.read_bytes()


def _is_heif(data: bytes) -> bool:
    brand = data[8:12]
    return data[4:8] == b"ftyp" and (brand in _HEVC or (brand in (b"mif1", b"msf1") and b"avif" not in data[16:64]))


def _formats(data: bytes) -> tuple[str, ...]:
    """The formats that a file with these first bytes may have; Pillow learns HEIF where it meets one."""
    if not _is_heif(data):
        return FORMATS
    try:
        import pillow_heif
    except ImportError as error:
        raise PictureError("is HEIC, which takes pip install 'transfer[heif]'") from error
    pillow_heif.register_heif_opener()
    return ("HEIF",)


def _first_scan(data: bytes) -> int:
    """Where the pixels of a JPEG begin: behind the metadata, whose thumbnail has an end mark of its own."""
    position = 2
    while position + 4 <= len(data) and data[position : position + 2] != b"\xff\xda":
        is_segment = data[position] == 0xFF and 0xC0 <= data[position + 1] < 0xFF
        position += 2 + int.from_bytes(data[position + 2 : position + 4]) if is_segment else 1
    return position


def _reason(error: BaseException, begin: bytes = b"") -> str:
    if isinstance(error, UnidentifiedImageError) and begin.startswith(_TIFF):
        return "is a TIFF of a kind that is not read; expected 8 or 16 bits, or floats of 32 bits in one band"
    if isinstance(error, UnidentifiedImageError):
        return "is no picture of a known format"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"has more than {most_pixels() / 1e6:g} million pixels, which is what most_megapixels allows"
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "may not be read"
    return f"is cut short or damaged ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
