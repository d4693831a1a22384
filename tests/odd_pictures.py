"""Makes one folder with everything that a folder of pictures can contain."""

import io
import os
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import odd_headers
from PIL import Image, TiffImagePlugin

ORIENTATION = 0x0112
TURNED = {  # how a stored picture is made from the upright one, for each EXIF orientation
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: x.transpose(1, 0, 2)[::-1],
    7: lambda x: x.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda x: x.transpose(1, 0, 2)[:, ::-1],
}


@dataclass(frozen=True)
class Good:
    """A file that is a picture: its bytes and the upright RGB pixels that it stands for."""

    data: bytes
    pixels: np.ndarray
    tolerance: float = 0.0  # mean difference in grey levels that its format is allowed


@dataclass(frozen=True)
class Bad:
    """A file that is none, and a word of the reason."""

    data: bytes
    reason: str


def scene(height=48, width=64):
    """A smooth picture, different in every corner, `(H, W, 3)` uint8."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = (np.sin(7 * x + 2 * y), np.cos(3 * x - 5 * y), x - y)
    return np.stack([127 + 100 * wave for wave in waves], 2).clip(0, 255).astype(np.uint8)


def grey_scene():
    return scene()[..., 0]


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(pixels, **options):
    return encoded(Image.fromarray(pixels), "JPEG", **{"quality": 95, "subsampling": 0, **options})


def exif(orientation, thumbnail=b""):
    """An EXIF block with an orientation, and a thumbnail of its own in the second directory."""
    entries = struct.pack("<H", 1) + struct.pack("<HHII", ORIENTATION, 3, 1, orientation)
    if not thumbnail:
        return b"Exif\0\0II*\0\x08\0\0\0" + entries + bytes(4)
    second = 8 + len(entries) + 4
    start = second + 2 + 2 * 12 + 4
    directory = struct.pack("<H", 2) + struct.pack("<HHII", 0x0201, 4, 1, start)
    directory += struct.pack("<HHII", 0x0202, 4, 1, len(thumbnail)) + bytes(4)
    return b"Exif\0\0II*\0\x08\0\0\0" + entries + struct.pack("<I", second) + directory + thumbnail


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels, depth, colour, *chunks):
    """A PNG of samples as they are: Pillow cannot write 16-bit colour. `colour` is the PNG colour type."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(">u2" if depth == 16 else np.uint8).reshape(height, -1)
    packed = b"".join(b"\0" + (np.packbits(row).tobytes() if depth == 1 else row.tobytes()) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(packed)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in body)


