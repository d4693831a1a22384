"""Pictures copied into folders by what a network named them."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path, PurePosixPath

from transfer.errors import OptionError, OutputError
from transfer.free_places import check_folder
from transfer.rooms import claim, sweep
from transfer.runs.prediction import Prediction
from transfer.writing import sync, whole_file

NOT_SURE = "not sure"  # the folder of those that got no class


def sort_into(rows: Iterable[Prediction], folder: str | Path) -> dict[str, int]:
    """Copy files into `folder/CLASS/NAME`, and those without a class into `folder/not sure/NAME`.

    Nothing is replaced: where another picture has the name, `-2` and so on is put behind it, and a picture that
    is there already is not copied again. What could not be read is left out.

    Args:
        rows: from `predict`, of files, or from `iter_predictions`, which then are copied as they come.
        folder: made where it is missing.

    Returns:
        How many were `copied`, and how many `already_there`.

    Raises:
        OptionError: a class that cannot be the name of a folder.
        OutputError: `folder` cannot be written, or another process sorts into it.
    """
    folder, done = Path(folder), {"copied": 0, "already_there": 0}
    check_folder(folder)
    names, labels = set(), set()
    with claim(folder):
        for row in (row for row in rows if not row.error):
            _check_names(row.probabilities.keys() - names)
            names |= row.probabilities.keys()
            if row.label not in labels:
                labels.add(row.label)
                sweep(folder / (row.label or NOT_SURE))
            source = Path(row.file)
            target = next(
                path
                for path in _places(folder / (row.label or NOT_SURE) / source.name)
                if not path.exists() or filecmp.cmp(source, path, shallow=False)
            )
            done["already_there" if target.exists() else "copied"] += 1
            if not target.exists():
                with whole_file(target, synced=False) as partial:
                    shutil.copy2(source, partial)
        if folder.exists():
            sync(folder)
    return done


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if PurePosixPath(name).name != name or "\\" in name or name.startswith(".") or name == NOT_SURE:
            raise OptionError(f"the class {name!r} cannot be the name of a folder; leave `sort_into` away")


def check_sorted_apart(folder: Path, pictures: Sequence[str]) -> None:
    """Find out before any work whether the copies would be among the pictures of the next call.

    Args:
        folder: for `sort_into`.
        pictures: files, folders and patterns, see `predict`.

    Raises:
        OutputError: they would.
    """
    for item in pictures:
        # Below the first `**` of a pattern everything is looked through, as below a folder.
        searched = Path(item) if Path(item).is_dir() else Path(item.partition("**")[0] or ".") if "**" in item else None
        if searched is not None and folder.resolve().is_relative_to(searched.resolve()):
            raise OutputError(
                f"{folder} lies in {item}, so that its copies would be read as pictures the next time; name a place "
                "elsewhere"
            )


def _places(path: Path) -> Iterator[Path]:
    """A file's name, and the names it gets where that is taken."""
    return chain([path], (path.with_stem(f"{path.stem}-{number}") for number in count(2)))
