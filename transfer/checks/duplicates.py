"""The same picture more than once: byte for byte, or re-encoded, resized, slightly cropped, mirrored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from transfer.checks.alignment import SIDE, aligned_correlation
from transfer.checks.inspection import Inspection, inspect_files
from transfer.checks.measures import SIDE as WAVES
from transfer.data.folders import LabelledImages
from transfer.data.images import read_picture
from transfer.errors import PictureError
from transfer.progress import bar

# Measured on flowers: 98 % of pictures cropped by up to 5 % a side stay above the first two, and no two
# different pictures of one kind reach the last (benchmarks/planted_faults.py).
ALIKE = 0.75  # cosine of two descriptors
ALIKE_FEATURES = 0.85  # cosine of two feature vectors, without their mean
SAME = 0.97  # correlation of two aligned pictures
PARTNERS = 8  # candidates of a picture that are compared with it
FEW = 50  # pictures, below which what they have in common is not taken away
BLOCK = 512  # pictures compared with all others at once
TOGETHER = 256  # pairs aligned at once


class Pair(NamedTuple):
    """Two pictures, by index, with how alike they are (0..1) and whether one is mirrored."""

    first: int
    second: int
    likeness: float
    mirrored: bool


def exact_sets(digests: Sequence[str]) -> list[tuple[int, ...]]:
    """Indices of pictures with the same bytes, a tuple for each content that is there more than once."""
    places = defaultdict(list)
    for index, digest in enumerate(digests):
        places[digest].append(index)
    return [tuple(indices) for indices in places.values() if len(indices) > 1]


def near_pairs(
    paths: Sequence[Path], inspections: Sequence[Inspection], features: np.ndarray | None = None
) -> list[Pair]:
    """Find pictures that are versions of one another, without those that are equal byte for byte.

    All pairs are compared by descriptor, in blocks of a matrix product; those that look alike are
    read again, brought onto one another and compared in detail, so that two different pictures of
    one kind do not count.

    Args:
        paths: N files.
        inspections: of these files.
        features: `(N, D)` of a backbone, to find candidates that the descriptors miss (larger crops).

    Returns:
        The pairs, most alike first.
    """
    first_of = _first_of_each([inspection.digest for inspection in inspections])
    waves = np.frombuffer(b"".join(inspections[i].descriptor for i in first_of), np.int8).astype(np.float32)
    waves = waves.reshape(len(first_of), -1)
    # What all have in common (a face in the middle) makes no two of them alike; a few have no such thing.
    common = waves.sum(axis=0) / (len(waves) + FEW)
    mirror = np.tile(np.where(np.arange(WAVES) % 2, -1, 1), WAVES).astype(np.float32)
    candidates = {(*pair, False) for pair in _alike(_unit(waves - common), _unit(waves - common), ALIKE)}
    candidates |= {(*pair, True) for pair in _alike(_unit(waves * mirror - common), _unit(waves - common), ALIKE)}
    if features is not None:
        known = _unit(features[first_of] - features[first_of].mean(axis=0))
        candidates |= {(*pair, turned) for pair in _alike(known, known, ALIKE_FEATURES) for turned in (False, True)}
    ordered = sorted((int(first_of[a]), int(first_of[b]), mirrored) for a, b, mirrored in candidates)
    return sorted(_verified(paths, ordered), key=lambda pair: -pair.likeness)


def sets_of(count: int, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Indices that pairs connect, directly or through others, in tuples of two or more."""
    place = component_of(count, pairs)
    order = np.argsort(place, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(place[order])) + 1)
    return sorted(tuple(part.tolist()) for part in parts if len(part) > 1)


def component_of(count: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """`(count,)` the number of the connected set that each index is in."""
    rows, columns = np.array(pairs, int).reshape(-1, 2).T
    return connected_components(coo_array((np.ones(len(rows)), (rows, columns)), (count, count)), False)[1]


def keep_together(images: LabelledImages, pairs: Sequence[Pair] | None = None) -> LabelledImages:
    """The same pictures with groups that hold near duplicates too, so that no split separates them.

    Groups that are there already are joined where a near duplicate connects them.

    Args:
        images: from `load_images`.
        pairs: from `near_pairs`; looked for by default.
    """
    if pairs is None:
        pairs = near_pairs(images.paths, inspect_files(images.paths))
    links = [(pair.first, pair.second) for pair in pairs]
    links += [link for indices in exact_sets(images.digests) for link in zip(indices, indices[1:])]
    members = defaultdict(list)
    for index, group in enumerate(images.groups or ()):
        if group:
            members[group].append(index)
    links += [link for indices in members.values() for link in zip(indices, indices[1:])]
    groups = list(images.groups or [""] * len(images))
    for indices in sets_of(len(images), links):
        # Named by content, or by the group that is there, so that the split does not hang on file names.
        names = sorted({groups[i] for i in indices} - {""}) or sorted(images.digests[i] for i in indices)
        for i in indices:
            groups[i] = names[0]
    return replace(images, groups=tuple(groups))


def _first_of_each(digests: Sequence[str]) -> np.ndarray:
    return np.unique(np.array(digests), return_index=True)[1]


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _alike(rows: np.ndarray, others: np.ndarray, least: float) -> set[tuple[int, int]]:
    """Pairs (a, b), a < b, with a cosine of at least `least`; no more than `PARTNERS` for each a."""
    found = set()
    for start in range(0, len(rows), BLOCK):
        cosines = rows[start : start + BLOCK] @ others[start:].T
        cosines[np.tril_indices(*cosines.shape[:1], 0, cosines.shape[1])] = -1
        crowded = (cosines >= least).sum(axis=1) > PARTNERS
        if crowded.any():
            limit = np.partition(cosines[crowded], -PARTNERS, axis=1)[:, -PARTNERS]
            cosines[crowded] = np.where(cosines[crowded] >= limit[:, None], cosines[crowded], -1)
        a, b = np.nonzero(cosines >= least)
        found |= set(zip((a + start).tolist(), (b + start).tolist()))
    return found


def _verified(paths: Sequence[Path], candidates: Sequence[tuple[int, int, bool]]) -> list[Pair]:
    found = []
    with ThreadPoolExecutor() as pool, bar("compare", len(candidates)) as advance:
        for start in range(0, len(candidates), TOGETHER):
            part = candidates[start : start + TOGETHER]
            used = sorted({index for pair in part for index in pair[:2]})
            small = dict(zip(used, pool.map(_small, (paths[i] for i in used))))
            first = np.stack([small[a][:, ::-1] if mirrored else small[a] for a, _, mirrored in part])
            likeness = aligned_correlation(first, np.stack([small[b] for _, b, _ in part]))
            found += [Pair(*pair[:2], float(value), pair[2]) for pair, value in zip(part, likeness) if value >= SAME]
            advance(len(part))
    return found


def _small(path: Path) -> np.ndarray:
    try:
        picture = Image.fromarray(read_picture(path)).convert("L")
    except PictureError:  # gone since it was inspected: like nothing else
        return np.zeros((SIDE, SIDE), np.float32)
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
