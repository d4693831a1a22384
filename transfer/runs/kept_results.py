"""A result waits in the cache until a run folder holds it: a full disk at the end costs no second training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from transfer.cache import discard, going_on_without, is_kept, kept_folder
from transfer.data.folders import LabelledImages
from transfer.data.picture_files import digest_of
from transfer.data.splits import Split
from transfer.data.tables import some
from transfer.errors import ExportError, ModelFileError, OutputError
from transfer.learning.checkpoints import until_kept
from transfer.learning.methods import train
from transfer.learning.options import TrainingOptions, options_from
from transfer.learning.results import Result
from transfer.runs import records


def keep(result: Result, place: Path) -> None:
    """Let a result wait at a place of `records.unfinished`; one that was stopped by hand does not.

    Nor does any where the cache cannot be written: the run itself may lie on a disk that has space.
    """
    result.unfinished = place
    if not result.stopped_by_hand:
        with going_on_without(), kept_folder(place) as partial:
            records.write_result(result, partial)


def take_up(place: Path, images: LabelledImages, split: Split) -> Result | None:
    """What waits at a place for the same pictures, if anything, and if it is whole."""
    if not is_kept(place):
        return None
    try:
        result = records.load_result(place, images, split)
    except ModelFileError:
        return None
    result.unfinished = place
    return result


def train_once(
    images: LabelledImages,
    split: Split,
    backbone: str | None = None,
    method: str = "frozen",
    options: TrainingOptions | None = None,
    **labels,
) -> Result:
    """Train, unless the same was trained before and is not saved yet.

    Args:
        images, split, method, options, labels: of `train`.
        backbone: a name or a file.
    """
    options = options_from(options, {})
    files = [name for name in (backbone, options.weights) if name and Path(name).is_file()]
    place = records.unfinished(
        "train", images.digest(), images.names, images.groups, split.digest(images.digests), backbone, method,
        asdict(options), labels,
        [digest_of(Path(name).read_bytes()) for name in files],
    )  # fmt: skip
    result = take_up(place, images, split)
    if result is None:
        with until_kept():
            result = train(images, split, backbone, method, options, **labels)
            keep(result, place)
    return result


@contextmanager
def until_saved(results: Iterable) -> Iterator[None]:
    """Forget what waits of some results when the block ends well; if it cannot write, tell how to go on.

    Args:
        results: each a `Result`, or something else that may have a place in `unfinished`.
    """
    known = dict.fromkeys(getattr(each, "unfinished", None) for each in results)
    places = [place for place in known if place and place.is_dir()]
    try:
        yield
    except (ExportError, OutputError) as error:
        if not places:
            raise
        raise type(error)(
            f"{error}; what was trained is kept ({some(map(str, places))}): the same command again goes on from there"
        ) from error
    for place in places:
        discard(place)
