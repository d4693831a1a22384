"""Fine-tuning beside the ways of the Keras guide and of fastai: accuracy on one test part, and processor time.

    python benchmarks/fine_tuning.py flowers scenes waste digits --per-class 50 --splits 5 --size 128
    python benchmarks/fine_tuning.py emotions --groups emotions=emotions-groups.csv

All start from the same network and weights, and learn from the same pictures, decoded before. `keras` is the guide
"Transfer learning & fine-tuning": a fully-connected layer behind a dropout, 10 epochs of Adam at 1e-3, then all layers
10 epochs at 1e-5, with mirrored and turned pictures. `fastai` is `vision_learner(...).fine_tune(5)` by Keras: its head
of two layers on averages and maxima, one epoch of it, then five of all layers with rates that rise a hundredfold from
the first layers to the head, each by one cycle of rate and momentum (Smith & Topin 2017, arXiv:1708.07120), and its
usual changes of pictures but for the warp. Both keep the last epoch and learn nothing from the validation part. Mean
and standard deviation over splits.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf
import typer

import transfer
from transfer.data.pipeline import Pictures

WAYS = ("frozen", "finetune", "keras", "fastai")


def main(
    data: list[str],
    per_class: str = "10,50",
    splits: int = 5,
    size: int = 128,
    backbone: str = "efficientnet_lite0",
    ways: str = ",".join(WAYS),
    groups: Annotated[list[str] | None, typer.Option(help="FOLDER=CSV")] = None,
) -> None:
    tables = dict(row.split("=", 1) for row in groups or [])
    chosen = ways.split(",")
    print(f"{size} px; accuracy in %, seconds of processor time in parentheses")
    print("| data | a class | " + " | ".join(chosen) + " |\n" + "| --- " * (2 + len(chosen)) + "|")
    for place in data:
        images = transfer.load_images(place, tables.get(Path(place).name))
        for amount in per_class.split(","):
            found = {way: [] for way in chosen}
            for seed in range(splits):
                split = transfer.split(images, seed)
                if amount != "all":
                    split = transfer.limit_training(split, images.labels, int(amount), seed, validation_too=True)
                for way in chosen:
                    found[way].append(measured(way, images, split, backbone, size, seed))
                    print("   ", Path(place).name, amount, seed, way, *np.round(found[way][-1], 1), flush=True)
            cells = [
                f"{accuracy.mean():.1f} ± {accuracy.std():.1f} ({seconds.mean():.0f})"
                for accuracy, seconds in (np.transpose(rows) for rows in found.values())
            ]
            print(f"| {Path(place).name} | {amount} | " + " | ".join(cells) + " |", flush=True)


def measured(way, images, split, backbone, size, seed) -> tuple[float, float]:
    """Accuracy on the test part in %, and seconds of processor time without decoding."""
    keras.utils.set_random_seed(seed)
    pictures = Pictures(images, size, "crop", keep=True)
    pictures.load(np.concatenate(list(split.parts().values())))
    network = transfer.load_backbone(backbone, size, features="last")  # built before the clock starts
    if way in ("frozen", "finetune"):
        with tempfile.TemporaryDirectory() as cache:
            os.environ["TRANSFER_CACHE"] = cache
            started = time.process_time()
            result = transfer.train(images, split, backbone, way, pictures=pictures, image_size=size, seed=seed)
            return 100 * result.metrics["accuracy"], time.process_time() - started
    started = time.process_time()
    model = {"keras": as_in_the_guide, "fastai": as_in_fastai}[way](network, images, split, pictures)
    logits = model.predict(pictures.array(split.test).astype(np.float32), verbose=0)
    accuracy = (logits.argmax(axis=1) == images.labels[split.test]).mean()
    return 100 * accuracy, time.process_time() - started


def as_in_the_guide(network, images, split, pictures) -> keras.Model:
    """The head by Adam at 1e-3, then all layers at 1e-5, batches of 32, BatchNormalization still."""
    change = keras.Sequential([keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.1)])
    data = batches(images, split, pictures, 32, change)
    for layer in network.layers:
        layer.trainable = False
    features = keras.layers.Dropout(0.2)(network.output)
    model = keras.Model(network.input, keras.layers.Dense(len(images.class_names))(features))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
    model.fit(data, epochs=10, verbose=0)
    for layer in network.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    model.compile(keras.optimizers.Adam(1e-5), loss, jit_compile=False)
    model.fit(data, epochs=10, verbose=0)
    return model


def as_in_fastai(network, images, split, pictures, base: float = 2e-3) -> keras.Model:
    """`fine_tune(5)`: one epoch with the backbone frozen but for BatchNormalization, then five of all layers."""
    layers = keras.layers
    change = keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(10 / 360, fill_mode="reflect"),
            layers.RandomZoom((-0.1, 0.0)),
            layers.RandomBrightness(0.2, value_range=(0, 255)),
            layers.RandomContrast(0.2, value_range=(0, 255)),
        ]
    )
    data = batches(images, split, pictures, min(64, len(split.train)), change)
    maps = next(layer.output for layer in reversed(network.layers) if len(layer.output.shape) == 4)
    pooled = layers.Concatenate()([layers.GlobalMaxPooling2D()(maps), layers.GlobalAveragePooling2D()(maps)])
    x = layers.Dropout(0.25)(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(pooled))
    x = layers.ReLU()(layers.Dense(512, use_bias=False)(x))
    x = layers.Dropout(0.5)(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    model = keras.Model(network.input, layers.Dense(len(images.class_names), use_bias=False)(x))
    body = [variable.path for variable in network.trainable_variables]
    first, second = set(body[: len(body) // 2]), set(body[len(body) // 2 :])
    for layer in network.layers:
        layer.trainable = isinstance(layer, layers.BatchNormalization)
    one_cycle(model, data, 1, base, (first, second), (1.0, 1.0), pct_start=0.99, div=25)
    for layer in network.layers:
        layer.trainable = True
    one_cycle(model, data, 5, base / 2, (first, second), (0.01, 0.1), pct_start=0.3, div=5)
    return model


def one_cycle(model, data, epochs, highest, groups, factors, pct_start, div) -> None:
    """Rate and momentum along one cycle; layers of each group at a share of the rate."""
    share = {path: factor for paths, factor in zip(groups, factors) for path in paths}
    by_place = [share.get(variable.path, 1.0) for variable in model.trainable_variables]

    class ByGroup(keras.optimizers.AdamW):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate * by_place[self._get_variable_index(variable)])

    total = epochs * int(data.cardinality())
    turn = max(1, round(pct_start * total))

    def between(start, end, share):
        return end + (start - end) * (1 + np.cos(np.pi * share)) / 2

    class Cycle(keras.callbacks.Callback):
        step = 0

        def on_train_batch_begin(self, batch, logs=None):
            up, down = self.step / turn, (self.step - turn) / max(1, total - turn)
            rising = self.step < turn
            rate = between(highest / div, highest, up) if rising else between(highest, highest / 1e5, down)
            self.model.optimizer.learning_rate.assign(rate)
            self.model.optimizer.beta_1.assign(between(0.95, 0.85, up) if rising else between(0.85, 0.95, down))
            self.step += 1

    optimizer = ByGroup(highest, weight_decay=0.01, beta_2=0.99, epsilon=1e-5)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.beta_1 = keras.Variable(0.95, trainable=False, name="momentum")
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=False)
    model.fit(data, epochs=epochs, callbacks=[Cycle()], verbose=0)


def batches(images, split, pictures, size: int, change: keras.Sequential) -> tf.data.Dataset:
    pixels, labels = pictures.array(split.train), images.labels[split.train]
    targets = np.eye(len(images.class_names), dtype=np.float32)[labels]
    data = tf.data.Dataset.from_tensor_slices((pixels, targets)).shuffle(len(pixels))
    data = data.batch(size, drop_remainder=len(pixels) % size == 1)  # one picture has no variance
    changed = data.map(lambda x, y: (change(tf.cast(x, tf.float32), training=True), y)).prefetch(2)
    options = tf.data.Options()
    options.autotune.enabled = False
    return changed.with_options(options)


if __name__ == "__main__":
    typer.run(main)
