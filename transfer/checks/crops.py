"""Larger crops of one picture, which look alike to a network more than to a perceptual hash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from transfer.checks.alignment import correlation_close_up, find_crops
from transfer.checks.duplicates import TOGETHER, Pair, alike, first_of_each, miniatures, unit
from transfer.checks.inspection import Inspection
from transfer.data.images import read_picture
from transfer.progress import bar

# Measured on flowers and scenes, 300 pictures each cropped by 3 to 15 % a side: 99 % of them have their crop
# nearest, and 95 % have it above the first two; benchmarks/planted_faults.py --near features --crop 0.15.
ALIKE = 0.5  # cosine of two feature vectors, without their mean
PARTNERS = 3  # candidates of a picture
PROMISING = 0.85  # correlation of two aligned miniatures
SAME = 0.94  # of two pictures close up
CLOSE = 96  # pixels
# The same of two classes, whose difference may be the small one that tells them apart: of 299 re-encoded, resized and
# cropped copies in flowers, scenes and emotions the least alike had 0.980, two faces of one person 0.946 and 0.954.
SAME_IN_TWO_CLASSES = 0.97


def cropped_pairs(paths: Sequence[Path], inspections: Sequence[Inspection], features: np.ndarray) -> list[Pair]:
    """Find pictures of which one is cut out of the other, by up to about 15 % a side, mirrored or not.

    The pictures that are nearest by features are aligned in their miniatures, and those that seem to be
    one picture are read again and compared close up.

    Args:
        paths: of N files.
        inspections: of the same.
        features: `(N, D)` of a backbone.

    Returns:
        The pairs, most alike first.
    """
    first_of = first_of_each(inspections)
    if len(first_of) < 2:
        return []
    known = unit(features[first_of] - features[first_of].mean(axis=0))
    candidates = sorted((first_of[a], first_of[b]) for a, b in alike(known, known, ALIKE, PARTNERS))
    ways = [(*pair, mirrored) for a, b in candidates for pair in ((a, b), (b, a)) for mirrored in (False, True)]
    found = []
    with bar("compare crops", len(ways)) as advance:
        for start in range(0, len(ways), TOGETHER):
            part = ways[start : start + TOGETHER]
            likeness = _likeness(paths, inspections, part)
            found += [
                Pair(*sorted(way[:2]), float(value), way[2]) for way, value in zip(part, likeness) if value >= SAME
            ]
            advance(len(part))
    best = {pair[:2]: pair for pair in sorted(found, key=lambda pair: pair.likeness)}  # of several ways, the last
    return sorted(best.values(), key=lambda pair: -pair.likeness)


def without_other_moments(
    pairs: Sequence[Pair], labels: np.ndarray, paths: Sequence[Path], inspections: Sequence[Inspection]
) -> list[Pair]:
    """Leave out pairs of two classes that show one thing twice and are no copies, such as a face with two expressions.

    Args:
        pairs: of near duplicates.
        labels: `(N,)` class indices.
        paths, inspections: of all N files.
    """
    doubtful = [pair for pair in pairs if labels[pair.first] != labels[pair.second]]
    if not doubtful:
        return list(pairs)
    ways = [(a, b, pair.mirrored) for pair in doubtful for a, b in (pair[:2], pair[1::-1])]
    closest = _likeness(paths, inspections, ways).reshape(-1, 2).max(axis=1)
    others = {pair[:2] for pair, likeness in zip(doubtful, closest) if likeness < SAME_IN_TWO_CLASSES}
    return [pair for pair in pairs if pair[:2] not in others]


def _likeness(paths, inspections, ways: Sequence[tuple[int, int, bool]]) -> np.ndarray:
    """The correlation of each (crop, whole, mirrored) close up, or 0 where it is not worth a look."""
    crop, whole, mirrored = (np.array(column) for column in zip(*ways))
    place, likeness = find_crops(_turned(miniatures(inspections, crop), mirrored), miniatures(inspections, whole))
    found = np.zeros(len(ways))
    if (promising := np.flatnonzero(likeness >= PROMISING)).size:
        near = {index: _close_up(paths[index]) for index in {*crop[promising], *whole[promising]}}
        first, second = (np.stack([near[index] for index in side[promising]]) for side in (crop, whole))
        found[promising] = correlation_close_up(_turned(first, mirrored[promising]), second, place[promising])
    return found


def _turned(pictures: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    return np.where(mirrored[:, None, None], pictures[:, :, ::-1], pictures)


def _close_up(path: Path) -> np.ndarray:
    """`(96, 96)` grey levels of the whole picture."""
    grey = Image.fromarray(read_picture(path)).convert("L")
    return np.asarray(grey.resize((CLOSE, CLOSE), Image.Resampling.BILINEAR, reducing_gap=2.0), np.float32)
