"""Training of the bundled backbone on labelled pictures, with or without a teacher.

Plain uint8 arrays and Keras layers only, so that it runs on any backend of Keras.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from transfer.data.augmentation import random_crop
from transfer.data.folders import LabelledImages, load_images
from transfer.data.pipeline import Pictures
from transfer.errors import DataError, OptionError, WeightsError
from transfer.networks.backbones import BUNDLED_LAYERS, bundled_network
from transfer.networks.distillation import TEMPERATURE
from transfer.networks.features import forward
from transfer.networks.quick_layers import quick
from transfer.writing import whole_file

BATCH = 128
# A layer on top takes what is special to the classes of the training, and is left behind.
TRAINED_LAYERS: list[dict] = [
    *(row for row in BUNDLED_LAYERS if row != {"tap": "max"}),
    {"tap": "average"},
    {"conv": 576, "kernel": 1, "bias": False},
    {"normalise": "batch"},
    {"activation": "relu"},
]


class Phase(NamedTuple):
    """A number of epochs at one picture size (progressive resizing, Howard 2018)."""

    epochs: int
    image_size: int


class Pretraining(NamedTuple):
    """How a network is trained.

    Attributes:
        phases: picture sizes in training order.
        layers: rows of `scratch.convnet`; `TRAINED_LAYERS` by default.
        learning_rate: the highest, warmed up to and left along a cosine.
        weight_decay: of AdamW.
        dtype: policy of Keras.
        seed: of every random choice.
    """

    phases: Sequence[Phase]
    layers: Sequence[dict] | None = None
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    dtype: str = "mixed_bfloat16"
    seed: int = 0


def pretrain(
    pixels: np.ndarray,
    labels: np.ndarray,
    folder: Path,
    recipe: Pretraining,
    teacher_answers: np.ndarray | None = None,
    checkpoint_seconds: float = 120,
    log: Callable[[str], None] = print,
) -> keras.Model:
    """Train the bundled network as a classifier; resume from `folder` where an earlier run stopped.

    Random resized crops and flips, AdamW under a warmed-up cosine, half the cross-entropy with the
    labels plus the cross-entropy with the teacher's soft answers where given.

    Args:
        pixels: `(N, H, W, 3)` uint8, values 0..255.
        labels: `(N,)` class indices.
        folder: where `checkpoint.npz` is kept; written atomically, so that a stop loses little.
        recipe: of the training.
        teacher_answers: `(N, K)` probabilities of a teacher at temperature 2, or `None`.
        checkpoint_seconds: between two checkpoints.
        log: what gets a line now and then.

    Returns:
        The trained classifier, pictures to label logits `(B, C)`.

    Raises:
        DataError: there are fewer pictures than one batch takes.
        WeightsError: the checkpoint in `folder` belongs to another network or schedule.
    """
    if len(labels) < BATCH:
        raise DataError(f"{len(labels)} pictures; pretraining takes {BATCH} or more, a batch of them")
    keras.utils.set_random_seed(recipe.seed)
    one_hot = np.eye(int(labels.max()) + 1, dtype=np.float32)
    steps = len(labels) // BATCH * sum(phase.epochs for phase in recipe.phases)
    model = _classifier(recipe, len(one_hot), None if teacher_answers is None else teacher_answers.shape[1])
    _compile(model, recipe, steps)
    checkpoint, schedule = folder / "checkpoint.npz", np.array(recipe.phases)
    step = done = _restore(model, checkpoint, schedule) if checkpoint.exists() else 0
    started = saved = time.monotonic()
    for size, rows, batch in _batches(pixels, recipe.phases, recipe.seed, step):
        targets = {"labels": one_hot[labels[rows]]}
        if teacher_answers is not None:
            targets["teacher"] = teacher_answers[rows].astype(np.float32)
        loss = float(np.ravel(model.train_on_batch(batch, targets))[0])
        step += 1
        now = time.monotonic()
        if step % 100 == 0 or step == steps:
            speed = (step - done) * BATCH / (now - started)
            left = (steps - step) * BATCH / speed / 60
            log(f"step {step}/{steps}  {size} px  loss {loss:.4f}  {speed:.0f} pictures/s  {left:.0f} min left")
            model.reset_metrics()  # Keras gives the mean since the last reset
        if now - saved > checkpoint_seconds or step == steps:
            _save(model, checkpoint, step, schedule)
            saved = now
    return keras.Model(model.input, model.get_layer("labels").output)


def read_phases(text: str) -> list[Phase]:
    """`6x32,10x48` as phases: 6 epochs at 32 pixels, then 10 at 48."""
    try:
        return [Phase(*map(int, part.split("x", 1))) for part in text.split(",")]
    except (ValueError, TypeError) as error:
        raise OptionError(f"epochs of {text}; expected EPOCHSxPIXELS such as 6x32,10x48") from error


def load_tested(data: str, trained: LabelledImages) -> LabelledImages:
    """Pictures to measure a classifier on that learns others.

    Raises:
        DataError: their classes are not those that it learns.
    """
    tested = load_images(data)
    if tested.class_names != trained.class_names:
        named = [", ".join(images.class_names) for images in (tested, trained)]
        raise DataError(f"{data} has the classes {named[0]}; expected those of {trained.root}, {named[1]}")
    return tested


def top_1(classifier: keras.Model, images: LabelledImages, image_size: int) -> float:
    """Share of pictures whose largest logit is that of their label."""
    batches = Pictures(images, image_size).batches(range(len(images)))
    logits = np.concatenate(list(forward(classifier, batches)))
    return float((logits.argmax(axis=1) == images.labels).mean())


def without_classifier(model: keras.Model, layers: Sequence[dict] | None = None) -> keras.Model:
    """The backbone inside, in float32.

    Args:
        model: from `pretrain`.
        layers: rows with the same weights from the input on as those it was trained with, which may have
            more; those of the bundled backbone by default.
    """
    backbone = bundled_network(None, layers)
    trained = keras.Model(model.input, model.get_layer("features").output).get_weights()
    backbone.set_weights(trained[: len(backbone.weights)])
    return backbone


def _classifier(recipe: Pretraining, classes: int, teacher_classes: int | None) -> keras.Model:
    """A new backbone with the logits of the labels, and those of the teacher, in the numbers of the recipe."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.dtype)
    try:
        network = bundled_network(None, recipe.layers or TRAINED_LAYERS)
        return _with_logits(keras.models.clone_model(network, clone_function=quick), classes, teacher_classes)
    finally:
        keras.config.set_dtype_policy(before)


