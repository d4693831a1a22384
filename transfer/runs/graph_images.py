"""The same two steps as `images`, as TensorFlow operations, so that an exported model needs no Python.

What Pillow does and TensorFlow does not is repeated here: orientation, transparency on white, the kinds
of BMP, the first frame of a GIF on its canvas, and Pillow's bilinear scaling, which is two matrix
products with rounding in between. `unlike` names what remains different. Large pictures are worked on
in bands, so that one needs little more memory than its pixels.
"""

from __future__ import annotations

import tensorflow as tf
from PIL import Image

from transfer.data.images import MOST_PIXELS
from transfer.runs.graph_bitmaps import read_bmp
from transfer.runs.graph_files import File, within

_ONE = float(1 << 22)  # what Pillow's whole-number weights sum to
_BAND = 1 << 20  # values of a picture that are worked on at once


def read_picture(data):
    """Decode the bytes of one JPEG, PNG, WebP, GIF or BMP file.

    Args:
        data: scalar string tensor.

    Returns:
        `(H, W, 3)` uint8. The graph fails on bytes that are no such picture, and on one of more than 89 million
        pixels before it is decoded.
    """
    file = File(data)
    branches = [(b"\xff\xd8\xff", _jpeg), (b"\x89PNG", _png), (b"RIFF", _webp), (b"BM", _bmp)]
    tests = [(file.holds(0, mark), lambda read=read: read(file)) for mark, read in branches]
    return tf.case(tests, lambda: _gif(file))


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


def unlike(image: Image.Image) -> str:
    """What makes `read_picture` see other pixels in a sound file than `images.read_picture`, or "".

    Args:
        image: as Pillow opens it; nothing of it is decoded.
    """
    info = image.info
    if image.format == "BMP":
        return "compressed BMP" if info.get("compression", 0) not in (0, 3) else ""
    if image.format == "WEBP":
        return "animated WebP" if getattr(image, "is_animated", False) else ""
    if image.format == "GIF":
        return "GIF with a transparent colour" if "transparency" in info else ""
    if image.format == "PNG":
        hole = info.get("transparency")
        if isinstance(hole, tuple) and max(hole) > 255:
            return "PNG of 16 bits with a transparent colour"
        by_text = "exif" not in info and "Raw profile type exif" in info
        return "PNG with EXIF as text" if by_text else ""
    if image.format in ("JPEG", "MPO"):
        return "CMYK with a colour profile" if image.mode == "CMYK" and "icc_profile" in info else ""
    return str(image.format)


def _limited(file: File, height, width):
    return within(file.data, height, width, MOST_PIXELS)


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
    return _upright(pixels, file.orientation(segment(b"Exif\0\0") + 4, text))


def _png(file: File):
    def chunk(begin: bytes):
        return file.find(8, lambda p: file.holds(p + 4, begin), lambda p: 12 + file.number(p, 4))

    def laid_on_white():
        rgba = tf.io.decode_png(data, channels=4)
        # Opaque pictures of 1 to 4 bits come with the largest number of so many bits as their alpha.
        full = tf.cast(tf.bitwise.left_shift(tf.constant(1, tf.int64), file.number(24, 1)) - 1, tf.uint8)
        return tf.cond(tf.reduce_all(rgba[..., 3] == full), lambda: rgba[..., :3], lambda: _on_white(rgba))

    data = _limited(file, file.number(16, 4), file.number(20, 4))
    has_alpha = (file.number(25, 1) & 4 == 4) | (chunk(b"tRNS") < file.size)
    pixels = tf.cond(has_alpha, laid_on_white, lambda: tf.io.decode_png(data, channels=3))
    xmp = chunk(b"iTXtXML:com.adobe.xmp\0")
    text = file.text(xmp + 30, file.number(xmp, 4) - 22)  # behind its name, two marks and two empty words
    packed = file.number(xmp + 26, 1) == 1
    text = tf.cond(packed, lambda: tf.io.decode_compressed(text, "ZLIB"), lambda: text)
    return _upright(pixels, file.orientation(chunk(b"eXIf") + 8, text))


