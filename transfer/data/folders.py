"""From DATA (folder, table, archive or address) to a list of labelled pictures."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer.data.levels import Levels, agreed, measured
from transfer.data.listing import Listing, is_address, list_pictures
from transfer.data.name_groups import resolve_groups
from transfer.data.no_classes import said_by_folders, said_by_names
from transfer.data.picture_files import digest_of, opened, picture_size, read_whole
from transfer.data.tables import composed, some
from transfer.errors import DataError, PictureError
from transfer.settings import MAX_SIZE


class Looked(NamedTuple):
    """What a look at one file tells.

    Attributes:
        digest: of its bytes.
        reason: why it is no picture, or `""`.
        kind, measured: of one of more than 8 bits, see `data.levels`.
    """

    digest: str
    reason: str = ""
    kind: str = ""
    measured: float = 0.0


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
        data: what `load_images` was given, as an address or an absolute path.
        unreadable: (name, reason) of the files left out.
        others: how many other files there are by ending, such as `(".txt", 12)`; `hidden` for those that are.
        unread: of them, those that are pictures of a kind that is not read, or under another name.
        empty: class folders without a single file named like a picture.
        outside: number of pictures that belong to no class: beside the class folders, or not in the table.
        table: name of the table in the folder that was read by it, or `""`.
        levels: what values of more than 8 bits become, one rule for all pictures, see `data.levels`; empty where there
            are none.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    digests: tuple[str, ...]
    groups: tuple[str, ...] | None
    given: tuple[str, ...]
    root: Path
    data: str = ""
    unreadable: tuple[tuple[str, str], ...] = ()
    others: tuple[tuple[str, int], ...] = ()
    unread: tuple[tuple[str, int], ...] = ()
    empty: tuple[str, ...] = ()
    outside: int = 0
    table: str = ""
    levels: Levels = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        grouped = "" if self.groups is None else f", {len(set(self.groups) - {''})} groups"
        left_out = f", {len(self.unreadable)} unreadable" if self.unreadable else ""
        counts = some(f"{name}: {number}" for name, number in self.counts().items())
        return f"LabelledImages({len(self)} pictures, {counts}{grouped}{left_out}, root={str(self.root)!r})"

    @property
    def ignored(self) -> int:
        """Number of other files: hidden, or not named like a picture."""
        return sum(count for _, count in self.others)

    def counts(self) -> dict[str, int]:
        """Number of pictures of each class."""
        return dict(zip(self.class_names, np.bincount(self.labels, minlength=len(self.class_names)).tolist()))

    def groups_of(self, indices: np.ndarray) -> np.ndarray | None:
        """The group names of some pictures, `""` for none; `None` where the data has no groups."""
        return None if self.groups is None else np.array(self.groups)[indices]

    def class_depth(self, index: int) -> int:
        """How many folders of a picture's name lead into that of its class; 0 where it lies in none (a table)."""
        folders = self.names[index].split("/")[:-1]
        label = self.class_names[self.labels[index]]
        return next((depth for depth, folder in enumerate(folders, start=1) if composed(folder) == label), 0)

    def typical_side(self, most: int = 200) -> int:
        """Median of the shorter sides in pixels, of at most `most` pictures spread over the set."""
        sides = [min(size) for size in map(_size, spread(self.paths, most)) if size]
        if not sides:
            raise DataError(f"{self.data}: its files cannot be read any more; look whether the disk is still there")
        return round(float(np.median(sides)))

    def digest(self) -> str:
        """One digest of all pictures and labels, whatever their names and order."""
        rows = sorted(f"{digest} {self.class_names[label]}" for digest, label in zip(self.digests, self.labels))
        return hashlib.blake2b("\n".join(rows).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def spread(paths: Sequence[Path], most: int) -> list[Path]:
    """At most so many of them, from the first to the last: in order of names, neighbours are of one class."""
    steps = np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int)
    return [paths[i] for i in steps]


def load_images(
    data: str | Path,
    groups: str | Path | None = None,
    *,
    lenient: bool = False,
    look: Callable[[Sequence[Path]], Sequence[Looked]] | None = None,
    max_size: float = MAX_SIZE,
) -> LabelledImages:
    """List the labelled pictures of DATA, with a digest of each file's bytes.

    Args:
        data: a folder `class/picture`; a folder with `train/`, `val/` or `validation/`, `test/` of
            such folders; a CSV with the columns `file,label[,group][,split]`; a zip or tar archive of
            any of these; an `https://` address of such an archive.
        groups: a CSV with the columns `file,group`, files named as below the root of DATA; `"auto"` for
            those that the file names show, see `name_groups.propose_groups`; or a regular expression
            whose brackets hold the group, such as `"([^_]+)_"`.
        lenient: take a single class and classes of one picture too: to look at, not to learn from.
        look: files to what a look at each tells, instead of reading them here.
        max_size: GB that an archive may unpack to.

    Raises:
        DataError: nothing that can be learned from, and why.
    """
    if not isinstance(data, (str, Path)):
        kind = type(data).__name__
        raise DataError(f"DATA is of type {kind}; expected the path of a folder, CSV or archive, or an address")
    listing = list_pictures(data, max_size)
    images = _read(listing, data, look or _look_at_all, lenient)
    if groups is not None:
        unreadable = [name for name, _ in images.unreadable]
        images = replace(images, groups=resolve_groups(str(groups), images.names, images.labels, unreadable))
    group, *others = set(images.groups or [""])
    if group and not others and not lenient:
        raise DataError(
            f"{data}: all {len(images)} pictures are in the single group {group!r}, so that none can be kept apart; "
            "expected two or more groups, or none"
        )
    return images


def _read(listing: Listing, data: str | Path, look: Callable, lenient: bool) -> LabelledImages:
    entries = listing.entries
    looked = look([entry.path for entry in entries])
    good = [(entry, file.digest) for entry, file in zip(entries, looked) if not file.reason]
    unreadable = tuple((entry.name, file.reason) for entry, file in zip(entries, looked) if file.reason)
    if not good:
        raise DataError(f"{data}: none of {len(entries)} files can be read, {some(f'{n} {r}' for n, r in unreadable)}")
    counts = Counter(entry.label for entry, _ in good)
    names = sorted(counts)
    if len(names) < 2 and not lenient:
        hint = said_by_folders([entry for entry, _ in good]) or said_by_names(entry.name for entry, _ in good)
        hint = hint or "; expected two or more folders of pictures"
        raise DataError(f"{data} has the single class {names[0]!r}{hint}")
    lonely = [name for name in names if counts[name] < 2]
    if lonely and not lenient:
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
        root=listing.root,
        data=str(data if is_address(data) else Path(data).resolve()),
        unreadable=unreadable,
        others=listing.others,
        unread=listing.unread,
        empty=listing.empty,
        outside=listing.outside,
        table=listing.table,
        levels=agreed((file.kind, file.measured) for file in looked if file.kind),
    )


def _size(path: Path) -> tuple[int, int] | None:
    try:
        return picture_size(path)
    except PictureError:
        return None  # it has gone since, which whoever reads it will say


def _look_at_all(paths: Sequence[Path]) -> list[Looked]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_look, paths))


def _look(path: Path) -> Looked:
    try:
        data, kind = read_whole(path)
        if not kind:
            return Looked(digest_of(data))
        with opened(data) as image:
            return Looked(digest_of(data), "", kind, measured(image))
    except PictureError as error:
        return Looked("", str(error))
