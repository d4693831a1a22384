"""Files with common pixels and uncommon headers: kinds of BMP, orientations, frames of GIFs, comments."""

import io
import struct
import zlib

import numpy as np
import PIL
from PIL import Image

ORIENTATION = 0x0112
BYTE, SHORT, LONG, RATIONAL = 1, 3, 4, 5
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6" /></rdf:RDF></x:xmpmeta>'
XMP_ELEMENT = XMP.replace(b'<rdf:Description tiff:Orientation="6" />', b"<tiff:Orientation>6</tiff:Orientation>")
MASKS_565, MASKS_ALPHA = (0xF800, 0x07E0, 0x001F), (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


def bmp(rows, header, palette=b"", behind=b""):
    """A file from packed rows, lowest first."""
    start, body = 14 + len(header) + len(palette), b"".join(row + bytes(-len(row) % 4) for row in rows)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + palette + body + behind


def header(width, height, bits, compression=0, colours=0, size=40, masks=()):
    fields = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, compression, 0, 0, 0, colours, 0)
    masks = b"".join(struct.pack("<I", mask) for mask in masks)
    return fields + masks + bytes(max(0, size - len(fields) - len(masks)))


def nibbles(row):
    even = np.append(row, np.zeros(len(row) % 2, np.uint8))
    return (even[::2] << 4 | even[1::2]).astype(np.uint8).tobytes()


def exif(*entries, order="<"):
    """An EXIF block of (kind, value) entries, each an orientation."""
    rows = b"".join(
        struct.pack(order + "HHI", ORIENTATION, kind, 1)
        + (struct.pack(order + "HH", value, 0) if kind == SHORT else struct.pack(order + "I", value))
        for kind, value in entries
    )
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + mark + struct.pack(order + "IH", 8, len(entries)) + rows + bytes(4)


