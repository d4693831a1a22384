"""Pictures whose bytes were changed: decoded or unreadable by every decoder that there is, and nothing else."""

import io
import json
import os
import random
import resource
import signal
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from fault_table import Tried
from PIL import Image, features

from transfer.data.images import read_fitted
from transfer.data.picture_files import check_picture
from transfer.errors import PictureError

WORKERS = 2
SECONDS = 20  # that one picture may take
MEMORY = 16 << 30  # bytes of addresses: a header that lies must not take the machine along
SIZE = 32
# Options of Pillow for each file that is changed, by the format and the mode of its pixels.
FILES = {
    ("JPEG", "RGB"): ({}, {"progressive": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0"}),
    ("JPEG", "CMYK"): ({},), ("JPEG", "L"): ({},),
    ("PNG", "RGB"): ({},), ("PNG", "RGBA"): ({},), ("PNG", "P"): ({},), ("PNG", "I;16"): ({},), ("PNG", "1"): ({},),
    ("WEBP", "RGB"): ({}, {"lossless": True}), ("WEBP", "RGBA"): ({},),
    ("GIF", "P"): ({}, {"interlace": 0}), ("BMP", "RGB"): ({},), ("BMP", "P"): ({},), ("BMP", "1"): ({},),
    ("TIFF", "RGB"): ({}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}, {"compression": "jpeg"}),
    ("TIFF", "I;16"): ({},), ("TIFF", "F"): ({},), ("TIFF", "1"): ({"compression": "group4"},),
    ("AVIF", "RGB"): ({},),
}  # fmt: skip


def corrupt_pictures(folder: Path, number: int = 3000, seed: int = 0) -> list[Tried]:
    """Change pictures of each format at random, and decode each as the toolkit does and as an exported network does.

    Args:
        folder: to work in.
        number: of pictures.
        seed: of what is changed.
    """
    with ThreadPoolExecutor(WORKERS) as threads:
        shares = [range(worker, number, WORKERS) for worker in range(WORKERS)]
        return [one for tried in threads.map(lambda share: _share(folder, seed, share), shares) for one in tried]


def _share(folder: Path, seed: int, numbers: Sequence[int]) -> list[Tried]:
    """Decode some in a process of their own; one that crashes or hangs is known by the line that it did not write."""
    lines = folder / f"pictures-{numbers[0]}.jsonl"
    lines.touch()
    while left := numbers[len(lines.read_text().splitlines()) :]:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            try:
                pool.submit(_decode, lines, seed, left).result()
            except BrokenProcessPool:
                number = numbers[len(lines.read_text().splitlines())]
                kind, _, how = corrupt(seed, number)
                _write(lines, Tried(kind, False, f"{number}, {how}: the process crashed, or was stopped"))
    return [Tried(*json.loads(line)) for line in lines.read_text().splitlines()]


def _write(lines: Path, tried: Tried) -> None:
    with lines.open("a") as file:
        file.write(json.dumps(tried) + "\n")


def _decode(lines: Path, seed: int, numbers: Sequence[int]) -> None:
    from transfer import quiet

    quiet.import_tensorflow()
    import tensorflow as tf

    from transfer.runs.graph_images import square_decoder

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where libtiff says what it thinks of each
    graph = square_decoder(SIZE, "crop")
    decoders = {
        "check_picture": check_picture,
        "read_fitted": lambda data: read_fitted(data, SIZE),
        "predict_bytes": lambda data: [each.numpy() for each in graph(tf.constant(data))],
    }
    for number in numbers:
        kind, data, how = corrupt(seed, number)
        faults = []
        for name, decoder in decoders.items():
            signal.alarm(SECONDS)
            try:
                decoder(data)
            except PictureError as error:
                faults += [f"{name} says more than a sentence"] if "\n" in str(error) else []
            except Exception as error:
                faults.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
            signal.alarm(0)
        _write(lines, Tried(kind, not faults, f"{number}, {how}: {'; '.join(faults)}" if faults else ""))


def corrupt(seed: int, number: int) -> tuple[str, bytes, str]:
    """(kind, bytes, what was done) of one picture: formats and ways to damage them take turns."""
    known = [key for key in FILES if key[0] != "AVIF" or features.check("avif")]
    form, mode = known[number % len(known)]
    rng = random.Random(f"{seed} {number}")
    options = rng.choice(FILES[form, mode])
    file = io.BytesIO()
    _picture(mode, rng.randrange(1, 60), rng.randrange(1, 60)).save(file, form, **options)
    name, how = list(_WAYS.items())[number // len(known) % len(_WAYS)]
    return f"a corrupt picture: {form}", how(file.getvalue(), rng), f"{form} {mode} {options}, {name}"


def _picture(mode: str, height: int, width: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([3 * x + y, 2 * y, x * y % 256], 2).astype(np.uint8)
    if mode == "I;16":
        return Image.fromarray((rgb[..., 0].astype(np.uint16) << 7) + 5)
    if mode == "F":
        return Image.fromarray(rgb[..., 0].astype(np.float32) / 3)
    return Image.fromarray(rgb).convert(mode)


def _flipped(data: bytes, rng: random.Random, times: int, before: int | None = None) -> bytes:
    changed = bytearray(data)
    for _ in range(times):
        changed[rng.randrange(min(before or len(changed), len(changed)))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _lying(data: bytes, rng: random.Random) -> bytes:
    """Put a large or odd number where the header may tell of a size, an offset or a count."""
    at = rng.randrange(min(len(data), 96))
    value = rng.choice((0, 1, 0x7FFF, 0xFFFF, 0x10000, 30_000, 0x7FFFFFFF, 0xFFFFFFFF))
    packed = struct.pack(rng.choice("<>") + "I", value)[rng.choice((0, 2)) :]
    return data[:at] + packed + data[at + len(packed) :]


def _spliced(data: bytes, rng: random.Random) -> bytes:
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    return rng.choice((data[:a] + data[b:], data[:b] + data[a:], data[:a] + rng.randbytes(b - a) + data[b:]))


_WAYS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "one bit": lambda data, rng: _flipped(data, rng, 1),
    "a bit of the header": lambda data, rng: _flipped(data, rng, 1, 64),
    "many bits": lambda data, rng: _flipped(data, rng, 40),
    "cut": lambda data, rng: data[: rng.randrange(len(data))],
    "a number of the header": _lying,
    "two numbers of the header": lambda data, rng: _lying(_lying(data, rng), rng),
    "a part gone, twice or random": _spliced,
    "zeros behind": lambda data, rng: data[: (at := rng.randrange(len(data)))] + bytes(len(data) - at),
}
