"""A run again: the same pictures in the same parts, the same options, and so the same figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from transfer.data.folders import LabelledImages, load_images
from transfer.data.tables import some
from transfer.data.written_splits import read_split
from transfer.errors import DataError, ModelFileError
from transfer.learning.backbone_argument import asked_for
from transfer.learning.histories import STOPPED
from transfer.learning.methods import train
from transfer.learning.options import options_of_run
from transfer.learning.results import Result
from transfer.libraries import versions
from transfer.reading import read_json, read_rows, run_config, trained_on
from transfer.settings import MAX_SIZE


def repeat_run(
    run: str | Path,
    data: str | Path | None = None,
    training: Callable[..., Result] = train,
    max_size: float = MAX_SIZE,
) -> Result:
    """Train once more as a run folder says, on the same split.

    On the same machine with the same versions the figures are the same to the last digit. Versions and
    a backbone that differ are named in the result's notes.

    Args:
        run: a run folder or its `config.json`; also one method of a comparison.
        data: where the pictures are by now; where they were by default.
        training: what trains, with the arguments of `train`.
        max_size: see `load_images`.

    Raises:
        DataError: the pictures are gone, or their classes are others.
        ModelFileError: no run, or one whose network was given in Python.
    """
    path = Path(run)
    config = run_config(path)
    options = config["options"]
    layers, asked = options.get("layers"), asked_for(options)
    if asked is None and layers is None:
        raise ModelFileError(
            f"{path} tells of the network {options['backbone']!r}, which was given in Python and cannot be made again; "
            "expected a run with a backbone that has a name or a file, or a list of layers"
        )
    images = _with_groups(load_images(data or trained_on(config), max_size=max_size), config)
    if list(images.class_names) != config["classes"]:
        raise DataError(
            f"{images.root} has the classes {', '.join(images.class_names)}; expected those of {path}, "
            f"{', '.join(config['classes'])}"
        )
    backbone, weights, features = asked or (None, None, None)
    result = training(
        images,
        read_split(images, path),
        backbone,
        options["method"],
        replace(options_of_run(options), weights=weights, features=features, layers=layers),
        labels={name: options[name] for name in ("backbone", "weights", "layers")} if layers else None,
    )
    result.notes += [
        *_stopped_by_hand(path), *_relabelled(images, config), *_other_backbone(options, result.options),
        *_other_versions(config["versions"]),
    ]  # fmt: skip
    return result


def _other_versions(then: dict[str, str]) -> list[str]:
    """One sentence a library that has another version now than it had then."""
    return [
        f"{name} is {now} here and was {then.get(name, 'missing')}: figures may differ"
        for name, now in versions().items()
        if then.get(name) != now
    ]


def _stopped_by_hand(run: Path) -> list[str]:
    """A sentence where the run ended before its time, which no option says."""
    folder = run if run.is_dir() else run.parent
    rows = read_rows(folder / "history.csv") if (folder / "history.csv").is_file() else [[]]
    notes = read_json(folder / "result.json").get("notes", []) if (folder / "result.json").is_file() else []
    if "stopped_by_hand" not in rows[0] and not any(STOPPED in note for note in notes):  # of folds there are no rows
        return []
    return ["the run was stopped by hand, and this one was not: figures may differ"]


def _relabelled(images: LabelledImages, config: dict) -> list[str]:
    """A sentence that names the pictures of the run that lie in another class by now."""
    classes: dict[str, set[str]] = {}
    for row in config["files"].values():
        classes.setdefault(row["digest"], set()).add(row["class"])
    now = zip(images.names, images.digests, images.labels)
    moved = [
        f"{name} (was {' and '.join(sorted(classes[digest]))})"
        for name, digest, label in now
        if digest in classes and images.class_names[label] not in classes[digest]
    ]
    said = f"{len(moved)} picture(s) have another class than in the run: {some(moved)}; figures may differ"
    return [said] if moved else []


def _other_backbone(then: dict, now: dict) -> list[str]:
    """A sentence where the file of the backbone or of its weights holds another network by now."""
    if then.get("fingerprint") in (None, now.get("fingerprint")):
        return []
    return [f"the backbone {now['backbone']} ({now['weights']}) has changed since the run: figures may differ"]


def _with_groups(images: LabelledImages, config: dict) -> LabelledImages:
    """Groups count in the intervals: a run has those that it was given."""
    rows = config["files"]
    if not any(row.get("group") for row in rows.values()):
        return images
    named = {(name, row["digest"]): row.get("group", "") for name, row in rows.items()}
    by_content = {digest: group for (_, digest), group in named.items()}
    # The name counts where one content is in two groups.
    pictures = zip(images.names, images.digests)
    groups = (named.get((name, digest), by_content.get(digest, "")) for name, digest in pictures)
    return replace(images, groups=tuple(groups))
