"""A teacher's soft answers, for training a smaller network (Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from transfer.data.folders import LabelledImages
from transfer.data.pipeline import Pictures
from transfer.errors import WeightsError, first_line
from transfer.writing import whole_file

TEMPERATURE = 2.0  # softens the answers


def kept_answers(path: Path, weights: Path, images: LabelledImages) -> np.ndarray:
    """The teacher's answers `(N, 1000)`, see `soften`, to pictures of 128 px; computed once, then read from `path`.

    Raises:
        WeightsError: `weights` are not of the teacher; `path` is damaged or holds the answers to other pictures.
    """
    if not path.is_file():
        answers = soften(imagenet_teacher(weights), Pictures(images, 128).batches(range(len(images))))
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez(file, answers=answers, digest=images.digest())
    try:
        with np.load(path, allow_pickle=False) as kept:
            answers, digest = kept["answers"], str(kept["digest"])
    except (ValueError, KeyError, EOFError, OSError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} holds no answers ({first_line(error)}); delete it") from error
    if digest != images.digest():
        raise WeightsError(f"{path} holds the answers to other pictures; delete it")
    return answers


def imagenet_teacher(weights: Path, image_size: int = 128) -> keras.Model:
    """MobileNetV2 with its 1000 classes; raw pictures `(B, S, S, 3)` to probabilities `(B, 1000)`.

    Args:
        weights: a `.weights.h5` file of the whole classifier.
    """
    pictures = keras.Input((image_size, image_size, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pictures)
    classifier = keras.applications.MobileNetV2(input_shape=(image_size, image_size, 3), weights=None)
    try:
        classifier.load_weights(weights)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{weights} holds no weights of MobileNetV2 with 1000 classes: {error}") from error
    return keras.Model(pictures, classifier(scaled))


def soften(teacher: keras.Model, pictures: Iterator[np.ndarray]) -> np.ndarray:
    """The teacher's probabilities `(N, K)` float16 at the temperature of the training loss.

    Args:
        teacher: pictures `(B, S, S, 3)` 0..255 to probabilities `(B, K)`.
        pictures: batches.
    """
    answers = []
    for batch in pictures:
        logits = np.log(np.maximum(teacher.predict_on_batch(batch.astype(np.float32)), 1e-9)) / TEMPERATURE
        soft = np.exp(logits - logits.max(axis=1, keepdims=True))
        answers.append((soft / soft.sum(axis=1, keepdims=True)).astype(np.float16))
    return np.concatenate(answers)
