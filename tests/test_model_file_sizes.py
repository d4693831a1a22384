"""`.keras` files that would fill the memory are refused by their sizes; common ones load."""

import io
import json
import resource
import zipfile

import h5py
import numpy as np
import pytest

from transfer import quiet

quiet.import_tensorflow()

import keras  # noqa: E402

from transfer.errors import ModelFileError  # noqa: E402
from transfer.networks.model_files import load_model  # noqa: E402


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "whole.keras"
    layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(),
              keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(3)]  # fmt: skip
    keras.Sequential(layers).save(path)
    return path


def changed(whole, path, **parts):
    """A copy of a `.keras` file with other parts, packed."""
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in {*old.namelist(), *parts}:
            new.writestr(name, parts.get(name, old.read(name) if name in old.namelist() else b""))
    return path


def refused(path, sentence):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelFileError, match=sentence) as error:
        load_model(path)
    assert "\n" not in str(error.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_a_common_file_loads_and_leaves_nothing_behind(whole):
    picture = np.ones((1, 8, 8, 3), np.float32)
    answers = [load_model(whole)(picture).numpy() for _ in range(2)]
    assert np.array_equal(*answers)


def test_layers_of_a_size_that_the_file_has_no_weights_for(whole, tmp_path):
    with zipfile.ZipFile(whole) as archive:
        config = json.loads(archive.read("config.json"))
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Dense":
            layer["config"]["units"] = 1_000_000_000
    path = changed(whole, tmp_path / "wide.keras", **{"config.json": json.dumps(config)})
    refused(path, r"has layers of .* GB, in a file of .* MB: it is damaged, or made to fill the memory")


def test_weights_that_unpack_to_far_more_than_the_file(whole, tmp_path):
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        weights.create_dataset("layers/dense/vars/0", (50_000, 50_000), "f4", chunks=(1000, 1000), compression="gzip")
    refused(changed(whole, tmp_path / "a.keras", **{"model.weights.h5": file.getvalue()}), "has weights of 10 GB")
    refused(changed(whole, tmp_path / "b.keras", **{"assets/zeros": bytes(150_000_000)}), r"unpacks to 0\.15 GB")
