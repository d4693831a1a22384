"""Classes that are mirror images of each other, such as arrows to the left and to the right: random flips ruin them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from transfer.checks.measures import MINIATURE
from transfer.data.pipeline import Pictures
from transfer.data.places import kept_together
from transfer.data.tables import some

MOST = 2000  # pictures that are looked at
FEWEST = 8  # pictures, or groups of them, of a class
FOLDS = 2
RIDGE = 0.1  # of the mean variance of a feature
DIRECTIONS, CELLS = 8, 4
APART = 0.4  # how well two classes must be told apart, and
SHARE = 0.6  # the share of that by which their mirror images must be told apart the other way round
ERRORS = 3.0  # standard errors
WIDE, LEAST, LARGEST = 2.2, 6.0, 24.0  # half the window around what stands out: of its spread; in pixels of 32


class Mirrored(NamedTuple):
    """Two classes, by index, and the share of their mirror images that is taken for the other one, 0..1."""

    first: int
    second: int
    share: float


def find_mirrored(miniatures: np.ndarray, labels: np.ndarray, units: Sequence[str]) -> list[Mirrored]:
    """Find pairs of classes of which each looks like the mirror image of the other.

    A linear classifier of edges by place and direction (as in the histograms of Dalal and Triggs 2005), in the whole
    picture and around what stands out of its background, is fitted on half of the pictures and answers for the
    others and their mirror images. Classes that it tells apart about as well when mirrored, but the other way round,
    are mirror images; those that a flip leaves alone keep their answers.

    Args:
        miniatures: `(N, 32, 32)` uint8 grey levels; of more than 2000, evenly spread ones are looked at.
        labels: `(N,)` class indices.
        units: one name a picture; those that share it are in the same half.

    Returns:
        The pairs, by class.
    """
    chosen = np.linspace(0, len(labels) - 1, min(MOST, len(labels))).astype(int)
    order = np.argsort(labels, kind="stable")[chosen]
    names, labels = np.unique(labels[order], return_inverse=True)
    unit = np.unique(np.asarray(units)[order], return_inverse=True)[1]
    sizes = np.bincount(np.unique(np.stack([labels, unit]), axis=1)[0], minlength=len(names))
    if np.sum(sizes >= FEWEST) < 2:
        return []
    plain, flipped = _edges(miniatures[order]), _edges(miniatures[order][:, :, ::-1])
    fold = np.random.default_rng(0).integers(0, FOLDS, unit.max() + 1)[unit]
    told = np.zeros((2, len(labels)), int)  # the answers for the pictures, and for their mirror images
    for held_out in range(FOLDS):
        test = fold == held_out
        if test.all() or not test.any():
            return []
        answer = _fitted(plain[~test], labels[~test], len(names))
        told[:, test] = answer(plain[test]), answer(flipped[test])
    return [Mirrored(int(names[a]), int(names[b]), share) for a, b, share in _swapped(told, labels, sizes, len(names))]


def mirrored_note(pictures: Pictures, indices: Sequence[int]) -> str:
    """A sentence on classes that are mirror images of each other, so that training must not flip; `""` for none.

    Args:
        pictures: decoded, or to be.
        indices: of the training pictures.

    Raises:
        UnreadablePictures: some are gone since.
    """
    images = pictures.images
    chosen = np.asarray(indices)[np.argsort(images.labels[indices], kind="stable")]
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(MOST, len(chosen))).astype(int)]
    small = (MINIATURE, MINIATURE)
    miniatures = [
        np.asarray(Image.fromarray(pixels).convert("L").resize(small, Image.Resampling.BILINEAR))
        for batch in pictures.batches(chosen)
        for pixels in batch
    ]
    units = kept_together(images.digests, images.groups)[chosen].tolist()
    found = find_mirrored(np.stack(miniatures), images.labels[chosen], units)
    return sentence(found, images.class_names) if found else ""


def sentence(found: Sequence[Mirrored], class_names: Sequence[str]) -> str:
    """What to tell of the pairs that `find_mirrored` found."""
    listed = some(f"{class_names[a]} and {class_names[b]} ({share:.0%} taken for the other)" for a, b, share in found)
    return f"mirror images of one class look like another: {listed}"


def _swapped(answers: np.ndarray, labels: np.ndarray, sizes: np.ndarray, classes: int):
    """Yield (class, class, share) of the pairs that mirroring swaps."""
    counts = np.bincount(labels, minlength=classes)
    shares = []
    for answer in answers:
        pairs, number = np.unique(classes * labels + answer, return_counts=True)
        shares.append(dict(zip(pairs.tolist(), (number / counts[pairs // classes]).tolist())))

    def apart(share: dict[int, float], label: int, other: int) -> float:
        """How much oftener a class is told than the other one."""
        return share.get(classes * label + label, 0.0) - share.get(classes * label + other, 0.0)

    for key in sorted(shares[1]):
        a, b = divmod(key, classes)
        if a >= b or min(sizes[a], sizes[b]) < FEWEST:
            continue
        plain, flipped = ((apart(share, a, b), apart(share, b, a)) for share in shares)
        told, swapped = sum(plain) / 2, -sum(flipped) / 2
        least = max(SHARE * told, ERRORS * np.sqrt(1 / sizes[a] + 1 / sizes[b]) / 2)
        if min(plain) > 0 > max(flipped) and told >= APART and swapped >= least:
            yield a, b, (shares[1][key] + shares[1].get(classes * b + a, 0.0)) / 2


def _fitted(features: np.ndarray, labels: np.ndarray, classes: int):
    """The answers of a ridge regression on one-hot labels in which every class counts the same."""
    weight = (1 / np.maximum(np.bincount(labels, minlength=classes), 1))[labels][:, None]
    mean = features.mean(axis=0)
    centred = features - mean
    scatter = (centred * weight).T @ centred
    scatter += RIDGE * np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    targets = np.eye(classes, dtype=np.float32)[labels] - 1 / classes
    solution = np.linalg.solve(scatter, (centred * weight).T @ targets)
    return lambda rows: ((rows - mean) @ solution).argmax(axis=1)


def _edges(miniatures: np.ndarray) -> np.ndarray:
    """`(N, D)` histograms of edges, of whole miniatures `(N, 32, 32)` and around what stands out in them."""
    levels = miniatures.astype(np.float32)
    return np.concatenate([_histograms(levels), _histograms(_standing_out(levels))], axis=1)


def _histograms(levels: np.ndarray) -> np.ndarray:
    down, right = np.gradient(levels, axis=(1, 2))
    strength = np.hypot(down, right)
    direction = ((np.arctan2(down, right) / (2 * np.pi) + 0.5) * DIRECTIONS).astype(int) % DIRECTIONS
    side = MINIATURE // CELLS
    rows = []
    for number in range(DIRECTIONS):
        edges = np.where(direction == number, strength, 0).reshape(-1, CELLS, side, CELLS, side).sum(axis=(2, 4))
        rows += [edges.reshape(len(levels), -1), edges.sum(axis=(1, 2))[:, None]]
    row = np.sqrt(np.concatenate(rows, axis=1))
    return row / np.maximum(np.linalg.norm(row, axis=1, keepdims=True), 1e-6)


def _standing_out(levels: np.ndarray) -> np.ndarray:
    """How far each pixel is from the level of the border, with what is far from it brought to one place and size."""
    border = np.concatenate([levels[:, 0], levels[:, -1], levels[:, :, 0], levels[:, :, -1]], axis=1)
    far = np.abs(levels - np.median(border, axis=1)[:, None, None])
    weight = far**2 / np.maximum((far**2).sum(axis=(1, 2), keepdims=True), 1e-6)
    pixels = np.arange(MINIATURE)
    y, x = (weight.sum(axis=axis) @ pixels for axis in (2, 1))
    square = (pixels[:, None] - y[:, None, None]) ** 2 + (pixels - x[:, None, None]) ** 2
    half = np.clip(WIDE * np.sqrt((weight * square).sum(axis=(1, 2))), LEAST, LARGEST)
    steps = (pixels + 0.5) / (MINIATURE / 2) - 1
    along_y, along_x = (
        np.maximum(1 - np.abs((middle[:, None] + half[:, None] * steps)[..., None] - pixels), 0) for middle in (y, x)
    )
    return along_y @ far @ along_x.transpose(0, 2, 1)
