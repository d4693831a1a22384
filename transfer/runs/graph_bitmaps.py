"""BMP as TensorFlow operations: those of 1, 4 and 16 bits and of OS/2 too, which `tf.io.decode_bmp` refuses."""

from __future__ import annotations

import tensorflow as tf

from transfer.runs.graph_files import File, within

_PLAIN, _BY_MASKS = 0, 3  # kinds of compression; the others are run lengths and files within the file
_MASKS_OF_16 = (0x7C00, 0x03E0, 0x001F)
_MASKS_OF_32 = (0xFF0000, 0xFF00, 0xFF)


def read_bmp(file: File, most: int):
    """Decode an uncompressed BMP.

    Returns:
        `(H, W, 4)` uint8, the last of them its alpha; 255 where it has none. The graph fails on one that is
        compressed, cut short, or of more than `most` pixels.
    """
    of_os2 = file.number(14, 4, True) == 12
    width = tf.where(of_os2, file.number(18, 2, True), file.signed(18))
    signed_height = tf.where(of_os2, file.number(20, 2, True), file.signed(22))
    bits = tf.where(of_os2, file.number(24, 2, True), file.number(28, 2, True))
    compression = tf.where(of_os2, tf.constant(_PLAIN, tf.int64), file.number(30, 4, True))
    height, start, stride = tf.abs(signed_height), file.number(10, 4, True), (bits * width + 31) // 32 * 4
    checks = [
        tf.debugging.Assert(tf.reduce_any(bits == [1, 4, 8, 16, 24, 32]), ["BMP of so many bits", bits]),
        tf.debugging.Assert((compression == _PLAIN) | (compression == _BY_MASKS), ["compressed BMP"]),
        tf.debugging.Assert((width > 0) & (start + height * stride <= file.size), ["BMP cut short"]),
    ]
    with tf.control_dependencies(checks):
        data = within(file.data, height, width, most)
    with tf.control_dependencies([data]):  # or else a row of any width is made before the checks have failed
        width = tf.identity(width)
    rows = tf.reshape(tf.io.decode_raw(data, tf.uint8)[start : start + height * stride], (height, stride))
    rows = tf.cond(signed_height < 0, lambda: rows, lambda: tf.reverse(rows, [0]))
    masks = compression == _BY_MASKS
    pixels = tf.switch_case(
        tf.cast(tf.searchsorted(tf.constant([8, 16, 24], tf.int64), bits[None])[0], tf.int32),
        [
            lambda: _by_palette(file, rows, bits, width, of_os2),
            lambda: _of_16_bits(file, rows, width, masks),
            lambda: _opaque(tf.reshape(rows[:, : 3 * width], (height, width, 3))[..., ::-1]),
            lambda: _of_32_bits(file, tf.reshape(rows, (height, width, 4)), masks),
        ],
    )
    return tf.ensure_shape(pixels, (None, None, 4))


def _opaque(rgb):
    return tf.concat([rgb, tf.fill(tf.concat([tf.shape(rgb)[:2], [1]], 0), tf.constant(255, tf.uint8))], 2)


def _by_palette(file: File, rows, bits, width, of_os2):
    place = tf.range(width, dtype=tf.int64) * bits
    shift = tf.cast(8 - bits - place % 8, tf.uint8)
    index = tf.bitwise.right_shift(tf.gather(rows, place // 8, axis=1), shift)
    index = tf.bitwise.bitwise_and(index, tf.cast(2**bits - 1, tf.uint8))
    each = tf.where(of_os2, tf.constant(3, tf.int64), 4)
    palette = 14 + file.number(14, 4, True) + each * tf.range(256, dtype=tf.int64)
    colours = file.numbers(palette[:, None] + [2, 1, 0], 1)
    return _opaque(tf.gather(tf.cast(colours, tf.uint8), tf.cast(index, tf.int32)))


def _masks(file: File, given, usual):
    """The masks of red, green and blue, and of alpha; 0 where there is none."""
    has_alpha = given & (file.number(14, 4, True) >= 56)
    colours = [tf.where(given, file.number(54 + 4 * i, 4, True), mask) for i, mask in enumerate(usual)]
    return [*colours, tf.where(has_alpha, file.number(66, 4, True), 0)]


def _of_16_bits(file: File, rows, width, given):
    low, high = (tf.cast(rows[:, i : 2 * width : 2], tf.int32) for i in (0, 1))
    values, shades = low + 256 * high, []
    for mask in _masks(file, given, _MASKS_OF_16)[:3]:
        mask = tf.cast(mask, tf.int32)
        lowest = tf.maximum(tf.bitwise.bitwise_and(mask, -mask), 1)
        shade = tf.bitwise.bitwise_and(values, mask) // lowest
        shades.append(tf.cast(shade * 255 // tf.maximum(mask // lowest, 1), tf.uint8))
    return _opaque(tf.stack(shades, 2))


def _of_32_bits(file: File, pixels, given):
    masks = tf.stack(_masks(file, given, _MASKS_OF_32))
    # Each mask is one whole byte: which of the four.
    order = tf.searchsorted(tf.constant([0xFF, 0xFF00, 0xFF0000], tf.int64), masks)
    shuffled = tf.gather(pixels, order, axis=2)
    return tf.cond(masks[3] == 0, lambda: _opaque(shuffled[..., :3]), lambda: shuffled)
