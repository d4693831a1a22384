"""From DATA (folder, table, archive or address) to a list of labelled pictures."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from transfer.archives import fetch, is_archive, unpack
from transfer.errors import DataError, OptionError, PictureError
from transfer.images import SUFFIXES, check_picture, picture_size
from transfer.name_groups import resolve_groups
from transfer.splits import Split, split_by_content
from transfer.tables import PART_NAMES, Entry, is_table, read_table, some


@dataclass(frozen=True)
class LabelledImages:
    """Labelled picture files, sorted by name. Nothing is decoded yet.

    Attributes:
        paths: the files, N of them.
        names: their names below the root, with `/` on every system.
        labels: `(N,)` int32 indices into `class_names`.
        class_names: sorted.
        digests: of each file's bytes, 32 hexadecimal digits.
        groups: a name for each file whose group is kept on one side of the split, or `None`.
        given: the part each file's folder or row names (`train`, `validation`, `test`) or `""`.
        root: the folder that `names` start from.
        unreadable: (name, reason) of the files left out.
        ignored: number of other files: hidden, or not named like a picture.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    digests: tuple[str, ...]
    groups: tuple[str, ...] | None
    given: tuple[str, ...]
    root: Path
    unreadable: tuple[tuple[str, str], ...] = ()
    ignored: int = 0

    def __len__(self) -> int:
        return len(self.paths)

    def counts(self) -> dict[str, int]:
        """Number of pictures of each class."""
        return dict(zip(self.class_names, np.bincount(self.labels, minlength=len(self.class_names)).tolist()))

    def groups_of(self, indices: np.ndarray) -> np.ndarray | None:
        """The group names of some pictures, `""` for none; `None` where the data has no groups."""
        return None if self.groups is None else np.array(self.groups)[indices]

    def typical_side(self, most: int = 200) -> int:
        """Median of the shorter sides in pixels, of at most `most` pictures spread over the set."""
        steps = np.linspace(0, len(self) - 1, min(most, len(self))).astype(int)
        return round(float(np.median([min(picture_size(self.paths[i])) for i in steps])))

    def digest(self) -> str:
        """One digest of all pictures and labels, whatever their names and order."""
        rows = sorted(f"{digest} {self.class_names[label]}" for digest, label in zip(self.digests, self.labels))
        return hashlib.blake2b("\n".join(rows).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def load_images(data: str | Path, groups: str | Path | None = None) -> LabelledImages:
    """List the labelled pictures of DATA, with a digest of each file's bytes.

    Args:
        data: a folder `class/picture`; a folder with `train/`, `val/` or `validation/`, `test/` of
            such folders; a CSV with the columns `file,label[,group][,split]`; a zip or tar archive of
            any of these; an `https://` address of such an archive.
        groups: a CSV with the columns `file,group`, files named as below the root of DATA; `"auto"` for
            those that the file names show, see `name_groups.propose_groups`; or a regular expression
            whose brackets hold the group, such as `"([^_]+)_"`.

    Raises:
        DataError: nothing that can be learned from, and why.
    """
    source = fetch(str(data)) if str(data).startswith(("https://", "http://")) else Path(data)
    if not source.exists():
        raise DataError(f"{data} does not exist; expected a folder of class folders, a CSV or an archive")
    if is_archive(source):
        source = unpack(source)
    try:
        entries, ignored, root = _entries(source, data)
    except OSError as error:
        raise DataError(f"{data} cannot be read ({error.strerror}: {error.filename}); allow reading it") from error
    images = _read(sorted(entries, key=lambda entry: entry.name), ignored, data, root.resolve())
    if groups is None:
        return images
    unreadable = [name for name, _ in images.unreadable]
    return replace(images, groups=resolve_groups(str(groups), images.names, images.labels, unreadable))


def split(images: LabelledImages, seed: int = 0, validation: float = 0.15, test: float = 0.2) -> Split:
    """Divide pictures into training, validation and test parts by their content and groups.

    Parts that the folders of DATA name are kept; see `splits.split_by_content` for the rule.
    """
    return split_by_content(
        images.digests, images.labels, images.class_names, images.groups, images.given, seed, validation, test
    )


def folds(images: LabelledImages, k: int = 5, seed: int = 0, repeats: int = 1, validation: float = 0.15) -> list[Split]:
    """Divide pictures `repeats` times into k folds, each of them the test part of one of the splits.

    See `folding.folds_by_content` for the rule. Parts that the folders of DATA name leave nothing to divide.

    Raises:
        OptionError: more folds than there are groups, or DATA names its test part.
    """
    if {"validation", "test"} & set(images.given):
        raise OptionError(
            "folds of DATA that names its own validation or test part; leave --folds away, or give train/ alone"
        )
    from transfer.folding import folds_by_content  # scikit-learn takes a second to import

    return folds_by_content(
        images.digests, images.labels, images.class_names, images.groups, k, seed, repeats, validation
    )


def _entries(source: Path, data: str | Path) -> tuple[list[Entry], int, Path]:
    """(entries, number of other files, the folder that names start from)."""
    if source.is_file() and source.suffix.lower() == ".csv":
        return read_table(source), 0, source.parent
    if source.is_file():
        raise DataError(f"{data} is a file; expected a folder of class folders, a .csv, .zip, .tar or .tar.gz")
    root, table = _descend(source)
    if table:
        return read_table(table), 0, root
    return *_from_folder(root, data), root


def _visible_folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__MACOSX")))


def _descend(folder: Path) -> tuple[Path, Path | None]:
    """Step into the only folder of a folder while that holds folders: archives often wrap what they hold."""
    while True:
        tables = sorted(p for p in folder.glob("*.csv") if p.is_file() and not p.name.startswith("."))
        inner = _visible_folders(folder)
        for table in filter(is_table, tables):
            return folder, table
        if len(inner) != 1 or not _visible_folders(inner[0]) or inner[0].is_symlink():
            return folder, None
        folder = inner[0]


def _from_folder(root: Path, data: str | Path) -> tuple[list[Entry], int]:
    inner = _visible_folders(root)
    if not any(root.iterdir()):
        raise DataError(f"{data} is empty; expected one folder of pictures for each class")
    if not inner:
        raise DataError(f"{data} holds no folders; expected one folder of pictures for each class")
    parts = [p for p in inner if p.name.lower() in PART_NAMES]
    found = {PART_NAMES[p.name.lower()] for p in parts}
    by_part = len(parts) == len(inner)
    if by_part and "train" not in found:
        raise DataError(f"{data} has the parts {', '.join(p.name for p in inner)} but no train/; add it or rename them")
    if "train" in found and len(found) > 1 and not by_part:
        others = some(p.name for p in inner if p not in parts)
        raise DataError(f"{data} has train/ and other parts, but also {others}; move what is no part elsewhere")
    entries, ignored = [], sum(p.is_file() for p in root.iterdir())
    for part in inner if by_part else [root]:
        given = PART_NAMES[part.name.lower()] if by_part else ""
        ignored += sum(p.is_file() for p in part.iterdir()) if by_part else 0
        for folder in _visible_folders(part):
            for path in _walk(folder):
                if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
                    entries.append(Entry(path, path.relative_to(root).as_posix(), folder.name, given=given))
                else:
                    ignored += 1
    return entries, ignored


def _walk(folder: Path) -> Iterator[Path]:
    """All files below, links followed but not twice, and never to a folder that holds this one."""
    seen = {str(above) for above in folder.resolve().parents}
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(here, name) for name in sorted(files))


