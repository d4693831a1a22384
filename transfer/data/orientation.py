"""Which way up a stored picture stands."""

from __future__ import annotations

from PIL import ExifTags, Image

TURNS = {  # what brings a picture upright, by its orientation in EXIF
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(image: Image.Image) -> int:
    """The orientation 1..8 of a loaded picture: that of EXIF, or without one there that of XMP.

    Where EXIF gives it twice, the first counts (the last before Pillow 13); what is no whole number from 1 to 8, or
    stands in damaged metadata, is no orientation: 1.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)  # Pillow looks into XMP where EXIF has none
    except (SyntaxError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return 1
    return value if isinstance(value, int) and value in TURNS else 1
