"""The same picture more than once: byte for byte, or re-encoded, resized, slightly cropped, mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from transfer.checks.alignment import aligned_correlation
from transfer.checks.inspection import Inspection, inspect_files
from transfer.checks.kept_pairs import kept_pairs
from transfer.checks.measures import MINIATURE
from transfer.checks.measures import SIDE as WAVES
from transfer.data.folders import LabelledImages
from transfer.data.together import joined, sets_of
from transfer.progress import bar

# Measured on flowers: 98 % of pictures cropped by up to 5 % a side stay above the first two, and no two
# different pictures of one kind reach the last (benchmarks/planted_faults.py).
ALIKE = 0.75  # cosine of two descriptors
SAME = 0.97  # correlation of two aligned pictures
PARTNERS = 8  # candidates of a picture that are compared with it
FEW = 50  # pictures, below which what they have in common is not taken away
BLOCK, TILE = 512, 4096  # pictures compared with one another at once
TOGETHER = 256  # pairs aligned at once


class Pair(NamedTuple):
    """Two pictures, by index, with how alike they are (0..1) and whether one is mirrored."""

    first: int
    second: int
    likeness: float
    mirrored: bool


def exact_sets(digests: Sequence[str]) -> list[tuple[int, ...]]:
    """Indices of pictures with the same bytes, a tuple for each content that is there more than once."""
    return sets_of(joined(digests))


def near_pairs(inspections: Sequence[Inspection], cache: bool = True) -> list[Pair]:
    """Find pictures that are versions of one another, without those that are equal byte for byte.

    All pairs are compared by descriptor, in blocks of a matrix product; the miniatures of those that
    look alike are brought onto one another and compared in detail, so that two different pictures of
    one kind do not count. Files that could not be read, and pictures without any shape in them, are
    like nothing else.

    Args:
        inspections: of N files.
        cache: use and keep the pairs of many pictures.

    Returns:
        The pairs, most alike first.
    """
    if not cache:
        return _pairs(inspections)
    found = kept_pairs([inspection.digest for inspection in inspections], lambda: _pairs(inspections))
    return [Pair(*pair) for pair in found]


def _pairs(inspections: Sequence[Inspection]) -> list[Pair]:
    first_of = first_of_each(inspections)
    if len(first_of) < 2:
        return []
    waves = np.frombuffer(b"".join(inspections[i].descriptor for i in first_of), np.int8).astype(np.float32)
    waves = waves.reshape(len(first_of), -1)
    # What all have in common (a face in the middle) makes no two of them alike; a few have no such thing.
    common = waves.sum(axis=0) / (len(waves) + FEW)
    mirror = np.tile(np.where(np.arange(WAVES) % 2, -1, 1), WAVES).astype(np.float32)
    candidates = {(*pair, False) for pair in alike(unit(waves - common), unit(waves - common), ALIKE)}
    candidates |= {(*pair, True) for pair in alike(unit(waves * mirror - common), unit(waves - common), ALIKE)}
    ordered = sorted((first_of[a], first_of[b], mirrored) for a, b, mirrored in candidates)
    return sorted(_verified(inspections, ordered), key=lambda pair: -pair.likeness)


def version_sets(digests: Sequence[str], pairs: Sequence[Pair]) -> list[tuple[int, ...]]:
    """Indices of pictures that near duplicates connect, with all files that are equal to one of them.

    Args:
        digests: N of them.
        pairs: from `near_pairs`, which knows one file of each content.
    """
    links = [pair[:2] for pair in pairs]
    paired = {index for link in links for index in link}
    return [indices for indices in sets_of(joined(digests, pairs=links)) if not paired.isdisjoint(indices)]


def keep_together(images: LabelledImages, pairs: Sequence[Pair] | None = None) -> LabelledImages:
    """The same pictures with groups that hold near duplicates too, so that no split separates them.

    Groups that are there already are joined where a near duplicate connects them.

    Args:
        images: from `load_images`.
        pairs: from `near_pairs`; looked for by default.
    """
    if pairs is None:
        pairs = near_pairs(inspect_files(images.paths))
    groups = list(images.groups or [""] * len(images))
    for indices in sets_of(joined(images.digests, groups, pairs=[pair[:2] for pair in pairs])):
        # Named by content, or by the group that is there, so that the split does not hang on file names.
        names = sorted({groups[i] for i in indices} - {""}) or sorted(images.digests[i] for i in indices)
        for i in indices:
            groups[i] = names[0]
    return replace(images, groups=tuple(groups))


def first_of_each(inspections: Sequence[Inspection]) -> list[int]:
    """The index of one picture of each content, without those that have no shape in them."""
    first = np.unique([inspection.digest for inspection in inspections], return_index=True)[1]
    return [index for index in np.sort(first).tolist() if any(inspections[index].descriptor)]


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def alike(rows: np.ndarray, others: np.ndarray, least: float, partners: int = PARTNERS) -> set[tuple[int, int]]:
    """Pairs (a, b), a < b, with a cosine of at least `least`; of each a the nearest so many."""
    found = set()
    for start in range(0, len(rows), BLOCK):
        a, b, cosine = np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32)
        for left in range(start, len(others), TILE):
            cosines = rows[start : start + BLOCK] @ others[left : left + TILE].T
            row, column = np.divmod(np.flatnonzero(cosines >= least), cosines.shape[1])
            new = row + start < column + left
            row, column = row[new], column[new]
            a = np.concatenate([a, row + start])
            b = np.concatenate([b, column + left])
            cosine = np.concatenate([cosine, cosines[row, column]])
            order = np.lexsort((b, -cosine, a))
            rank = np.arange(len(order)) - np.searchsorted(a[order], a[order])
            a, b, cosine = (values[order[rank < partners]] for values in (a, b, cosine))
        found |= set(zip(a.tolist(), b.tolist()))
    return found


def _verified(inspections: Sequence[Inspection], candidates: Sequence[tuple[int, int, bool]]) -> list[Pair]:
    found = []
    with bar("compare", len(candidates)) as advance:
        for start in range(0, len(candidates), TOGETHER):
            part = candidates[start : start + TOGETHER]
            first, second = (miniatures(inspections, [pair[side] for pair in part]) for side in (0, 1))
            mirrored = np.array([pair[2] for pair in part])
            first[mirrored] = first[mirrored, :, ::-1]
            likeness = aligned_correlation(first, second)
            found += [Pair(*pair[:2], float(value), pair[2]) for pair, value in zip(part, likeness) if value >= SAME]
            advance(len(part))
    return found


def miniatures(inspections: Sequence[Inspection], indices: Sequence[int]) -> np.ndarray:
    """`(len(indices), 32, 32)` grey levels, 0..255 float32."""
    levels = np.frombuffer(b"".join(inspections[i].miniature for i in indices), np.uint8)
    return levels.reshape(-1, MINIATURE, MINIATURE).astype(np.float32)
