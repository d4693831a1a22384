"""What is wrong with a folder in which no classes were found: the sentence that names the true cause."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from transfer.data.archives import is_archive
from transfer.data.folder_files import is_hidden, is_picture, unread_pictures, walk
from transfer.data.picture_files import SUFFIXES
from transfer.data.tables import Entry, some
from transfer.errors import DataError

MOST_WORDS = 50  # words that file names begin with; more of them are no classes
WRITE_TABLE = "or write a table with the columns file,label"


def no_classes(data: str | Path, folders: Sequence[Path]) -> DataError:
    """The error for a folder without pictures in class folders (to be raised).

    Args:
        data: what the user gave.
        folders: those in which class folders were expected.
    """
    files = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
    files = [path for path in files if not is_hidden(path.name)]
    pictures = list(filter(is_picture, files))
    archives = list(filter(is_archive, files))
    unread = unread_pictures(path for folder in folders for path in walk(folder) if not is_picture(path))
    if not any(any(folder.iterdir()) for folder in folders):
        return DataError(f"{data} is empty; expected one folder of pictures for each class")
    if pictures:
        hint = said_by_names(path.name for path in pictures)
        hint = hint or f"; expected one folder of pictures for each class{_columns(files) or f', {WRITE_TABLE}'}"
        return DataError(f"{data} holds {len(pictures):,} picture(s) but no folders of classes{hint}")
    if archives:
        listed = some(path.name for path in archives)
        return DataError(f"{data} holds the archive(s) {listed}; unpack what is inside, or give one of them as DATA")
    if unread:
        listed = some(f"{count:,} {ending or 'without an ending'}" for ending, count in unread.most_common())
        return DataError(
            f"{data} holds pictures that are not read ({listed}); "
            f"convert them, or give them their own ending: known are {', '.join(sorted(SUFFIXES))}"
        )
    return DataError(
        f"{data} holds no pictures in class folders{_columns(files)}; known are {', '.join(sorted(SUFFIXES))}"
    )


def said_by_names(names: Iterable[str]) -> str:
    """The end of a sentence on pictures whose classes stand in their names, such as `cat.0.jpg`; else `""`."""
    found = (re.match(r"[^\W\d_]+(?:[ _-][^\W\d_]+)*", PurePath(name).name) for name in names)
    words = Counter(match[0] if match else "" for match in found)
    if not 2 <= len(words) <= MOST_WORDS or "" in words or min(words.values()) < 2:
        return ""
    listed = some(f"{word} ({count:,})" for word, count in words.most_common())
    return f"; the file names begin with {listed}: move each kind into a folder of its own, {WRITE_TABLE}"


def said_by_folders(entries: Sequence[Entry]) -> str:
    """The end of a sentence on a single class whose pictures all lie in folders inside it; else `""`."""
    inside: set[str] = set()
    for entry in entries:
        _, found, below = f"/{entry.name}".partition(f"/{entry.label}/")
        inside.add(below.partition("/")[0] if found and "/" in below else "")
    if len(inside) < 2 or "" in inside:
        return ""
    return f"; if the folders in it ({some(sorted(inside))}) are the classes, give it as DATA"


def _columns(files: Iterable[Path]) -> str:
    """What is wrong with the first CSV among some files: tables are known by their columns."""
    for path in files:
        if path.suffix.lower() == ".csv":
            with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
                columns = next(csv.reader(file), [])
            return (
                f"; {path.name} has the columns {', '.join(columns) or 'nothing'}, "
                "where a table of pictures has file and label: rename them"
            )
    return ""
