"""Training pictures as a network will see them, as a self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from transfer import settings
from transfer.checks.mirrored import mirrored_note
from transfer.data.augmentation import change_of
from transfer.data.folders import LabelledImages
from transfer.data.image_splits import check_split
from transfer.data.pipeline import Pictures
from transfer.data.splits import Split
from transfer.errors import UnreadablePictures
from transfer.learning.backbone_default import default_backbone
from transfer.learning.mixing import MIXES
from transfer.learning.options import TrainingOptions
from transfer.names import AUGMENTS, check_augmented
from transfer.pages.drawing import data_address
from transfer.pages.rendering import render
from transfer.writing import whole_file

PAGE = "augmented.html"
MOST_CLASSES = 12  # of more, evenly spread ones are shown
# Quality of the pictures, 0..100, by how many the page has at most, so that it stays below some MB.
QUALITIES = ((200, 90), (600, 75), (float("inf"), 50))
_SCHEDULES = {"finetune": settings.finetune_schedule, "scratch": settings.scratch_schedule}


def write_augmented_page(
    images: LabelledImages,
    split: Split,
    page: str | Path,
    method: str = "finetune",
    options: TrainingOptions | None = None,
    presets: Sequence[str] = AUGMENTS[1:],
    a_class: int = 2,
    draws: int = 5,
) -> list[str]:
    """Write a page of training pictures, each beside what random changes make of it.

    Args:
        images: from `load_images`.
        split: from `split`; its training part is shown.
        page: the file to write.
        method: `finetune` or `scratch`, whose crops differ.
        options: `image_size`, `fit`, `seed`, `flip` and `mix` of them.
        presets: rows of `augmentation.PRESETS`.
        a_class: pictures of each class.
        draws: changes of each picture.

    Returns:
        What the user should know, one sentence each.

    Raises:
        UnknownNameError: another method.
    """
    check_augmented(method)
    check_split(images, split)
    options = options or TrainingOptions()
    pictures = Pictures(images, _size(images, method, options), options.fit, keep=True)
    may_flip = options.flip and set(presets) != {"none"}
    split, chosen, pixels, mirrored, notes = _readable(images, pictures, split, a_class, may_flip)
    notes += [f"{mirrored}: no random flips"] if mirrored else []
    flip = options.flip and not mirrored
    smallest = _SCHEDULES[method](len(split.train)).smallest_crop
    drawn = {preset: _draws(pixels, preset, smallest, flip, options, draws) for preset in presets}
    count = len(pixels) * sum(1 + len(rows) for rows in drawn.values())
    quality = next(quality for most, quality in QUALITIES if count <= most)
    originals = [data_address(each, quality) for each in pixels]
    number = f"{len(pixels)} of {len(split.train):,} training pictures"
    values = {
        "title": f"Training pictures of {Path(images.data).name}, changed at random",
        "about": f"{number} at {pictures.size} px, as {method} sees them",
        "notes": notes,
        "smallest": smallest,
        "flip": flip,
        "mix": options.mix,
        "asked": [
            {"label": images.class_names[images.labels[index]], "file": images.names[index], "address": address}
            for index, address in zip(chosen, originals)
        ],
        "presets": {
            preset: [[(data_address(each, quality), words) for each, words in row] for row in zip(*rows)]
            for preset, rows in drawn.items()
        },
    }
    with whole_file(Path(page)) as partial:
        partial.write_text(render(PAGE, **values), encoding="utf-8", errors="backslashreplace")
    return notes


def _size(images: LabelledImages, method: str, options: TrainingOptions) -> int:
    if options.image_size is not None:
        return options.image_size
    return settings.scratch_size(images.typical_side()) if method == "scratch" else default_backbone(images)[1]


def _readable(
    images: LabelledImages, pictures: Pictures, split: Split, a_class: int, may_flip: bool
) -> tuple[Split, np.ndarray, np.ndarray, str, list[str]]:
    """The split without what cannot be read; positions and pixels of some pictures; what mirroring mixes up; notes."""
    notes = []
    while True:
        chosen = _some_of_each_class(images, split.train, a_class)
        try:
            pixels = pictures.array(chosen)
            return split, chosen, pixels, mirrored_note(pictures, split.train) if may_flip else "", notes
        except UnreadablePictures as error:
            split = split.without(error.positions)
            notes.append(error.note)


def _some_of_each_class(images: LabelledImages, indices: np.ndarray, number: int) -> np.ndarray:
    """Pictures from the first to the last of each class, class by class."""
    labels = np.unique(images.labels[indices])
    shown = labels[np.linspace(0, len(labels) - 1, min(MOST_CLASSES, len(labels))).astype(int)]
    of_class = [indices[images.labels[indices] == label] for label in shown]
    return np.concatenate(
        [mine[np.linspace(0, len(mine) - 1, min(number, len(mine))).astype(int)] for mine in of_class]
    )


def _draws(
    pixels: np.ndarray, preset: str, smallest: float, flip: bool, options: TrainingOptions, number: int
) -> list[list[tuple[np.ndarray, str]]]:
    """Draw by draw, what becomes of each picture `(S, S, 3)` uint8, and words on it."""
    change, rng = change_of(preset, smallest, flip), np.random.default_rng(options.seed)
    found = []
    for _ in range(number if options.mix or preset != "none" else 1):
        changed, words = np.stack([change(each, pixels.shape[1], rng) for each in pixels]), [""] * len(pixels)
        if options.mix:
            floats = changed.astype(np.float32)
            both, share = MIXES[options.mix](floats, floats[rng.permutation(len(floats))], rng)
            changed, words = both.round().astype(np.uint8), [f"{each:.0%} of it" for each in share]
        found.append(list(zip(changed, words)))
    return found
