"""A picture file decoded by TensorFlow operations, so that an exported model needs no Python.

What Pillow does and TensorFlow does not is repeated here: orientation, transparency on white, the kinds of BMP, the
first frame of a GIF on its canvas. `export_checks.kind_unlike` names what remains different.
"""

from __future__ import annotations

import functools
from collections.abc import Collection

import tensorflow as tf

from transfer.data.pixel_limits import most_pixels
from transfer.learning.batches import without_autotune
from transfer.runs.graph_bitmaps import read_bmp
from transfer.runs.graph_files import File, within
from transfer.runs.graph_fitting import fit_picture, in_bands


def read_picture(data, marks: tuple[bytes, ...] | None = None):
    """Decode the bytes of one JPEG, PNG, WebP, GIF or BMP file.

    Args:
        data: scalar string tensor.
        marks: that it may begin with, of `READERS` and in their order, if not all of them; the last one is taken for
            every file that has none of the others.

    Returns:
        `(H, W, 3)` uint8. The graph fails on bytes that are no such picture, and before it is
        decoded on one of more pixels than `limit_pixels` allows now.
    """
    file = File(data)
    marks = marks or tuple(READERS)
    # One choice of five: tf.case nests a branch in a branch, which takes longer to be made and to be begun with.
    first = tf.argmax(tf.stack([*(file.holds(0, mark) for mark in marks[:-1]), True]), output_type=tf.int32)
    pixels, exif, xmp = tf.switch_case(first, [lambda mark=mark: READERS[mark](file) for mark in marks])
    rgb = tf.cond(tf.shape(pixels)[2] == 4, lambda: _on_white(pixels), lambda: pixels)
    return _upright(tf.ensure_shape(rgb, (None, None, 3)), file.orientation(exif, xmp))


def square_decoder(size: int, fit: str, files: Collection[bytes] | None = None):
    """The graph from the bytes of a file to its square and whether it could be read; else the square is black.

    One for all that use it: it is large, and an export looks through it several times.

    Args:
        size: side of the square in pixels.
        fit: of `names.FITS`.
        files: those that it is asked for, if it need read no others: a smaller graph begins sooner.
    """
    marks = [mark for mark in READERS if files is None or any(_mark(file) == mark for file in files)]
    return _square_decoder(size, fit, tuple(marks), most_pixels())


def _mark(file: bytes) -> bytes:
    return next(mark for mark in READERS if file.startswith(mark))


@functools.cache
def _square_decoder(size: int, fit: str, marks: tuple[bytes, ...], _: int):
    def square(data):
        return fit_picture(read_picture(data, marks), size, fit), True

    def decode(data):
        black = tf.zeros((size, size, 3), tf.uint8)
        # A data set of one element can drop what fails, a graph cannot.
        read = tf.data.Dataset.from_tensors(data).map(tf.autograph.experimental.do_not_convert(square))
        read = read.ignore_errors().concatenate(tf.data.Dataset.from_tensors((black, False))).take(1)
        return without_autotune(read).get_single_element()

    signature = [tf.TensorSpec((), tf.string)]
    return tf.function(decode, input_signature=signature, autograph=False).get_concrete_function()


# Each reader gives the pixels, with alpha where there is any, the place of the EXIF block (behind the end without
# one), and the text of XMP.


def _limited(file: File, height, width):
    return within(file.data, height, width, most_pixels())


def _jpeg(file: File):
    def length(position):
        is_metadata = (file.number(position, 1) == 0xFF) & (file.number(position + 1, 1) != 0xDA)
        return tf.where(is_metadata, 2 + file.number(position + 2, 2), file.size)

    def segment(begin: bytes):
        return file.find(2, lambda p: file.holds(p, b"\xff\xe1") & file.holds(p + 4, begin), length)

    height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(file.data))
    pixels = tf.io.decode_jpeg(_limited(file, height, width), channels=3, dct_method="INTEGER_ACCURATE")
    xmp = segment(b"http://ns.adobe.com/xap/1.0/\0")
    text = file.text(xmp + 4, file.number(xmp + 2, 2))
    return _any(pixels), segment(b"Exif\0\0") + 4, text


def _png(file: File):
    def chunk(begin: bytes):
        return file.find(8, lambda p: file.holds(p + 4, begin), lambda p: 12 + file.number(p, 4))

    def with_alpha():
        rgba = tf.io.decode_png(data, channels=4)
        # Opaque pictures of 1 to 4 bits come with the largest number of so many bits as their alpha.
        full = tf.cast(tf.bitwise.left_shift(tf.constant(1, tf.int64), file.number(24, 1)) - 1, tf.uint8)
        return tf.cond(tf.reduce_all(rgba[..., 3] == full), lambda: _any(rgba[..., :3]), lambda: _any(rgba))

    data = _limited(file, file.number(16, 4), file.number(20, 4))
    has_alpha = (file.number(25, 1) & 4 == 4) | (chunk(b"tRNS") < file.size)
    pixels = tf.cond(has_alpha, with_alpha, lambda: _any(tf.io.decode_png(data, channels=3)))
    xmp = chunk(b"iTXtXML:com.adobe.xmp\0")
    text = file.text(xmp + 30, file.number(xmp, 4) - 22)  # behind its name, two marks and two empty words
    packed = file.number(xmp + 26, 1) == 1
    text = tf.cond(packed, lambda: tf.io.decode_compressed(text, "ZLIB"), lambda: text)
    return pixels, chunk(b"eXIf") + 8, text


