"""A split that was written down, used again: that of a run, or a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from transfer.data.folders import LabelledImages
from transfer.data.part_names import PARTS, part_named
from transfer.data.places import kept_together
from transfer.data.splits import Split, as_split, leaks, require_training
from transfer.data.tables import read_by_name, some
from transfer.errors import DataError
from transfer.reading import run_config


def read_split(images: LabelledImages, written: str | Path) -> Split:
    """Put every picture into the part that was written down for it.

    A run tells its pictures by their content, so that they may have other names and places by now.
    Pictures that nothing was written of are left out, and a note says so; another one counts those
    that the split has on two sides.

    Args:
        images: from `load_images`.
        written: a run folder, its `config.json`, or a CSV with the columns `file,part`
            (`train`, `validation` or `test`), files named as below the root of DATA.

    Raises:
        ModelFileError: no run.
        DataError: no such table, it does not fit DATA, or a class has nothing to train on.
    """
    path = Path(written)
    if path.is_dir() or path.suffix == ".json":
        part, gone = _from_run(images, path)
    else:
        part, gone = _from_table(images, path), 0
    if not np.isin(part, PARTS).any():
        raise DataError(f"the split {written} tells of none of {len(images)} pictures of DATA; give one made for it")
    notes = leaks(kept_together(images.digests, images.groups), part)
    unknown = [images.names[i] for i in np.flatnonzero(part == "")]
    if unknown:
        notes.append(f"{len(unknown)} picture(s) are not in {written} and left out, {some(unknown)}")
    if gone:
        notes.append(f"{gone} picture(s) of {written} are not in DATA any more, or have changed")
    require_training(images.labels, part, images.class_names)
    return as_split(part, notes, "written", images.digests)


def _from_run(images: LabelledImages, path: Path) -> tuple[np.ndarray, int]:
    """(part of each picture or `""`, number of pictures of the run that are not there)."""
    named = {(name, row["digest"]): row["part"] for name, row in run_config(path)["files"].items()}
    by_content = {digest: part for (_, digest), part in named.items()}
    # The name counts where one content was in two parts, as in a given split that leaks.
    pictures = zip(images.names, images.digests)
    part = [named.get((name, digest), by_content.get(digest, "")) for name, digest in pictures]
    return np.array(part, "U10"), len(set(by_content) - set(images.digests))


def _from_table(images: LabelledImages, path: Path) -> np.ndarray:
    rows = read_by_name(path, ("file", "part"), (*images.names, *(name for name, _ in images.unreadable)))
    parts = {name: part_named(row["part"] or "") for name, row in rows.items()}
    for name, part in parts.items():
        if not part:
            raise DataError(f"the split {path} has the part {rows[name]['part']!r}; expected train, validation or test")
    return np.array([parts.get(name, "") for name in images.names], "U10")
