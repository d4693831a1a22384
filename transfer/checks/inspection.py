"""Every picture file read once: its digest, how it is stored, and what was measured on its pixels."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from transfer.cache import cache_folder
from transfer.checks.measures import Views, measure, views
from transfer.data.levels import agreed, half_clear, kind_of, measured, no_number
from transfer.data.picture_files import digest_of, opened_whole
from transfer.data.rgb import upright_rgb
from transfer.errors import PictureError
from transfer.kept_rows import KeptRows
from transfer.progress import bar

VERSION = 6  # of the measures: another one makes earlier records void
AT_ONCE = 512  # files looked at before their records are written, which is also what a stop loses
TOGETHER = 16  # files measured at once; a few large ones are shared out among the threads
JUST_NOW = 50_000_000  # nanoseconds: a file this fresh may change again without getting a new time
MOST_FRAMES = 1000  # pages of a TIFF that are counted
CAMERA, ORIENTATION, SAMPLES_PER_PIXEL = 0x0110, 0x0112, 277  # EXIF tags, and one of TIFF


class Inspection(NamedTuple):
    """What one file is. All but `digest` and `reason` is empty for a file that cannot be read.

    Attributes:
        digest: of its bytes, 32 hexadecimal digits.
        reason: why it is no picture, or "".
        size: bytes.
        width, height: pixels, upright.
        format: `JPEG`, `PNG`, ...
        mode: how Pillow names its samples as stored: `RGB`, `L`, `CMYK`, `I;16`, ...
        frames: number of pictures in the file; of the pages of a TIFF, 1000 at most are counted.
        turned: whether EXIF asks for another orientation than the stored one.
        camera: model, as EXIF names it, or "".
        kind, measured: of one of more than 8 bits, see `data.levels`.
        bands: how many a TIFF holds, of which no more than the first three or four are read.
        no_number: share of the pixels that are NaN or infinite, 0..1.
        half_clear: share of the pixels whose alpha is neither all nor nothing, 0..1.
        brightness, contrast, colour, flat, sharpness, detail, descriptor, miniature: see
            `measures.measure`.
    """

    digest: str
    reason: str = ""
    size: int = 0
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    frames: int = 0
    turned: bool = False
    camera: str = ""
    kind: str = ""
    measured: float = 0.0
    bands: int = 0
    no_number: float = 0.0
    half_clear: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    colour: float = 0.0
    flat: float = 0.0
    sharpness: float = 0.0
    detail: float = 0.0
    descriptor: bytes = b""
    miniature: bytes = b""


def inspect_files(paths: Sequence[Path], cache: bool = True) -> list[Inspection]:
    """Inspect files in parallel, and only those that changed since they were last inspected.

    Records are kept in the user's cache folder by path, size and times of change; a failure is not
    kept, because a disk or the memory may fail once.

    Args:
        paths: the files.
        cache: use and keep records.

    Returns:
        One `Inspection` a path, in order.
    """
    found: list[Inspection] = []
    workers = os.cpu_count() or 1
    bytes(2**24)  # glibc that has freed such a piece keeps smaller ones, where it returned each to the system before
    with (
        closing(_Records(cache)) as records,
        bar("check", len(paths)) as advance,
        ThreadPoolExecutor(workers) as pool,
    ):
        for start in range(0, len(paths), AT_ONCE):
            now = time.time_ns()
            states = {path: _state(path) for path in paths[start : start + AT_ONCE]}
            known = records.read(states.values())
            new = [path for path, state in states.items() if state not in known]
            advance(len(states) - len(new))
            fresh = {}
            size = max(1, min(TOGETHER, len(new) // workers))
            parts = [new[first : first + size] for first in range(0, len(new), size)]
            for part, inspections in zip(parts, pool.map(_inspected, parts)):
                fresh.update(zip((states[path] for path in part), inspections))
                advance(len(part))
            records.write({state: row for state, row in fresh.items() if _settled(state, now) and not row.reason})
            known |= fresh
            found += [known[states[path]] for path in paths[start : start + AT_ONCE]]
    return found


def _inspected(paths: Sequence[Path]) -> list[Inspection]:
    looks = [look_at(path) for path in paths]
    seen = [view for _, view in looks if view]
    measures = iter(measure(seen) if seen else ())
    return [file._replace(**next(measures)) if view else file for file, view in looks]


def look_at(path: Path) -> tuple[Inspection, Views | None]:
    """Read and decode one file: what it is, and what is to be measured; one that cannot be read gets the reason."""
    try:
        with opened_whole(path) as (data, image):
            # Many cameras put a preview or a depth map behind a JPEG.
            kind, frames = ("JPEG", 1) if image.format == "MPO" else (image.format, _frames(image))
            stored = dict(format=kind, mode=image.mode, frames=frames, **_values(image), **_exif(image))
            # Before the range of the data set is known, each by its own: what is in it shows at any range.
            own = agreed([(stored["kind"], stored["measured"])] if "kind" in stored else [])
            picture = upright_rgb(image, own)
            return Inspection(digest_of(data), "", len(data), *picture.size, **stored), views(picture)
    except PictureError as error:
        return Inspection("", str(error)), None


def _frames(image) -> int:
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1)
    try:
        for number in range(1, MOST_FRAMES):  # Pillow compares each page with all before it: minutes for 200,000
            image.seek(number)
        return MOST_FRAMES
    except (EOFError, OSError, SyntaxError, ValueError):
        return number  # behind the last page, or a damaged one: only the first counts
    finally:
        image.seek(0)


def _values(image) -> dict:
    kind, values = kind_of(image), {}
    if image.format == "TIFF":
        values["bands"] = int(image.tag_v2.get(SAMPLES_PER_PIXEL, 1))
    if image.mode in ("RGBA", "LA"):
        values["half_clear"] = half_clear(image)
    if kind:
        values |= {"kind": kind, "measured": measured(image), "no_number": no_number(image)}
    return values


def _exif(image) -> dict:
    try:
        tags = image.getexif()
        camera = str(tags.get(CAMERA, "")).strip("\0 ")
        return {"turned": tags.get(ORIENTATION, 1) in range(2, 9), "camera": camera}
    except Exception:  # damaged metadata raises every kind, and changes no pixel
        return {"turned": False, "camera": ""}


class _State(NamedTuple):
    """What changes when a file does."""

    path: str
    size: int
    modified: int
    changed: int


def _state(path: Path) -> _State:
    place = os.path.abspath(path)
    try:
        about = os.stat(place)
    except (OSError, ValueError):
        return _State(place, -1, 0, 0)
    return _State(place, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


def _settled(state: _State, now: int) -> bool:
    return state.size >= 0 and now - max(state.modified, state.changed) > JUST_NOW


class _Records:
    """Inspections by path in one file, void where the file's size or times differ."""

    def __init__(self, persistent: bool):
        place = cache_folder("inspections") / f"{VERSION}.sqlite" if persistent else None
        columns = ("bytes", *_State._fields[2:], *Inspection._fields)
        self._rows = KeptRows(place, columns)

    def read(self, states: Iterable[_State]) -> dict[_State, Inspection]:
        sought = {os.fsencode(state.path): state for state in states}
        known = {}
        for path, row in self._rows.read(sought).items():
            state, inspection = sought[path], Inspection(*row[3:])
            if row[:3] == state[1:]:
                known[state] = inspection._replace(turned=bool(inspection.turned))
        return known

    def write(self, rows: dict[_State, Inspection]) -> None:
        self._rows.write({os.fsencode(state.path): (*state[1:], *row) for state, row in rows.items()})

    def close(self) -> None:
        self._rows.close()
