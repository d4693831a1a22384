"""The bytes of a picture file as TensorFlow sees them: numbers at places, parts, and which way up it stands."""

from __future__ import annotations

import tensorflow as tf

_ORIENTATION_TAG, _SHORT, _LONG = 0x0112, 3, 4


class File:
    """The bytes of a file as numbers; behind its end are zeros.

    Attributes:
        data: scalar string tensor; size: its bytes, int64.
    """

    def __init__(self, data):
        self.data = data
        self.size = tf.cast(tf.strings.length(data), tf.int64)
        self._padded = tf.strings.join([data, b"\0\0\0\0"])

    def number(self, position, length: int, little=False):
        """The whole number of 1, 2 or 4 bytes at an int64 position: few operations, as it is asked for everywhere."""
        start = tf.minimum(tf.cast(position, tf.int64), self.size)
        part = tf.strings.substr(self._padded, start, tf.constant(length, tf.int64))
        kind = {1: tf.uint8, 2: tf.uint16, 4: tf.int32}[length]
        value = tf.cast(tf.io.decode_raw(part, kind, little_endian=little)[0], tf.int64)
        return value % (1 << 32) if length == 4 else value

    def numbers(self, positions, length: int, little=False):
        """Whole numbers of `length` bytes at int64 positions of any shape; `little` may be a tensor."""
        places = positions[..., None] + tf.range(length, dtype=tf.int64)
        inside = (places >= 0) & (places < self.size)
        values = tf.gather(tf.io.decode_raw(self._padded, tf.uint8), tf.where(inside, places, self.size))
        rising = [256**i for i in range(length)]
        place_values = tf.where(little, tf.constant(rising, tf.int64), tf.constant(rising[::-1], tf.int64))
        return tf.reduce_sum(tf.cast(values, tf.int64) * place_values, -1)

    def signed(self, position):
        """The whole number of four bytes at a position, smallest byte first, below zero from 2^31 on."""
        value = self.number(position, 4, True)
        return tf.where(value >= 1 << 31, value - (1 << 32), value)

    def holds(self, position, text: bytes):
        """Whether these bytes stand there."""
        return self.text(position, len(text)) == text

    def find(self, start, is_wanted, length):
        """The first of the parts of `length(position)` bytes, one behind the other, that is wanted; or the end."""

        def goes_on(position):
            return (position < self.size) & ~is_wanted(position)

        begin = tf.cast(start, tf.int64)
        found = tf.while_loop(goes_on, lambda p: (p + length(p),), (begin,))[0]
        return tf.minimum(found, self.size)

    def text(self, position, length):
        """So many bytes from a position on, or what there is of them."""
        start = tf.minimum(tf.cast(position, tf.int64), self.size)
        most = tf.maximum(tf.cast(length, tf.int64), 0)
        return tf.strings.substr(self.data, start, tf.minimum(most, self.size - start))

    def orientation(self, exif, xmp):
        """The orientation 1..8, by the rule of `data.orientation`.

        Args:
            exif: where its block begins, or the end of the file.
            xmp: scalar string tensor, empty where there is none.
        """
        tiff = exif + tf.where(self.holds(exif, b"Exif\0\0"), tf.constant(6, tf.int64), 0)
        little = self.holds(tiff, b"I")
        directory = tiff + self.numbers(tiff + 4, 4, little)
        entries = directory + 2 + 12 * tf.range(tf.minimum(self.numbers(directory, 2, little), 256))
        entries = tf.boolean_mask(entries, self.numbers(entries, 2, little) == _ORIENTATION_TAG)[:1]
        kind = self.numbers(entries + 2, 2, little)
        values = tf.where(kind == _SHORT, self.numbers(entries + 8, 2, little), self.numbers(entries + 8, 4, little))
        values = tf.where((kind == _SHORT) | (kind == _LONG), values, 1)
        return tf.reduce_max(tf.concat([values, _by_xmp(xmp)[tf.size(values) :]], 0))


def _by_xmp(text):
    """`(1,)` int64: what XMP says of the orientation, 1 where it says nothing."""
    digit = tf.strings.regex_replace(text, r'\C*?tiff:Orientation(?:="|>)([0-9])\C*', r"\1")
    found = tf.strings.regex_full_match(digit, "[0-9]")
    return tf.strings.to_number(tf.where(found, digit, "1"), tf.int64)[None]


def within(data, height, width, most: int):
    """The bytes `data`, refused where the picture that they announce has more than so many pixels, or none."""
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    fine = tf.debugging.Assert((pixels > 0) & (pixels <= most), ["too many pixels, or none"])
    with tf.control_dependencies([fine]):
        return tf.identity(data)