def tiff(pixels):
    """The bytes of an uncompressed TIFF of `(H, W, B)` whole numbers without a sign, one band or three and more."""
    height, width, bands = pixels.shape
    depth, size = 8 * pixels.itemsize, pixels.nbytes
    rows = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, bands, depth if bands == 1 else 8 + size), (259, 3, 1, 1),
        (262, 3, 1, 1 if bands == 1 else 2), (273, 4, 1, 8), (277, 3, 1, bands), (278, 4, 1, height), (279, 4, 1, size),
        *[(338, 3, bands - 3, 0)] * (bands > 3),
    ]  # fmt: skip
    directory = struct.pack("<H", len(rows)) + b"".join(struct.pack("<HHII", *row) for row in rows) + bytes(4)
    data = pixels.tobytes() + struct.pack("<H", depth) * bands
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def grey_profile():
    """A CMYK colour profile in which cyan, magenta and yellow do nothing: without black all is middle grey."""
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    ramp = bytes(range(256))
    table = (
        b"mft1"
        + bytes(4)
        + bytes([4, 3, 2, 0])
        + identity
        + ramp * 4
        + bytes([128, 128, 128, 0, 128, 128]) * 8
        + ramp * 3
    )
    header = struct.pack(">I4sI4s4s4s", 144 + len(table), bytes(4), 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return header + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


def on_white(rgba):
    alpha = rgba[..., 3:] / 255
    return np.floor(rgba[..., :3] * alpha + 255 * (1 - alpha) + 0.5).astype(np.uint8)


@cache
def good():
    """`{file name: Good}`."""
    rgb, grey = scene(), grey_scene()
    grey_rgb = np.repeat(grey[..., None], 3, 2)
    alpha = np.linspace(0, 255, rgb.shape[1]).astype(np.uint8)[None].repeat(len(rgb), 0)
    rgba, la = np.dstack([rgb, alpha]), np.dstack([grey, alpha])
    image, paletted = Image.fromarray(rgb), Image.fromarray(rgb).quantize(16)
    flat = np.asarray(paletted.convert("RGB"))
    hole = np.where((np.asarray(paletted) == 3)[..., None], 255, flat).astype(np.uint8)
    no_black = 255 - np.dstack([rgb, np.full_like(grey, 255)])  # RGB is 255 - ink
    ink = Image.frombytes("CMYK", image.size, no_black.tobytes())
    black = grey > 127
    deep = grey.astype(np.uint16) * 256 + 99
    frames = [paletted, Image.fromarray(255 - rgb).quantize(16)]
    turned = {
        f"exif_{n}.jpg": Good(jpeg(np.ascontiguousarray(turn(rgb)), exif=exif(n)), rgb, 1.5)
        for n, turn in TURNED.items()
    }
    six = Image.fromarray(np.ascontiguousarray(TURNED[6](rgb)))
    tiff_six = TiffImagePlugin.ImageFileDirectory_v2()
    tiff_six[ORIENTATION] = 6
    with_text = {
        name: Good(png(rgb if name == "long_comment.png" else six_pixels(rgb), 8, 2, chunk), rgb)
        for name, chunk in odd_headers.texts().items()
    }
    exact = odd_headers.bitmaps(rgb) | odd_headers.small_frames(rgb)
    return {
        **turned,
        **{name: Good(*file) for name, file in exact.items()},
        **{name: Good(*file, 1.5) for name, file in odd_headers.turned(rgb, six_pixels(rgb)).items()},
        **with_text,
        "plain.jpg": Good(jpeg(rgb), rgb, 1.5),
        "phone.jfif": Good(jpeg(rgb), rgb, 1.5),
        "quarter_colour.jpeg": Good(jpeg(rgb, subsampling=2), rgb, 2.5),
        "progressive.jpg": Good(jpeg(rgb, progressive=True), rgb, 1.5),
        "grey.jpg": Good(jpeg(grey), grey_rgb, 1.5),
        "thumbnail.jpg": Good(jpeg(rgb, exif=exif(1, jpeg(rgb[::4, ::4]))), rgb, 1.5),
        "big_endian.jpg": Good(
            jpeg(six_pixels(rgb), exif=b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 274, 3, 1, 6, 0, 0)),
            rgb,
            1.5,
        ),
        "video_behind.jpg": Good(jpeg(rgb) + b"\xff\xda video of a phone", rgb, 1.5),
        "cmyk.jpg": Good(encoded(ink, "JPEG", quality=95), rgb, 2.5),
        "cmyk_profile.jpg": Good(
            encoded(ink, "JPEG", quality=95, icc_profile=grey_profile()), np.full_like(rgb, 119), 2.5
        ),
        "cmyk_bad_profile.jpg": Good(encoded(ink, "JPEG", quality=95, icc_profile=b"no profile"), rgb, 2.5),
        "rgb.png": Good(png(rgb, 8, 2), rgb),
        "black_and_white.png": Good(png(black, 1, 0), np.repeat(black[..., None], 3, 2).astype(np.uint8) * 255),
        "grey.png": Good(png(grey, 8, 0), grey_rgb),
        "grey_16.png": Good(png(deep, 16, 0), grey_rgb),
        "rgb_16.png": Good(png(rgb.astype(np.uint16) * 256 + 99, 16, 2), rgb),
        "rgba_16.png": Good(png(rgba.astype(np.uint16) * 257, 16, 6), on_white(rgba)),
        "grey_hole.png": Good(
            png(grey, 8, 0, (b"tRNS", struct.pack(">H", grey[0, 0]))),
            np.where(grey_rgb == grey[0, 0], 255, grey_rgb).astype(np.uint8),
        ),
        "grey_16_hole.png": Good(
            png(deep, 16, 0, (b"tRNS", struct.pack(">H", deep[0, 0]))),
            np.where(grey_rgb == grey[0, 0], 255, grey_rgb).astype(np.uint8),
        ),
        "palette.png": Good(encoded(paletted, "PNG"), flat),
        "palette_hole.png": Good(encoded(paletted, "PNG", transparency=3), hole),
        "rgba.png": Good(encoded(Image.fromarray(rgba), "PNG"), on_white(rgba)),
        "la.png": Good(encoded(Image.fromarray(la), "PNG"), on_white(np.dstack([grey_rgb, alpha]))),
        "lossless_alpha.webp": Good(
            encoded(Image.fromarray(rgba), "WEBP", lossless=True, exact=True, quality=50), on_white(rgba)
        ),
        "many_colours.png": Good(
            encoded(Image.fromarray(rgb).quantize(200), "PNG"),
            np.asarray(Image.fromarray(rgb).quantize(200).convert("RGB")),
        ),
        "gamma.png": Good(png(rgb, 8, 2, (b"gAMA", struct.pack(">I", 100000))), rgb),
        "exif_6.png": Good(encoded(six, "PNG", exif=exif(6)[6:]), rgb),
        "lossless.webp": Good(encoded(image, "WEBP", lossless=True), rgb),
        "lossy.webp": Good(encoded(image, "WEBP", quality=95), rgb, 3.0),
        "rgba.webp": Good(encoded(Image.fromarray(rgba), "WEBP", lossless=True, exact=True), on_white(rgba)),
        "animation.webp": Good(
            encoded(image, "WEBP", lossless=True, save_all=True, append_images=[Image.fromarray(255 - rgb)]), rgb
        ),
        "exif_6.webp": Good(encoded(six, "WEBP", lossless=True, exif=exif(6)[6:]), rgb),
        "still.gif": Good(encoded(paletted, "GIF"), flat),
        "animation.gif": Good(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), flat),
        "hole.gif": Good(encoded(paletted, "GIF", transparency=3), hole),
        "rgba.bmp": Good(encoded(Image.fromarray(np.dstack([rgb, np.full_like(grey, 255)])), "BMP"), rgb),
        "rgb.bmp": Good(encoded(image, "BMP"), rgb),
        "grey.bmp": Good(encoded(Image.fromarray(grey), "BMP"), grey_rgb),
        "palette.bmp": Good(encoded(paletted, "BMP"), flat),
        "rgb.tiff": Good(encoded(image, "TIFF"), rgb),
        "packed.tif": Good(encoded(image, "TIFF", compression="tiff_lzw"), rgb),
        "grey_16.tif": Good(encoded(Image.fromarray(deep), "TIFF"), grey_rgb),
        "exif_6.tif": Good(encoded(six, "TIFF", tiffinfo=tiff_six), rgb),
        "animation.png": Good(
            encoded(image, "PNG", save_all=True, append_images=[Image.fromarray(255 - rgb)], duration=100), rgb
        ),
        "pages.tif": Good(encoded(image, "TIFF", save_all=True, append_images=[Image.fromarray(255 - rgb)]), rgb),
        "one_pixel.png": Good(png(rgb[:1, :1], 8, 2), rgb[:1, :1]),
        "one_pixel.jpg": Good(jpeg(rgb[:1, :1]), rgb[:1, :1], 2.5),
        "wide.png": Good(png(scene(8, 4000), 8, 2), scene(8, 4000)),
        "tall.jpg": Good(jpeg(scene(4000, 8)), scene(4000, 8), 1.5),
        "jpeg_named.png": Good(jpeg(rgb), rgb, 1.5),
        "größe und ä.PNG": Good(png(rgb, 8, 2), rgb),
    }


