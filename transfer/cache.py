"""The folder for things that can be made again: features, inspections, near duplicates, networks for
other engines, unpacked archives.

What is kept in it is known again by its digest and made again where it is damaged. A cache that cannot be written
costs nothing but time: all goes on without, with one note.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from transfer.errors import OutputError, unknown_name
from transfer.progress import console
from transfer.rooms import claim, reported, sweep
from transfer.writing import whole_file, whole_folder

# What lies in each folder of the cache, by its name: `clear` deletes nothing else, wherever TRANSFER_CACHE leads.
KINDS = {
    "features": r"[0-9a-f]{32}-.+\.sqlite(-journal)?",
    "inspections": r"\d+\.sqlite(-journal)?",
    "pairs": r"[0-9a-f]{32}",
    "archives": r"[0-9a-f]{32}",
    "downloads": r"[0-9a-f]{16}",
    "engines": r"[0-9a-f]{32}",
    "unfinished": r"[0-9a-f]{32}",
    "checkpoints": r"[0-9a-f]{32}",
}
MANIFEST = ".kept-by-transfer.json"  # of a folder: size and time of each file in it
DIGEST = 16  # bytes
_told: set[Path] = set()  # caches of which was said that they cannot be used


def cache_folder(*below: str) -> Path:
    """A folder in the user's cache, which may not be there yet; `TRANSFER_CACHE` moves it elsewhere."""
    root = os.environ.get("TRANSFER_CACHE") or platformdirs.user_cache_dir("transfer", appauthor=False)
    return Path(root, *below)


def _digest_of_kept(content: bytes) -> bytes:
    """16 bytes by which something kept is known to be whole."""
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


def keep_content(place: Path, content: bytes) -> None:
    """Keep something in a file of the cache, behind its digest, where the cache can be written."""
    with going_on_without(), whole_file(place) as partial:
        partial.write_bytes(_digest_of_kept(content) + content)


def kept_content(place: Path) -> bytes | None:
    """What `keep_content` has kept; `None` where there is nothing, or where it is damaged."""
    sweep(place.parent)
    try:
        said = place.read_bytes()
    except OSError:
        return None
    digest, content = said[:DIGEST], said[DIGEST:]
    return content if digest == _digest_of_kept(content) else None


def made_folder(place: Path, make: Callable[[Path], None]) -> Path:
    """A folder of the cache, made where it is not there or is damaged; another process that makes it is waited for.

    Where the cache cannot be written, it is one that lasts as long as this process.

    Args:
        place: in the cache.
        make: fills the empty folder that it is given.

    Raises:
        OutputError: the temporary folder cannot be written either.
    """
    with going_on_without():
        if is_kept(place):
            return place
        with claim(place, wait=True):
            if not is_kept(place):
                with kept_folder(place) as partial:
                    make(partial)
            return place
    elsewhere = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
    with reported(elsewhere):
        make(elsewhere)
    return elsewhere


@contextmanager
def kept_folder(place: Path) -> Iterator[Path]:
    """Yield a fresh folder that is kept in the cache when the block ends well; what lies there is replaced.

    Raises:
        OutputError: it cannot be written, or another process is writing it.
    """
    known_by = (MANIFEST,) if (place / MANIFEST).is_file() else ()
    if place.exists() and not known_by:
        shutil.rmtree(place, ignore_errors=True)  # without it, nothing tells what is missing
    with whole_folder(place, bool(known_by), known_by) as partial:
        yield partial
        (partial / MANIFEST).write_text(json.dumps(_states(partial)), encoding="utf-8")


def is_kept(place: Path) -> bool:
    """Whether a folder is there as `kept_folder` has written it: the same files, by their size and time."""
    sweep(place.parent)
    with suppress(OSError, ValueError):
        return json.loads((place / MANIFEST).read_text(encoding="utf-8")) == _states(place)
    return False


def discard(place: Path) -> None:
    """Delete a folder of the cache, which is there whole or not at all at any moment."""
    with suppress(OSError, OutputError), claim(place) as room:
        os.replace(place, room / "discarded")


def _states(folder: Path) -> dict[str, list[int]]:
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir() and path != folder / MANIFEST)
    about = {path.relative_to(folder).as_posix(): path.lstat() for path in paths}
    # A name that is no UTF-8 cannot be written as it is.
    return {name.encode("utf-8", "backslashreplace").decode(): [a.st_size, a.st_mtime_ns] for name, a in about.items()}


@contextmanager
def going_on_without() -> Iterator[None]:
    """Go on where the cache cannot be written, and say so once."""
    try:
        yield
    except OutputError as error:
        tell_unusable(error.__cause__ or error)


def tell_unusable(error: BaseException) -> None:
    """Say on standard error that the cache cannot be used, once."""
    folder, reason = cache_folder(), getattr(error, "strerror", None) or error
    if folder not in _told:
        _told.add(folder)
        console.print(
            f"note: the cache in {folder} cannot be used ({reason}): what is computed is not kept; free space, or set "
            "TRANSFER_CACHE",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def kept(kind: str) -> list[Path]:
    """The files and folders of one of `KINDS`."""
    folder = cache_folder(kind)
    sweep(folder)
    inside = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in inside if re.fullmatch(KINDS[kind], path.name))


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum(Path(folder, name).lstat().st_size for folder, _, names in os.walk(path) for name in names)


def clear(kinds: Sequence[str]) -> None:
    """Delete what is kept of some of `KINDS`: it is made again where it is needed.

    Raises:
        UnknownNameError: no such kind; nothing has been deleted then.
        OutputError: something cannot be deleted.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise unknown_name("kind of cache", kind, KINDS)
    for path in (path for kind in kinds for path in kept(kind)):
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise OutputError(f"{path} cannot be deleted ({error.strerror}); delete it by hand") from error
