"""Which backbone: how good the frozen features of each are for these pictures, and what they cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import keras
import numpy as np

from transfer.data.folders import LabelledImages
from transfer.data.folding import folds_by_content
from transfer.data.pipeline import BATCH, Pictures
from transfer.data.splits import Split
from transfer.errors import DataError, OptionError, UnreadablePictures, WeightsError
from transfer.evidence.candidates import BackboneChoice, Candidate
from transfer.learning.backbone_argument import resolve_backbone
from transfer.learning.options import TrainingOptions
from transfer.names import AUTO
from transfer.networks.features import extract_features, forward
from transfer.pretrained.architectures import ARCHITECTURES, imagenet_file
from transfer.pretrained.backbone_table import SETS, check_backbone, name_and_weights
from transfer.statistics.intervals import resampled_sums, share_interval, units
from transfer.statistics.linear_probe import out_of_fold
from transfer.statistics.significance import fewest_units, holm, sign_flip_test

FOLDS = 5
TIMED = 5  # batches, after one that compiles; their median counts
FAST = 6_000_000  # parameters: up to the smallest EfficientNets


def backbone_set(name: str) -> list[str]:
    """The backbones of a set.

    Args:
        name: `all-local`: all whose weights are on this machine; `fast`: all up to 6 million parameters.
    """
    if name == "all-local":
        return ["bundled", *(key for key, row in ARCHITECTURES.items() if imagenet_file(row))]
    return ["bundled", *(key for key, row in ARCHITECTURES.items() if row.parameters <= FAST)]


def choose_backbone(
    images: LabelledImages,
    split: Split,
    backbones: str | Sequence[str] = "all-local",
    *,
    image_size: int | None = None,
    features: str | None = None,
    fit: str = "crop",
    seed: int = 0,
    engine: str = AUTO,
) -> BackboneChoice:
    """Rank backbones by the cross-validated accuracy of a linear head on their frozen features.

    Only training and validation pictures are looked at, so that the test part can still judge what
    is trained on the backbone that was chosen. Pictures that cannot be decoded are left out for all
    of them, with a note.

    Args:
        images: from `load_images`.
        split: from `split`.
        backbones: `fast`, `all-local` (see `backbone_set`; those whose weights cannot be had are left
            out with a note), or names for `load_backbone`, each with its weights behind a colon where
            they are not the usual ones, such as `mobilenet_v2:FILE`.
        image_size: the same for all; by default each gets its own, up to the size of the pictures.
        features: the same for all, see `load_backbone`; by default `stages` of ImageNet networks, `last` of others.
        fit: how pictures are brought to the square.
        seed: of the folds, and of random weights.
        engine: what computes the features, see `extract_features`.

    Raises:
        UnknownNameError, ImageSizeError, WeightsError: a backbone that cannot be loaded.
        OptionError: no backbone.
        DataError: a class has no two pictures or groups beside the test part.
    """
    optional = isinstance(backbones, str) and backbones in SETS
    names = backbone_set(backbones) if optional else [backbones] if isinstance(backbones, str) else backbones
    if not names:
        raise OptionError(
            "no backbone to choose from; expected names such as bundled,mobilenet_v2, or fast, or all-local"
        )
    for entry in () if optional else names:  # first, so that a slip in the last name costs nothing
        name, weights = name_and_weights(entry)
        check_backbone(name, image_size, weights)
    options = TrainingOptions(image_size=image_size, features=features, fit=fit, seed=seed, engine=engine)
    notes: list[str] = []
    while True:
        indices = np.sort(np.concatenate([split.train, split.validation]))
        try:
            tested = _folds(images, indices, seed)
            ranked, missing = _ranked(names, optional, images, split, tested, options)
        except UnreadablePictures as error:
            # None of them may see what another cannot; the features of all others are kept.
            split = split.without(error.positions)
            notes.append(error.note)
        else:
            return BackboneChoice(tuple(ranked), len(indices), len(tested), (*notes, *missing))


def _ranked(names, optional: bool, images: LabelledImages, split: Split, tested, options: TrainingOptions):
    """(candidates, best first; a sentence for each that is left out)."""
    indices = np.sort(np.concatenate([split.train, split.validation]))
    measured, answers, notes = [], [], []
    for entry in dict.fromkeys(names):
        name, weights = name_and_weights(entry)
        keras.utils.set_random_seed(options.seed)
        try:
            chosen = replace(options, weights=weights)
            network, labels = resolve_backbone(name, "frozen", images, split, chosen)
        except WeightsError as error:
            if not optional:
                raise
            notes.append(f"{name} is left out: {error}")
            continue
        features = extract_features(network, images, indices, options.fit, engine=options.engine)
        answers.append(out_of_fold(features, images.labels[indices], tested).argmax(axis=1))
        pixels = Pictures(images, network.input_shape[1], options.fit).array(indices[:BATCH])
        measured.append(_measured(network, labels, pixels, images, indices, answers[-1]))
    order = sorted(range(len(measured)), key=lambda i: (-measured[i].accuracy, measured[i].milliseconds))
    return _against_best([measured[i] for i in order], [answers[i] for i in order], images, indices), notes


def _folds(images: LabelledImages, indices: np.ndarray, seed: int) -> list[np.ndarray]:
    """Positions below `indices` to answer for, fold by fold: `FOLDS` of them, or as many as the data has."""
    labels = images.labels[indices]
    digests = [images.digests[i] for i in indices]
    groups = images.groups and [images.groups[i] for i in indices]
    for k in range(FOLDS, 1, -1):
        try:
            divided = folds_by_content(digests, labels, images.class_names, groups, k, seed)
        except (DataError, OptionError) as error:
            reason = str(error).partition(";")[0]
        else:
            return [part.test for part in divided]
    raise DataError(
        f"too few pictures beside the test part to rank backbones by cross-validation: {reason}; "
        "add pictures, or name one with `backbone`"
    )


def _measured(network: keras.Model, labels: dict, pixels, images: LabelledImages, indices, predicted) -> Candidate:
    right = predicted == images.labels[indices]
    unit, every = units(len(right), images.groups_of(indices)), np.ones(len(right), bool)
    draws = resampled_sums({"right": right.astype(float), "all": every.astype(float)}, unit)
    parameters = network.count_params()
    return Candidate(
        labels["backbone"],
        labels["weights"],
        network.input_shape[1],
        parameters,
        4 * parameters / 1e6,
        _milliseconds(network, pixels),
        float(right.mean()),
        share_interval(right, every, unit, draws["right"] / draws["all"]),
    )


def _milliseconds(network: keras.Model, pixels: np.ndarray) -> float:
    answers, seconds = forward(network, [pixels] * (1 + TIMED)), []
    for _ in range(1 + TIMED):
        started = time.perf_counter()
        next(answers)
        seconds.append(time.perf_counter() - started)
    return float(1000 * np.median(seconds[1:]) / len(pixels))


def _against_best(ranked: list[Candidate], answers, images: LabelledImages, indices) -> list[Candidate]:
    """With the difference of each from the best.

    Which one is the best is seen in the same answers, so that any pair could have been the one that is
    looked at: the correction is for all pairs, not for those with the best alone (Hsu 1996, Multiple Comparisons).
    """
    labels, unit = images.labels[indices], units(len(indices), images.groups_of(indices))
    right = [(predicted == labels).astype(int) for predicted in answers]
    pairs = list(combinations(right, 2))  # those with the best come first
    p_values = [None] * len(pairs)
    if pairs and unit.max() + 1 >= fewest_units(len(pairs)):
        p_values = holm([sign_flip_test(np.bincount(unit, a - b).astype(int)) for a, b in pairs])
    best, *others = ranked
    return [best] + [
        replace(candidate, difference=candidate.accuracy - best.accuracy, p_value=p_value)
        for candidate, p_value in zip(others, p_values)
    ]