def _webp(file: File):
    def part(name: bytes):
        return file.find(12, lambda p: file.holds(p, name), lambda p: 8 + (file.number(p + 4, 4, True) + 1) // 2 * 2)

    extended, lossless = file.holds(12, b"VP8X"), file.holds(12, b"VP8L")
    flags = tf.where(extended, file.number(20, 1), tf.where(lossless, file.number(24, 1), 0))
    packed, plain = file.number(21, 4, True), [file.number(place, 2, True) % (1 << 14) for place in (28, 26)]
    sides = [packed // (1 << 14) % (1 << 14) + 1, packed % (1 << 14) + 1]
    canvas = [file.number(place, 3, True) + 1 for place in (27, 24)]
    height, width = (tf.where(extended, x, tf.where(lossless, y, z)) for x, y, z in zip(canvas, sides, plain))
    # TensorFlow 2.21 damages its memory on some animations instead of failing.
    still = tf.debugging.Assert(~extended | (flags % 4 < 2), ["animated WebP"])
    with tf.control_dependencies([still]):
        data = _limited(file, height, width)
    pixels = tf.cond(
        flags // 16 % 2 == 1,
        lambda: _on_white(tf.io.decode_webp(data, channels=4)[0]),
        lambda: tf.ensure_shape(tf.io.decode_webp(data, channels=3)[0], (None, None, 3)),
    )
    xmp = part(b"XMP ")
    text = file.text(xmp + 8, file.number(xmp + 4, 4, True))
    return _upright(pixels, file.orientation(part(b"EXIF") + 8, text))


def _bmp(file: File):
    pixels = read_bmp(file, MOST_PIXELS)
    return tf.cond(tf.reduce_all(pixels[..., 3] == 255), lambda: pixels[..., :3], lambda: _on_white(pixels))


def _gif(file: File):
    """The first frame alone, on its canvas: TensorFlow would decode all of them, and take no smaller one."""

    def table(flags):
        return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def behind(position):
        """Where a row of blocks ends, each with its length in front."""
        return 1 + file.find(position, lambda p: file.number(p, 1) == 0, lambda p: 1 + file.number(p, 1))

    shared = file.number(10, 1)
    first = 13 + table(shared)
    frame = file.find(first, lambda p: file.number(p, 1) != 0x21, lambda p: behind(p + 2) - p)
    control = file.find(first, lambda p: (p >= frame) | file.holds(p, b"\x21\xf9"), lambda p: behind(p + 2) - p)
    left, top, wide, high = (file.number(frame + place, 2, True) for place in (1, 3, 5, 7))
    width, height = tf.maximum(file.number(6, 2, True), left + wide), tf.maximum(file.number(8, 2, True), top + high)
    own = file.number(frame + 9, 1)
    with tf.control_dependencies([_limited(file, height, width)]):
        alone = tf.strings.join([
            file.text(0, 6), file.text(frame + 5, 4), file.text(10, first - 10),
            b",\0\0\0\0", file.text(frame + 5, behind(frame + 11 + table(own)) - frame - 5), b";",
        ])  # fmt: skip
    pixels = tf.ensure_shape(tf.io.decode_gif(alone)[0], (None, None, 3))
    # Around the frame lies the first colour, or nothing where one is transparent: white.
    colour = file.number(tf.where(own >= 128, frame + 10, 13) + tf.range(3, dtype=tf.int64), 1)
    hole = (control < frame) & (file.number(control + 3, 1) % 2 == 1)
    around = tf.cast(tf.where(hole, tf.constant(255, tf.int64), colour), tf.uint8)
    is_inside = tf.pad(tf.ones((high, wide, 1), tf.bool), [[top, height - top - high], [left, width - left - wide], [0, 0]])
    padded = tf.pad(pixels, [[top, height - top - high], [left, width - left - wide], [0, 0]])
    return tf.ensure_shape(tf.where(is_inside, padded, around), (None, None, 3))


def _on_white(rgba):
    def step(part):
        rgb, alpha = tf.split(tf.cast(part, tf.int32), (3, 1), axis=2)
        return tf.cast((rgb * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    return _in_bands(step, rgba)


def _in_bands(step, picture):
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


def _resize(picture, rows, columns, height, width):
    across = _triangles(tf.shape(picture)[1], *columns, width)
    down = _triangles(tf.shape(picture)[0], *rows, height)

    def horizontal(x, weights=across):
        def step(part):
            sums = tf.einsum("hwc,xw->hxc", tf.cast(part, tf.float64), weights)
            return tf.cast(tf.clip_by_value(tf.floor((sums + _ONE / 2) / _ONE), 0.0, 255.0), tf.uint8)

        return _in_bands(step, x)

    def vertical(x):
        return tf.transpose(horizontal(tf.transpose(x, (1, 0, 2)), down), (1, 0, 2))

    # Pillow 13 begins with the side that is cheaper to shorten, and rounds in between.
    less_high, less_wide = tf.shape(picture)[0] - height, tf.shape(picture)[1] - width
    return tf.cond(
        (less_high > 0) & (less_high > 2 * less_wide),
        lambda: horizontal(vertical(picture)),
        lambda: vertical(horizontal(picture)),
    )


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