def six_pixels(rgb):
    return np.ascontiguousarray(TURNED[6](rgb))


@cache
def bad():
    """`{file name: Bad}`."""
    rgb = scene()
    image = Image.fromarray(rgb)
    with_thumbnail = jpeg(rgb, exif=exif(1, jpeg(rgb[::4, ::4])))
    files = {kind: encoded(image, kind) for kind in ("PNG", "WEBP", "BMP", "GIF", "TIFF")}
    damaged = bytearray(files["PNG"])
    damaged[len(damaged) // 2] ^= 255
    bomb = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    smaller_bomb = struct.pack(">IIBBBBB", 10000, 10000, 8, 0, 0, 0, 0)
    sized = bytearray(jpeg(rgb))
    place = sized.find(b"\xff\xc0") + 5
    sized[place : place + 4] = struct.pack(">HH", 30000, 30000)
    start, end = b"\x89PNG\r\n\x1a\n", png_chunk(b"IDAT", zlib.compress(b"\0")) + png_chunk(b"IEND", b"")
    return {
        "empty.jpg": Bad(b"", "empty"),
        "text.jpg": Bad(b"This is no picture.", "no picture"),
        "page.png": Bad(b"<!DOCTYPE html><html></html>", "no picture"),
        "cut.jpg": Bad(jpeg(rgb)[:-200], "cut short"),
        "cut_with_thumbnail.jpg": Bad(with_thumbnail[:-200], "cut short"),
        "cut_behind_thumbnail.jpg": Bad(with_thumbnail[: with_thumbnail.rfind(b"\xff\xc0") + 4], "cut short"),
        "cut_progressive.jpg": Bad(jpeg(rgb, progressive=True)[:-200], "cut short"),
        "header_only.jpg": Bad(jpeg(rgb)[:20], "no picture"),
        "cut.png": Bad(files["PNG"][: len(files["PNG"]) // 2], "cut short"),
        "damaged.png": Bad(bytes(damaged), "damaged"),
        "cut.webp": Bad(files["WEBP"][: len(files["WEBP"]) // 2], "cut short"),
        "cut.bmp": Bad(files["BMP"][: len(files["BMP"]) // 2], "cut short"),
        "cut.gif": Bad(files["GIF"][: len(files["GIF"]) // 2], "cut short"),
        "cut.tif": Bad(files["TIFF"][: len(files["TIFF"]) // 2], "cut short"),
        "bomb.jpg": Bad(bytes(sized), "89 million"),
        "bomb.gif": Bad(files["GIF"][:6] + struct.pack("<HH", 30000, 30000) + files["GIF"][10:], "89 million"),
        "bomb.png": Bad(start + png_chunk(b"IHDR", bomb) + end, "89 million"),
        "smaller_bomb.png": Bad(start + png_chunk(b"IHDR", smaller_bomb) + end, "89 million"),
    }


@dataclass(frozen=True)
class OddFolder:
    """A folder with everything, and what reading it has to give, by name below `root`."""

    root: Path
    good: dict[str, np.ndarray]  # pixels
    bad: dict[str, str]  # a word of the reason
    ignored: int
    empty: tuple[str, ...]


NAMES = (
    "two words.png",
    "  spaces around  .png",
    "'single' and \"double\".png",
    "new\nline.png",
    "tab\tand, comma; semicolon.png",
    "[red]markup[/red] & <b>tags</b> {{ braces }}.png",
    "=1+2.png",
    "-option.png",
    "日本語 🌻 e\u0301.png",
    "no UTF-8 \udce9.png",
    "x" * 240 + ".png",
    "/".join(["y" * 200] * 8) + "/deep.png",
    "folder.png/inside.png",
)


def write_odd_folder(root):
    """Write everything below `odd/`, beside a class of plain pictures and an empty one; returns an `OddFolder`."""
    odd, plain = root / "odd", scene()
    files = {f"odd/{name}": file.pixels for name, file in good().items()}
    reasons = {f"odd/{name}": file.reason for name, file in bad().items()}
    for folder in (odd, root / "plain", root / "empty"):
        folder.mkdir(parents=True)
    for name, file in {**good(), **bad()}.items():
        (odd / name).write_bytes(file.data)
    for name, value in (("dark.png", 20), ("light.png", 230), ("middle.png", 128)):
        files[f"plain/{name}"] = np.full((40, 40, 3), value, np.uint8)
        (root / "plain" / name).write_bytes(png(files[f"plain/{name}"], 8, 2))
    for number, name in enumerate(NAMES):
        pixels = np.roll(plain, number, axis=1)
        try:
            (odd / name).parent.mkdir(parents=True, exist_ok=True)
            (odd / name).write_bytes(png(pixels, 8, 2))
            files[f"odd/{name}"] = pixels
        except OSError:
            continue  # not every file system knows every name
    (odd / ".hidden.jpg").write_bytes(b"")
    (odd / "notes.txt").write_text("no picture")
    (odd / "folder.jpg").mkdir()
    reasons |= _links(odd) | _locked(odd)
    return OddFolder(root, files, reasons, ignored=2, empty=("empty",))


def write_many_classes(root, classes=2000):
    """A folder of so many classes, two tiny pictures in each."""
    for label in range(classes):
        (root / f"class {label:04}").mkdir(parents=True)
        for number in range(2):
            pixels = np.array([[label % 256, label // 256, number]])[None]
            (root / f"class {label:04}" / f"{number}.png").write_bytes(png(pixels, 8, 2))
    return root


def _links(folder):
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "broken.png").symlink_to("nowhere.png")
    (folder / "around").symlink_to(folder)
    (folder / "up").symlink_to(folder.parent)
    reasons = {"odd/loop.png": "cannot be read", "odd/broken.png": "cannot be read"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")
        reasons["odd/pipe.png"] = "is no file"
    return reasons


def _locked(folder):
    if os.geteuid() == 0:
        return {}  # who may read everything is never refused
    (folder / "locked.png").write_bytes(png(scene(), 8, 2))
    (folder / "locked.png").chmod(0)
    return {"odd/locked.png": "cannot be read"}
