"""What a long command has made so far, kept on purpose when it is killed: a later one goes on from there.

It lies in the folder `NAME.unfinished` beside NAME. `rooms.sweep` removes rooms, which are called otherwise, and so
leaves it alone; but only who has claimed NAME may touch it, so that two commands never write into one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from transfer.errors import OutputError
from transfer.rooms import claim, final_place, reported

SUFFIX, ASKED = ".unfinished", "asked.json"


def unfinished_place(path: Path) -> Path:
    """The folder for what is not finished of a file."""
    target = final_place(path)
    return target.with_name(target.name + SUFFIX)


@contextmanager
def unfinished_folder(path: Path, asked: Mapping[str, object], resume: bool) -> Iterator[Path]:
    """Yield the folder in which a file is made bit by bit, with what a process before this one has left there.

    The folder outlives the block, however that ends: `discard` it when the file has its name.

    Args:
        path: of the file, which is claimed as long as the block lasts.
        asked: what the content follows from, in words and numbers by what they are called in a sentence.
        resume: keep what is there, which has to be of the same; otherwise the folder is made anew.

    Raises:
        OutputError: what is there follows from something else, or is none of ours; `path` is being written, or cannot
            be.
    """
    folder = unfinished_place(path)
    with reported(path), claim(path, tidy=False):
        if resume and (before := _asked_before(folder)) is not None:
            other = [name for name in asked if before.get(name) != asked[name]]
            if other:
                raise OutputError(
                    f"{folder} was begun with another {' and another '.join(other)}; give the same again, or delete it "
                    "to begin anew"
                )
        else:
            if folder.is_dir() and any(folder.iterdir()) and not (folder / ASKED).is_file():
                raise OutputError(f"{folder} has other files in it, where {path} is to be begun; name another file")
            discard(folder)
            folder.mkdir()
            (folder / ASKED).write_text(json.dumps(dict(asked)), encoding="utf-8")
        yield folder


def discard(folder: Path) -> None:
    """Delete an unfinished folder, if there is one; what tells that it is one goes last."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name != ASKED:
                path.unlink()
        shutil.rmtree(folder)


def _asked_before(folder: Path) -> dict | None:
    try:
        said = json.loads((folder / ASKED).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not begun, or killed in this moment
        return None
    return said if isinstance(said, dict) else None
