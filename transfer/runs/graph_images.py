"""The same two steps as `images`, as TensorFlow operations, so that an exported model needs no Python.

What Pillow does and TensorFlow does not is repeated here: EXIF orientation, transparency on white,
palettes of BMP, and Pillow's bilinear scaling, which is two matrix products with rounding in
between. A colour profile of a CMYK file and the transparent colour of a GIF are not applied; TIFF
and animated WebP are refused.
"""

from __future__ import annotations

import io
from functools import partial

import PIL
import tensorflow as tf
from PIL import Image

_ORIENTATION_TAG = 0x0112
_CHEAPER_FIRST = tuple(map(int, PIL.__version__.split(".")[:2])) >= (12, 2)
_ONE = float(1 << 22)  # what Pillow's whole-number weights sum to


def read_picture(data):
    """Decode the bytes of one JPEG, PNG, WebP, GIF or BMP file.

    Args:
        data: scalar string tensor.

    Returns:
        `(H, W, 3)` uint8. The graph fails on bytes that are no such picture.
    """
    file = _File(data)
    branches = [(b"\xff\xd8\xff", _jpeg), (b"\x89PNG", _png), (b"RIFF", _webp), (b"BM", _bmp)]
    tests = [(file.holds(0, mark), partial(read, data, file)) for mark, read in branches]
    return tf.case(tests, lambda: tf.ensure_shape(tf.io.decode_gif(data)[0], (None, None, 3)))


def fit_picture(picture, size: int, fit: str):
    """Bring `(H, W, 3)` uint8 to `(S, S, 3)` uint8 like `images.fit_picture`."""
    height, width = tf.unstack(tf.cast(tf.shape(picture)[:2], tf.float64))
    if fit == "stretch":
        result = _resize(picture, (0.0, height), (0.0, width), size, size)
    elif fit == "crop":
        side = tf.minimum(height, width)
        top, left = (height - side) / 2, (width - side) / 2
        result = _resize(picture, (top, top + side), (left, left + side), size, size)
    else:
        longer = tf.maximum(height, width)
        inner_height = tf.maximum(1, tf.cast(tf.round(height * size / longer), tf.int32))
        inner_width = tf.maximum(1, tf.cast(tf.round(width * size / longer), tf.int32))
        inner = _resize(picture, (0.0, height), (0.0, width), inner_height, inner_width)
        top, left = (size - inner_height) // 2, (size - inner_width) // 2
        result = tf.pad(inner, [[top, size - inner_height - top], [left, size - inner_width - left], [0, 0]])
    return tf.ensure_shape(result, (size, size, 3))


def reads_like_pillow(data: bytes) -> bool:
    """Whether `read_picture` gives the pixels of `images.read_picture` for a sound file."""
    with Image.open(io.BytesIO(data)) as image:
        by_profile = image.mode == "CMYK" and "icc_profile" in image.info
        transparent_gif = image.format == "GIF" and "transparency" in image.info
        moving_webp = image.format == "WEBP" and getattr(image, "is_animated", False)
        return not (by_profile or transparent_gif or moving_webp or image.format == "TIFF")


class _File:
    """The bytes of a file as numbers; behind its end are zeros."""

    def __init__(self, data):
        self.bytes = tf.io.decode_raw(data, tf.uint8)
        self.size = tf.size(self.bytes, tf.int64)

    def number(self, position, length: int, little=False):
        """Whole numbers of `length` bytes at the int64 positions, of any shape."""
        places = tf.cast(position, tf.int64)[..., None] + tf.range(length, dtype=tf.int64)
        inside = (places >= 0) & (places < self.size)
        values = tf.where(inside, tf.cast(tf.gather(self.bytes, tf.where(inside, places, 0)), tf.int64), 0)
        rising = [256**i for i in range(length)]
        place_values = tf.where(little, tf.constant(rising, tf.int64), tf.constant(rising[::-1], tf.int64))
        return tf.reduce_sum(values * place_values, -1)

    def holds(self, position, text: bytes):
        return tf.reduce_all(self.number(position + tf.range(len(text), dtype=tf.int64), 1) == list(text))

    def find(self, start: int, is_wanted, length):
        """The first of the parts of `length(position)` bytes, one behind the other, that is wanted; or the end."""

        def goes_on(position):
            return (position < self.size) & ~is_wanted(position)

        found = tf.while_loop(goes_on, lambda p: (p + length(p),), (tf.constant(start, tf.int64),))[0]
        return tf.minimum(found, self.size)


def _jpeg(data, file):
    def length(position):
        is_metadata = (file.number(position, 1) == 0xFF) & (file.number(position + 1, 1) != 0xDA)
        return tf.where(is_metadata, 2 + file.number(position + 2, 2), file.size)

    pixels = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    exif = file.find(2, lambda p: file.holds(p, b"\xff\xe1") & file.holds(p + 4, b"Exif\0\0"), length)
    return _upright(pixels, _orientation(file, exif + 4))