def _with_logits(backbone: keras.Model, classes: int, teacher_classes: int | None) -> keras.Model:
    def logits(units, name, scale=1.0):
        x = keras.layers.Dense(units, name=f"{name}_dense")(backbone.output)
        # The loss needs float32 whatever the policy of the layers below.
        return keras.layers.Rescaling(scale, dtype="float32", name=name)(x)

    outputs = {"labels": logits(classes, "labels")}
    if teacher_classes:
        outputs["teacher"] = logits(teacher_classes, "teacher", 1 / TEMPERATURE)
    return keras.Model(backbone.input, outputs)


def _compile(model: keras.Model, recipe: Pretraining, steps: int) -> None:
    warmup = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - steps // 10), warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, clipnorm=5.0)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(model.trainable_variables)
    cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    weights = {"labels": 0.5, "teacher": 2.0} if "teacher" in model.output else {"labels": 1.0}
    model.compile(optimizer, dict.fromkeys(weights, cross_entropy), loss_weights=weights, jit_compile=False)


def _batches(pixels, phases, seed, first_step) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(size, indices, pictures) of every step from `first_step` on; each step repeats exactly."""
    per_epoch = len(pixels) // BATCH
    sizes = [phase.image_size for phase in phases for _ in range(phase.epochs)]

    def make(step):
        epoch, place = divmod(step, per_epoch)
        rows = np.random.default_rng((seed, epoch)).permutation(len(pixels))[place * BATCH : (place + 1) * BATCH]
        rng = np.random.default_rng((seed, epoch, place))
        return sizes[epoch], rows, np.stack([random_crop(pixels[row], sizes[epoch], rng) for row in rows])

    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(make, step) for step in range(first_step, min(first_step + 3, per_epoch * len(sizes)))]
        for step in range(first_step, per_epoch * len(sizes)):
            if step + 3 < per_epoch * len(sizes):
                waiting.append(pool.submit(make, step + 3))
            yield waiting.pop(0).result()


def _state(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _save(model: keras.Model, path: Path, step: int, schedule: np.ndarray) -> None:
    values = {f"v{i}": keras.ops.convert_to_numpy(value) for i, value in enumerate(_state(model))}
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, step=step, schedule=schedule, **values)


def _restore(model: keras.Model, path: Path, schedule: np.ndarray) -> int:
    state = _state(model)
    try:
        with np.load(path, allow_pickle=False) as saved:
            values = [saved[f"v{i}"] for i in range(len(saved.files) - 2)]
            step, saved_schedule = int(saved["step"]), saved["schedule"]
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is no checkpoint ({error}); delete it, or give another folder") from error
    if [value.shape for value in values] != [tuple(v.shape) for v in state] or not np.array_equal(
        saved_schedule, schedule
    ):
        raise WeightsError(
            f"{path} is the checkpoint of another network or schedule; "
            "give the options it was made with, or another folder"
        )
    for variable, value in zip(state, values):
        variable.assign(value)
    return step
