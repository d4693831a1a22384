"""Training of the bundled backbone on labelled pictures, with or without a teacher.

Plain uint8 arrays and Keras layers only, so that it runs on any backend of Keras.
"""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from transfer.data.augmentation import random_crop
from transfer.errors import WeightsError
from transfer.networks.backbones import bundled_network

BATCH = 128
TEMPERATURE = 2.0  # softens the teacher's answers (Hinton et al. 2015, arXiv:1503.02531)


class Phase(NamedTuple):
    """A number of epochs at one picture size (progressive resizing, Howard 2018)."""

    epochs: int
    image_size: int


def pretrain(
    pixels: np.ndarray,
    labels: np.ndarray,
    folder: Path,
    phases: Sequence[Phase],
    teacher_answers: np.ndarray | None = None,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.05,
    dtype: str = "mixed_bfloat16",
    seed: int = 0,
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
        phases: picture sizes in training order.
        teacher_answers: `(N, K)` probabilities of a teacher at temperature 2, or `None`.

    Returns:
        The trained classifier, pictures to label logits `(B, C)`.

    Raises:
        WeightsError: the checkpoint in `folder` belongs to another network or schedule.
    """
    keras.utils.set_random_seed(seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        model = _classifier(int(labels.max()) + 1, None if teacher_answers is None else teacher_answers.shape[1])
    finally:
        keras.config.set_dtype_policy(before)
    steps = len(labels) // BATCH * sum(phase.epochs for phase in phases)
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - steps // 10), warmup_target=learning_rate, warmup_steps=max(1, steps // 10)
        ),
        weight_decay=weight_decay,
        clipnorm=5.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(model.trainable_variables)
    cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    weights = {"labels": 1.0} if teacher_answers is None else {"labels": 0.5, "teacher": 2.0}
    model.compile(optimizer, dict.fromkeys(weights, cross_entropy), loss_weights=weights, jit_compile=False)

    checkpoint = folder / "checkpoint.npz"
    step = done = _restore(model, checkpoint, steps) if checkpoint.exists() else 0
    one_hot = np.eye(int(labels.max()) + 1, dtype=np.float32)
    started = saved = time.monotonic()
    for size, rows, batch in _batches(pixels, phases, seed, step):
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
            _save(model, checkpoint, step, steps)
            saved = now
    return keras.Model(model.input, model.get_layer("labels").output)


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


def without_classifier(model: keras.Model) -> keras.Model:
    """The bundled network, in float32, with what `pretrain` taught it."""
    backbone = bundled_network(None)
    backbone.set_weights(keras.Model(model.input, model.get_layer("features").output).get_weights())
    return backbone


@keras.ops.custom_gradient
def _convolve(x, kernel):
    """A convolution 3 x 3 of stride 1 whose weight gradient is a convolution as well.

    The gradient of the weights correlates the input with the gradient of the output. Written as a
    convolution with channels and batch exchanged it takes 12 ms instead of 114 for 256 channels on
    maps of 4 x 4 in bfloat16 (TensorFlow 2.21 on a CPU).
    """
    ops = keras.ops

    def gradient(*args, upstream=None):
        above = args[0] if upstream is None else upstream
        turned = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))
        by_channel = ops.transpose(ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 1, 2, 0))
        of_kernel = ops.conv(by_channel, ops.transpose(above, (1, 2, 0, 3)), padding="valid")
        return ops.conv(above, turned, padding="same"), ops.transpose(of_kernel, (1, 2, 0, 3))

    return ops.conv(x, kernel, padding="same"), gradient


class _Convolution(keras.layers.Conv2D):
    def convolution_op(self, inputs, kernel):
        return _convolve(inputs, kernel)


class _Normalisation(keras.layers.BatchNormalization):
    """Batch normalisation whose training step is one operation of TensorFlow.

    Keras composes it of a dozen, with a copy in float32 of every map; fused, the whole step of the
    bundled network is 1.5 times as fast at 64 px (TensorFlow 2.21 on a CPU, bfloat16).
    """

    def call(self, inputs, training=None, mask=None):
        if not training or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        scale, offset = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, scale, offset, epsilon=self.epsilon, is_training=True
        )
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + keras.ops.cast(now, moving.dtype) * (1 - self.momentum))
        return outputs


def _quick(layer: keras.Layer) -> keras.Layer:
    """The same layer, or one that gives the same and trains faster."""
    kind = type(layer)
    if kind is keras.layers.BatchNormalization:
        kind = _Normalisation
    elif kind is keras.layers.Conv2D and layer.kernel_size == (3, 3) and layer.strides == (1, 1):
        kind = _Convolution if layer.filters >= 256 else kind  # where maps are small and wide
    return kind.from_config(layer.get_config())


def _classifier(classes: int, teacher_classes: int | None) -> keras.Model:
    backbone = keras.models.clone_model(bundled_network(None), clone_function=_quick)

    def logits(units, name, scale=1.0):
        x = keras.layers.Dense(units, name=f"{name}_dense")(backbone.output)
        # The loss needs float32 whatever the policy of the layers below.
        return keras.layers.Rescaling(scale, dtype="float32", name=name)(x)

    outputs = {"labels": logits(classes, "labels")}
    if teacher_classes:
        outputs["teacher"] = logits(teacher_classes, "teacher", 1 / TEMPERATURE)
    return keras.Model(backbone.input, outputs)


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


def _save(model: keras.Model, path: Path, step: int, steps: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {f"v{i}": v.numpy() for i, v in enumerate(_state(model))}
    partial = path.with_name("partial.npz")
    np.savez(partial, step=step, steps=steps, **values)
    os.replace(partial, path)


def _restore(model: keras.Model, path: Path, steps: int) -> int:
    state = _state(model)
    try:
        with np.load(path, allow_pickle=False) as saved:
            values = [saved[f"v{i}"] for i in range(len(saved.files) - 2)]
            step, saved_steps = int(saved["step"]), int(saved["steps"])
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is no checkpoint ({error}); delete it, or give another folder") from error
    if [value.shape for value in values] != [tuple(v.shape) for v in state] or saved_steps != steps:
        raise WeightsError(
            f"{path} is the checkpoint of another network or schedule; "
            "give the options it was made with, or another folder"
        )
    for variable, value in zip(state, values):
        variable.assign(value)
    return step
