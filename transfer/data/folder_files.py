"""Which files of a folder count: what systems and network disks keep for themselves is hidden."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from transfer.data.picture_files import SUFFIXES, begins_like_a_picture

# Folders of macOS, Synology, QNAP, Windows, Linux and Python; names that begin with a dot are hidden as well.
HIDDEN = frozenset(
    {"__macosx", "@eadir", "@tmp", "@sharebin", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"}
    | {"$recycle.bin", "system volume information", "lost+found", "__pycache__"}
)
# Raw files of cameras, and other formats of pictures that are not read.
UNREAD = frozenset(
    {".3fr", ".arw", ".bpg", ".cr2", ".cr3", ".dcm", ".dng", ".exr", ".hdr", ".j2k", ".jp2", ".jxl", ".jxr", ".nef"}
    | {".nrw", ".orf", ".pcx", ".pef", ".pgm", ".pnm", ".ppm", ".psd", ".raf", ".raw", ".rw2", ".sr2", ".srw", ".svg"}
    | {".tga", ".wdp", ".x3f"}
)
SNIFFED = 3  # files of an unknown ending that are looked into


def is_hidden(name: str) -> bool:
    """Tell a file or folder that the system keeps for itself by its name."""
    return name.startswith(".") or name.lower() in HIDDEN


def is_picture(path: Path) -> bool:
    """Tell by its name alone whether a file is a picture that counts."""
    return path.suffix.lower() in SUFFIXES and not is_hidden(path.name)


def visible_folders(folder: Path) -> list[Path]:
    """The folders in a folder, without those that the system keeps for itself."""
    with os.scandir(folder) as entries:  # which knows folders without a question for each file, but not behind links
        names = [entry.name for entry in entries if entry.is_symlink() or entry.is_dir()]
    return sorted(path for name in names if not is_hidden(name) and (path := folder / name).is_dir())


def walk(folder: Path) -> Iterator[Path]:
    """All files below, links followed but not twice, and never to a folder that holds this one."""
    seen = {str(above) for above in folder.resolve().parents}
    for here, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield from (Path(here, name) for name in sorted(files))


def count_in_hidden_folders(root: Path) -> int:
    """How many files lie in hidden folders; those that cannot be read are no matter."""
    below = ((Path(here).relative_to(root).parts, files) for here, _, files in os.walk(root))
    return sum(len(files) for folders, files in below if any(map(is_hidden, folders)))


def count_by_ending(paths: Iterable[Path]) -> Counter[str]:
    """How many files have each ending, in small letters; `hidden` for those that are."""
    return Counter("hidden" if is_hidden(path.name) else path.suffix.lower() for path in paths)


def unread_pictures(paths: Iterable[Path]) -> Counter[str]:
    """Of files that do not count, by ending, those that are pictures after all.

    So are raw files of cameras and formats that are not read, by their endings; and those of any other ending,
    or of none, of which one of the first few begins like a picture.
    """
    by_ending: dict[str, list[Path]] = {}
    for path in paths:
        if not is_hidden(path.name):
            by_ending.setdefault(path.suffix.lower(), []).append(path)
    return Counter(
        {
            ending: len(files)
            for ending, files in by_ending.items()
            if ending in UNREAD or any(map(begins_like_a_picture, files[:SNIFFED]))
        }
    )


def _refuse(error: OSError) -> None:
    """A folder that cannot be read is no empty one, for which `os.walk` would take it."""
    raise error