def _read(entries: Sequence[Entry], ignored: int, data: str | Path, root: Path) -> LabelledImages:
    if not entries:
        raise DataError(f"{data} holds no pictures in class folders; known are {', '.join(sorted(SUFFIXES))}")
    with ThreadPoolExecutor() as pool:
        looked = list(pool.map(_look, (entry.path for entry in entries)))
    good = [(entry, digest) for entry, (digest, reason) in zip(entries, looked) if not reason]
    unreadable = tuple((entry.name, reason) for entry, (_, reason) in zip(entries, looked) if reason)
    if not good:
        raise DataError(f"{data}: none of {len(entries)} files can be read, {some(f'{n} {r}' for n, r in unreadable)}")
    counts = Counter(entry.label for entry, _ in good)
    names = sorted(counts)
    if len(names) < 2:
        raise DataError(f"{data} has the single class {names[0]!r}; expected two or more folders of pictures")
    lonely = [name for name in names if counts[name] < 2]
    if lonely:
        raise DataError(
            f"{data}: class {lonely[0]!r} has one picture; every class needs two or more, one of them for testing"
        )
    index = {name: label for label, name in enumerate(names)}
    with_groups = any(entry.group for entry, _ in good)
    return LabelledImages(
        paths=tuple(entry.path for entry, _ in good),
        names=tuple(entry.name for entry, _ in good),
        labels=np.array([index[entry.label] for entry, _ in good], np.int32),
        class_names=tuple(names),
        digests=tuple(digest for _, digest in good),
        groups=tuple(entry.group for entry, _ in good) if with_groups else None,
        given=tuple(entry.given for entry, _ in good),
        root=root,
        unreadable=unreadable,
        ignored=ignored,
    )


def _look(path: Path) -> tuple[str, str]:
    """(digest, reason why it is no picture) of a file."""
    try:
        if path.exists() and not path.is_file():
            return "", "is no file"  # a folder, or a pipe that would be waited for
        data = path.read_bytes()
        check_picture(data)
    except PictureError as error:
        return "", str(error)
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"
    return hashlib.blake2b(data, digest_size=16).hexdigest(), ""
