"""`images.fit_picture` as TensorFlow operations: Pillow's scaling, two matrix products with rounding in between.

Large pictures are worked on in bands, so that one needs little more memory than its pixels.
"""

from __future__ import annotations

import PIL
import tensorflow as tf

_CHEAPER_FIRST = tuple(map(int, PIL.__version__.split(".")[:2])) >= (12, 2)
_ONE = float(1 << 22)  # what Pillow's whole-number weights sum to
_BAND = 1 << 20  # values of a picture that are worked on at once


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


def in_bands(step, picture):
    """`step` on one band of rows `(h, W, K)` uint8 after the other, each giving `(h, W', 3)` uint8."""
    height = tf.shape(picture)[0]
    rows = tf.maximum(1, _BAND // tf.maximum(1, tf.size(picture) // height))
    bands = tf.TensorArray(tf.uint8, (height + rows - 1) // rows, infer_shape=False, element_shape=(None, None, 3))
    done = tf.while_loop(
        lambda i, _: i < bands.size(),
        lambda i, so_far: (i + 1, so_far.write(i, step(picture[i * rows : (i + 1) * rows]))),
        (0, bands),
        parallel_iterations=1,
    )[1]
    return tf.ensure_shape(done.concat(), (None, None, 3))


def _resize(picture, rows, columns, height, width):
    across = _triangles(tf.shape(picture)[1], *columns, width)
    down = _triangles(tf.shape(picture)[0], *rows, height)

    def along(x, weights):
        def step(part):
            sums = tf.einsum("hwc,xw->hxc", tf.cast(part, tf.float64), weights)
            return tf.cast(tf.clip_by_value(tf.floor((sums + _ONE / 2) / _ONE), 0.0, 255.0), tf.uint8)

        return in_bands(step, x)

    def lying(x):
        return tf.transpose(x, (1, 0, 2))

    # From Pillow 12.2 on it begins with the side that is cheaper to shorten, and rounds in between.
    less_high, less_wide = tf.shape(picture)[0] - height, tf.shape(picture)[1] - width
    upright_first = _CHEAPER_FIRST & (less_high > 0) & (less_high > 2 * less_wide)
    x, first, then = tf.cond(upright_first, lambda: (lying(picture), down, across), lambda: (picture, across, down))
    x = along(lying(along(x, first)), then)
    return tf.cond(upright_first, lambda: x, lambda: lying(x))


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