def bitmaps(rgb):
    """`{file name: (bytes, pixels)}` of a picture `(H, W, 3)` uint8."""
    height, width = rgb.shape[:2]
    quantized = Image.fromarray(rgb).quantize(16)
    index = np.asarray(quantized)
    palette = np.array(quantized.getpalette()[:48], np.uint8).reshape(16, 3)
    flat, four = palette[index], np.insert(palette[:, ::-1], 3, 0, axis=1).tobytes()
    two = np.array([[10, 20, 30], [200, 100, 50]], np.uint8)
    bit = (rgb[..., 0] > 127).astype(np.uint8)
    wide = rgb.astype(int)
    deep = {
        "565": ((wide // [8, 4, 8]) * 255 // [31, 63, 31], wide // [8, 4, 8] @ [2048, 32, 1]),
        "555": ((wide // 8) * 255 // 31, wide // 8 @ [1024, 32, 1]),
    }
    colours = np.ascontiguousarray(rgb[..., ::-1])
    half = np.insert(colours, 3, 128, axis=2)
    run_lengths = b"".join(b"".join(bytes([1, v]) for v in row.tolist()) + b"\0\0" for row in index[::-1]) + b"\0\1"
    os2 = struct.pack("<IHHHH", 12, width, height, 1, 24)
    of_256 = np.concatenate([palette, np.zeros((240, 3), np.uint8)])[:, ::-1].tobytes()
    return {
        "two_colours.bmp": (
            bmp([np.packbits(row).tobytes() for row in bit[::-1]], header(width, height, 1, colours=2),
                np.insert(two[:, ::-1], 3, 0, axis=1).tobytes()),
            two[bit],
        ),
        "sixteen_colours.bmp": (
            bmp([nibbles(row) for row in index[::-1]], header(width, height, 4, colours=16), four), flat,
        ),
        "short_palette.bmp": (bmp([*map(bytes, index[::-1])], header(width, height, 8, colours=16), four), flat),
        "top_down.bmp": (bmp([*map(bytes, index)], header(width, -height, 8, colours=16), four), flat),
        "bits_565.bmp": (
            bmp([row.astype("<u2").tobytes() for row in deep["565"][1][::-1]],
                header(width, height, 16, 3) + struct.pack("<3I", *MASKS_565)),
            deep["565"][0].astype(np.uint8),
        ),
        "bits_555.bmp": (
            bmp([row.astype("<u2").tobytes() for row in deep["555"][1][::-1]], header(width, height, 16)),
            deep["555"][0].astype(np.uint8),
        ),
        "os2.bmp": (bmp([row.tobytes() for row in colours[::-1]], os2), rgb),
        "os2_palette.bmp": (bmp([*map(bytes, index[::-1])], os2[:-2] + b"\x08\0", of_256), flat),
        "bytes_behind.bmp": (
            bmp([row.tobytes() for row in colours[::-1]], header(width, height, 24), behind=b"\0\0"), rgb,
        ),
        "half_clear.bmp": (
            bmp([row.tobytes() for row in half[::-1]], header(width, height, 32, 3, size=124, masks=MASKS_ALPHA)),
            ((wide * 128 + 255 * 127 + 127) // 255).astype(np.uint8),
        ),
        "run_lengths.bmp": (bmp([run_lengths], header(width, height, 8, 1, 16), four), flat),
    }  # fmt: skip


def turned(rgb, six):
    """`{file name: (bytes, pixels)}`: `six` is `rgb` as a picture of orientation 6 is stored."""

    def stored(kind, **options):
        file = io.BytesIO()
        Image.fromarray(six).save(file, kind, **options)
        return file.getvalue()

    def jpeg(**options):
        return stored("JPEG", quality=95, subsampling=0, **options)

    twice = {
        "exif_6_then_1.jpg": (jpeg(exif=exif((SHORT, 6), (SHORT, 1))), rgb),
        "exif_1_then_6.jpg": (jpeg(exif=exif((SHORT, 1), (SHORT, 6))), six),
    }
    return (twice if int(PIL.__version__.split(".")[0]) >= 13 else {}) | {  # older ones take the last
        "xmp.jpg": (jpeg(xmp=XMP), rgb),
        "xmp_element.jpg": (jpeg(xmp=XMP_ELEMENT), rgb),
        "exif_before_xmp.jpg": (jpeg(xmp=XMP, exif=exif((SHORT, 1))), six),
        "xmp.webp": (stored("WEBP", lossless=True, xmp=XMP), rgb),
        "exif_long.jpg": (jpeg(exif=exif((LONG, 6), order=">")), rgb),
        "exif_byte.jpg": (jpeg(exif=exif((BYTE, 6))), six),
        "exif_9.jpg": (jpeg(exif=exif((SHORT, 9)), xmp=XMP), six),
    }  # fmt: skip


def texts():
    """`{name: PNG chunk}`: two with an orientation in XMP, and a long comment."""
    name = b"XML:com.adobe.xmp\0"
    return {
        "xmp.png": (b"iTXt", name + bytes(4) + XMP),
        "xmp_packed.png": (b"iTXt", name + b"\1\0\0\0" + zlib.compress(XMP)),
        "long_comment.png": (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000))),
    }


def small_frames(rgb):
    """`{file name: (bytes, pixels)}` of GIFs with a first frame in one corner of their canvas."""
    height, width = rgb.shape[:2]
    small = Image.fromarray(np.ascontiguousarray(rgb[: height // 2, : width // 2])).quantize(16)
    found = {}
    for name, options in (("small_frame.gif", {}), ("small_frame_hole.gif", {"transparency": 3})):
        file = io.BytesIO()
        small.save(file, "GIF", interlace=0, optimize=False, **options)
        data = bytearray(file.getvalue())
        data[6:10] = struct.pack("<HH", width, height)
        inside = np.asarray(small.convert("RGB"))
        if options:
            inside = np.where((np.asarray(small) == 3)[..., None], 255, inside)
        pixels = np.empty_like(rgb)
        pixels[:] = 255 if options else list(data[13:16])
        pixels[: height // 2, : width // 2] = inside
        found[name] = (bytes(data), pixels)
    return found
