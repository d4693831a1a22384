import json
import os
import platform
import subprocess
import sys

import keras
import numpy as np
import pytest

from transfer.errors import DataError
from transfer.learning import learning_rates, paces, training
from transfer.learning.batches import Batches, TrainingBatches, stream
from transfer.networks import heads
from transfer.settings import Schedule

# The first import of TensorFlow may be by way of any module of the package.
FAULTS = """
import json, os, resource
import transfer.networks.inner_images
import tensorflow as tf
maps = tf.random.uniform((64, 128, 128, 16))  # 64 MiB
faults = []
for _ in range(12):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tf.nn.relu(maps + 1.0).numpy
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(json.dumps({"faults": sorted(faults)[6], "allocator": os.environ["TF_CPU_ALLOCATOR_USE_BFC"]}))
"""


def run(**environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env=inherited | environment | {"TF_ENABLE_ONEDNN_OPTS": "0"},  # which has an allocator of its own
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""  # TensorFlow says nothing of processors and drivers
    return json.loads(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="page faults of glibc's allocator")
def test_tensorflow_makes_no_noise_and_uses_freed_tensors_again():
    kept, given_back = run(), run(TF_CPU_ALLOCATOR_USE_BFC="false", MALLOC_ARENA_MAX="16")
    assert kept["faults"] < 100 < 5000 < given_back["faults"]
    assert given_back["allocator"] == "false"  # whoever has chosen keeps that


class Held:
    """Pixels as `Batches` asks for them."""

    size = 12

    def pixels(self, index):
        return np.full((12, 12, 3), index, np.uint8)


def given(kind, *options):
    return kind(
        Held(), np.arange(10), np.eye(2, dtype=np.float32)[np.arange(10) % 2], np.ones(10, np.float32), *options
    )


def test_a_stream_gives_the_batches_in_their_order_epoch_after_epoch():
    validation, batches = given(Batches, 4), given(TrainingBatches, 4, 0)
    expected = [(number, epoch) for epoch in (1, 2) for number in range(3)]
    for made, (number, epoch) in zip(stream(batches, range(1, 3)), expected, strict=True):
        for a, b in zip(made, batches.batch(number, epoch)):
            np.testing.assert_array_equal(a, b)
    assert [len(made[0]) for made in stream(validation)] == [4, 4, 2]


class Gone(Held):
    """A disk that is not there any more."""

    def pixels(self, index):
        raise DataError("more than a tenth of the pictures are gone")


def test_what_ends_a_stream_is_said_wherever_one_is_learned_from():
    network = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    batches, schedule = given(TrainingBatches, 4, 0), Schedule(1, 3, 4, 1e-3, patience=None)
    batches.pictures = Gone()
    asked = network, batches, schedule, heads.cross_entropy()
    for measured in (paces.measured_pace, lambda *given: learning_rates.losses_by_rate(*given, np.array([1e-3, 1e-2]))):
        with pytest.raises(DataError, match="are gone"):
            measured(*asked)


def fit_all():
    """A network and a head, for two epochs each."""
    schedule, loss = Schedule(2, 3, 4, 1e-3, patience=2), heads.cross_entropy()
    inputs = keras.Input((12, 12, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(inputs)))
    training.fit_network(model, given(TrainingBatches, 4, 0), given(Batches), schedule, loss, "scratch")
    features, targets, weights = np.ones((8, 3), np.float32), np.eye(2, dtype=np.float32)[[0, 1] * 4], np.ones(8)
    head = heads.head(3, 2)
    training.fit_head(head, (features, targets, weights.astype(np.float32)), (features, targets), schedule, loss)


def test_nothing_that_is_fitted_tunes_its_pipeline_or_makes_its_graph_twice(monkeypatch):
    """An iterator with autotune is given up only after up to a minute; a large graph takes seconds."""
    seen, traced, fit, step = [], [], keras.Model.fit, keras.Model.train_step

    def watched(self, data, **options):
        seen.extend([data, options["validation_data"]])
        return fit(self, data, **options)

    monkeypatch.setattr(keras.Model, "fit", watched)
    monkeypatch.setattr(keras.Model, "train_step", lambda self, data: traced.append(self.name) or step(self, data))
    fit_all()
    assert [data.options().autotune.enabled for data in seen] == [False] * 4
    assert len(traced) == len(set(traced)) == 2