def _png(data, file):
    rgba = tf.cast(tf.io.decode_png(data, channels=4), tf.int64)
    # Opaque pictures of 1 to 4 bits come with the largest number of so many bits as their alpha.
    full = tf.bitwise.left_shift(tf.constant(1, tf.int64), file.number(24, 1)) - 1
    opaque = tf.reduce_all(rgba[..., 3] == full)
    exif = file.find(8, lambda p: file.holds(p + 4, b"eXIf"), lambda p: 12 + file.number(p, 4))
    alpha = tf.where(opaque, tf.constant(255, tf.int64), rgba[..., 3:])
    return _upright(_on_white(rgba[..., :3], alpha), _orientation(file, exif + 8))


def _webp(data, file):
    extended = file.holds(12, b"VP8X")
    flags = tf.where(extended, file.number(20, 1), tf.where(file.holds(12, b"VP8L"), file.number(24, 1), 0))
    # TensorFlow 2.21 damages its memory on some animations instead of failing.
    still = tf.debugging.Assert(~extended | (flags % 4 < 2), ["animated WebP"])
    with tf.control_dependencies([still]):
        pixels = tf.cond(
            flags // 16 % 2 == 1,
            lambda: _on_white(*tf.split(tf.cast(tf.io.decode_webp(data, channels=4)[0], tf.int64), (3, 1), axis=2)),
            lambda: tf.ensure_shape(tf.io.decode_webp(data, channels=3)[0], (None, None, 3)),
        )
    exif = file.find(12, lambda p: file.holds(p, b"EXIF"), lambda p: 8 + (file.number(p + 4, 4, True) + 1) // 2 * 2)
    return _upright(pixels, _orientation(file, exif + 8))


def _bmp(data, file):
    def by_palette():
        palette = 14 + file.number(14, 4, True) + 4 * tf.range(256, dtype=tf.int64)
        colours = tf.stack([file.number(palette + i, 1) for i in (2, 1, 0)], 1)
        return tf.gather(tf.cast(colours, tf.uint8), tf.cast(tf.io.decode_bmp(data)[..., 0], tf.int32))

    pixels = tf.cond(file.number(28, 2, True) == 8, by_palette, lambda: tf.io.decode_bmp(data)[..., :3])
    return tf.ensure_shape(pixels, (None, None, 3))


def _on_white(rgb, alpha):
    pixels = tf.cast((rgb * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)
    return tf.ensure_shape(pixels, (None, None, 3))


def _upright(pixels, orientation):
    def when(values, change):
        return lambda x: tf.cond(tf.reduce_any(tf.equal(orientation, values)), lambda: change(x), lambda: x)

    for step in (
        when([5, 6, 7, 8], lambda x: tf.transpose(x, (1, 0, 2))),
        when([2, 3, 6, 7], lambda x: tf.reverse(x, [1])),
        when([3, 4, 7, 8], lambda x: tf.reverse(x, [0])),
    ):
        pixels = step(pixels)
        pixels.set_shape((None, None, 3))
    return pixels


def _orientation(file, exif):
    """The EXIF orientation 1..8 of the block that begins at `exif`, 1 where there is none."""
    tiff = exif + tf.where(file.holds(exif, b"Exif\0\0"), tf.constant(6, tf.int64), 0)
    little = file.holds(tiff, b"I")
    directory = tiff + file.number(tiff + 4, 4, little)
    entries = directory + 2 + 12 * tf.range(tf.minimum(file.number(directory, 2, little), 256))
    found = tf.boolean_mask(file.number(entries + 8, 2, little), file.number(entries, 2, little) == _ORIENTATION_TAG)
    return tf.reduce_max(tf.concat([found, [1]], 0))


def _resize(picture, rows, columns, height, width):
    across = _triangles(tf.shape(picture)[1], *columns, width)
    down = _triangles(tf.shape(picture)[0], *rows, height)

    def horizontal(x):
        return _rounded(tf.einsum("hwc,xw->hxc", x, across))

    def vertical(x):
        return _rounded(tf.einsum("hxc,yh->yxc", x, down))

    # From Pillow 12.2 on it begins with the side that is cheaper to shorten, and rounds in between.
    less_high, less_wide = tf.shape(picture)[0] - height, tf.shape(picture)[1] - width
    x = tf.cast(picture, tf.float64)
    x = tf.cond(
        _CHEAPER_FIRST & (less_high > 0) & (less_high > 2 * less_wide),
        lambda: horizontal(vertical(x)),
        lambda: vertical(horizontal(x)),
    )
    return tf.cast(x, tf.uint8)


def _triangles(length, start, end, out):
    """`(out, length)` weights of Pillow's bilinear filter, widened where it makes smaller.

    Whole numbers, as Pillow rounds them: exact halves are so frequent that the last bit decides.
    """
    start, end = tf.cast(start, tf.float64), tf.cast(end, tf.float64)
    scale = (end - start) / tf.cast(out, tf.float64)
    centre = start + (tf.cast(tf.range(out), tf.float64) + 0.5) * scale
    distance = tf.abs(tf.cast(tf.range(length), tf.float64) - centre[:, None] + 0.5) / tf.maximum(scale, 1.0)
    weights = tf.maximum(1.0 - distance, 0.0)
    return tf.floor(weights / tf.reduce_sum(weights, axis=1, keepdims=True) * _ONE + 0.5)


def _rounded(x):
    return tf.clip_by_value(tf.floor((x + _ONE / 2) / _ONE), 0.0, 255.0)