def _webp(file: File):
    def part(name: bytes):
        return file.find(12, lambda p: file.holds(p, name), lambda p: 8 + (file.number(p + 4, 4, True) + 1) // 2 * 2)

    extended, lossless = file.holds(12, b"VP8X"), file.holds(12, b"VP8L")
    flags = tf.where(extended, file.number(20, 1), tf.where(lossless, file.number(24, 1), 0))
    packed, plain = file.number(21, 4, True), [file.number(place, 2, True) % (1 << 14) for place in (28, 26)]
    sides = [packed // (1 << 14) % (1 << 14) + 1, packed % (1 << 14) + 1]
    canvas = [file.number(place, 4, True) % (1 << 24) + 1 for place in (27, 24)]
    height, width = (tf.where(extended, x, tf.where(lossless, y, z)) for x, y, z in zip(canvas, sides, plain))
    # TensorFlow 2.21 damages its memory on some animations instead of failing.
    still = tf.debugging.Assert(~extended | (flags % 4 < 2), ["animated WebP"])
    with tf.control_dependencies([still]):
        data = _limited(file, height, width)
    pixels = tf.cond(
        flags // 16 % 2 == 1,
        lambda: _any(tf.io.decode_webp(data, channels=4)[0]),
        lambda: _any(tf.io.decode_webp(data, channels=3)[0]),
    )
    xmp = part(b"XMP ")
    text = file.text(xmp + 8, file.number(xmp + 4, 4, True))
    return pixels, part(b"EXIF") + 8, text


def _bmp(file: File):
    pixels = read_bmp(file, most_pixels())
    opaque = tf.reduce_all(pixels[..., 3] == 255)
    return tf.cond(opaque, lambda: _any(pixels[..., :3]), lambda: _any(pixels)), file.size, tf.constant("")


def _gif(file: File):
    """The first frame alone, on a canvas of its first colour: TensorFlow decodes all, and cannot place a small one."""

    def table(flags):
        return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def behind(position):
        """Where a row of blocks ends, each with its length in front."""
        return 1 + file.find(position, lambda p: file.number(p, 1) == 0, lambda p: 1 + file.number(p, 1))

    shared = file.number(10, 1)
    first = 13 + table(shared)
    frame = file.find(first, lambda p: file.number(p, 1) != 0x21, lambda p: behind(p + 2) - p)
    left, top, wide, high = (file.number(frame + place, 2, True) for place in (1, 3, 5, 7))
    width, height = tf.maximum(file.number(6, 2, True), left + wide), tf.maximum(file.number(8, 2, True), top + high)
    own = file.number(frame + 9, 1)
    with tf.control_dependencies([_limited(file, height, width)]):  # before any canvas is made
        height, width, high, wide = (tf.identity(side) for side in (height, width, high, wide))
        alone = tf.strings.join([
            file.text(0, 6), file.text(frame + 5, 4), file.text(10, first - 10),
            b",\0\0\0\0", file.text(frame + 5, behind(frame + 11 + table(own)) - frame - 5), b";",
        ])  # fmt: skip
    pixels = tf.io.decode_gif(alone)[0]
    around = tf.cast(file.numbers(tf.where(own >= 128, frame + 10, 13) + tf.range(3, dtype=tf.int64), 1), tf.uint8)
    is_inside = tf.pad(
        tf.ones((high, wide, 1), tf.bool), [[top, height - top - high], [left, width - left - wide], [0, 0]]
    )
    padded = tf.pad(pixels, [[top, height - top - high], [left, width - left - wide], [0, 0]])
    return _any(tf.where(is_inside, padded, around)), file.size, tf.constant("")


# By what a file begins with: the first that holds counts, and everything begins with nothing.
READERS = {b"\xff\xd8\xff": _jpeg, b"\x89PNG": _png, b"RIFF": _webp, b"BM": _bmp, b"": _gif}


def _any(pixels):
    """The same pixels, of 3 or 4 channels: what is given on one of several ways has to have the same shape on all."""
    return tf.raw_ops.PlaceholderWithDefault(input=pixels, shape=(None, None, None))


def _on_white(rgba):
    def step(part):
        rgb, alpha = tf.split(tf.cast(part, tf.int32), (3, 1), axis=2)
        return tf.cast((rgb * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    return in_bands(step, rgba)


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
