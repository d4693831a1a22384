"""The same two steps as `images`, as TensorFlow operations, so that an exported model needs no Python.

What Pillow does and TensorFlow does not is repeated here: EXIF orientation, transparency on white,
and Pillow's bilinear scaling, which is two matrix products with rounding in between. A colour
profile of a CMYK file is not applied, and TIFF is not known.
"""

from __future__ import annotations

import tensorflow as tf

_ORIENTATION_TAG = 0x0112
_ONE = float(1 << 22)  # what Pillow's whole-number weights sum to


def read_picture(data):
    """Decode the bytes of one JPEG, PNG, WebP, GIF or BMP file.

    Args:
        data: scalar string tensor.

    Returns:
        `(H, W, 3)` uint8. The graph fails on bytes that are no such picture.
    """
    is_jpeg = tf.equal(tf.strings.substr(data, 0, 3), b"\xff\xd8\xff")
    is_png = tf.equal(tf.strings.substr(data, 0, 4), b"\x89PNG")
    return tf.case([(is_jpeg, lambda: _jpeg(data)), (is_png, lambda: _png(data))], lambda: _other(data))


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


def _jpeg(data):
    pixels = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    return _upright(pixels, _orientation(tf.cast(tf.io.decode_raw(data, tf.uint8), tf.int32)))


def _png(data):
    rgba = tf.cast(tf.io.decode_png(data, channels=4), tf.int32)
    alpha = rgba[..., 3:]
    return tf.cast((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def _other(data):
    frames = tf.io.decode_image(data, channels=3, expand_animations=True)
    height, width = tf.shape(frames)[-3], tf.shape(frames)[-2]
    return tf.reshape(frames, (-1, height, width, 3))[0]


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


def _orientation(data):
    """The EXIF orientation 1..8 in the bytes `(N,)` int32 of a JPEG file, 1 where there is none."""
    padded = tf.concat([data, tf.zeros(16, tf.int32)], 0)
    last = tf.shape(data)[0]

    def byte(position):
        return tf.gather(padded, tf.clip_by_value(position, 0, last))

    def big(position):
        return byte(position) * 256 + byte(position + 1)

    def is_exif(position):
        text = [byte(position + 4 + i) for i in range(6)]
        return tf.reduce_all(tf.stack([byte(position + 1) == 0xE1, *(a == b for a, b in zip(text, b"Exif\0\0"))]))

    def goes_on(position):
        metadata = (byte(position) == 0xFF) & (byte(position + 1) != 0xDA)
        return metadata & ~is_exif(position) & (position < last)

    segment = tf.while_loop(goes_on, lambda position: (position + 2 + big(position + 2),), (tf.constant(2),))[0]
    tiff = segment + 10
    little = byte(tiff) == ord("I")

    def short(position):
        return tf.where(little, byte(position + 1) * 256 + byte(position), big(position))

    def long(position):
        low, high = tf.where(little, position, position + 2), tf.where(little, position + 2, position)
        return short(high) * 65536 + short(low)

    directory = tiff + long(tiff + 4)
    entries = directory + 2 + 12 * tf.range(tf.minimum(short(directory), 256))
    found = tf.boolean_mask(short(entries + 8), short(entries) == _ORIENTATION_TAG)
    known = is_exif(segment) & (tf.size(found) > 0)
    return tf.where(known, tf.reduce_max(tf.concat([found, [0]], 0)), 1)


def _resize(picture, rows, columns, height, width):
    x = tf.cast(picture, tf.float64)
    x = _rounded(tf.einsum("hwc,xw->hxc", x, _triangles(tf.shape(picture)[1], *columns, width)))
    x = _rounded(tf.einsum("hxc,yh->yxc", x, _triangles(tf.shape(picture)[0], *rows, height)))
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
