"""`.keras` files: loaded without running code of theirs, and cut before their classifier."""

from __future__ import annotations

import importlib
import re
import zipfile
from pathlib import Path

import keras
from keras import layers as kl

from transfer.errors import ImageSizeError, MissingExtraError, ModelFileError, first_line, require_whole
from transfer.networks.copies import copy_network
from transfer.networks.model_file_sizes import check_sizes
from transfer.pretrained.hub_package import require_keras_hub

# What may stand behind the last fully-connected layer of a classifier.
AFTER_CLASSIFIER = (kl.Activation, kl.Softmax, kl.ReLU, kl.Dropout, kl.Flatten, kl.Reshape, kl.Rescaling, kl.Identity)


def load_model(path: Path) -> keras.Model:
    """Load a `.keras` file in safe mode.

    Raises:
        ModelFileError: missing, no Keras file, one that would run code on loading, or would fill the memory.
        MissingExtraError: it has layers of KerasHub, which is not installed.
    """
    if not path.is_file():
        raise ModelFileError(f"{path} does not exist; expected a .keras file")
    try:
        _make_known(path)
        check_sizes(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ModelFileError, MissingExtraError):
        raise
    except Exception as error:  # whatever the file makes Keras, zipfile or h5py raise
        reason = first_line(error)
        if not zipfile.is_zipfile(path):
            reason = "it is cut off, or no .keras file"
        elif "unsafe" in str(error).lower() or "lambda" in str(error).lower():
            reason = "it holds a Lambda layer, which would run code of the file's author"
        raise ModelFileError(f"{path} cannot be loaded safely as a Keras model: {reason}") from error


def _make_known(path: Path) -> None:
    """Let Keras know the layers of KerasHub where a file has some."""
    with zipfile.ZipFile(path) as archive:
        if b'"keras_hub' in archive.read("config.json"):
            require_keras_hub(str(path))
            importlib.import_module("keras_hub")


def load_feature_network(path: Path, image_size: int | None, default_size: int) -> keras.Model:
    """Load a classifier or feature network from a `.keras` file, without its classifier.

    Args:
        path: a model of one input, pictures `(B, S, S, 3)` 0..255.
        image_size: side S in pixels; the file's own, or else `default_size`, by default.

    Raises:
        ModelFileError: it cannot be loaded safely, or takes something else.
        ImageSizeError: its layers do not fit S.
    """
    if image_size is not None:
        require_whole("image_size", image_size, error=ImageSizeError)
    model = load_model(path)
    shape = model.input_shape
    if isinstance(shape, (list, dict)) or len(shape) != 4 or shape[-1] != 3:
        raise ModelFileError(f"{path} takes input {shape}; expected one input of pictures (B, S, S, 3)")
    output = _before_last_dense(model)
    size = image_size or shape[1] or default_size
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", path.stem).lstrip("_-") or "own"  # TensorFlow takes no other names
    features = keras.Model(model.inputs[0], output)
    try:
        # New names, so that a head of this toolkit can follow a network that had one already.
        copy = copy_network(
            features,
            input_tensors=keras.Input((size, size, 3), name="pictures"),
            clone_function=lambda layer: type(layer).from_config(layer.get_config() | {"name": f"{stem}_{layer.name}"}),
        )
    except ValueError as error:
        raise ImageSizeError(f"`image_size={size}`: {path} was made for {shape[1]} ({first_line(error)})") from error
    if len(copy.output.shape) == 4:
        copy = keras.Model(copy.input, kl.GlobalAveragePooling2D()(copy.output))
    copy.name = stem
    return copy


def _before_last_dense(model: keras.Model):
    """The tensor that goes into the classifier at the end, or the output where there is none.

    Fully-connected layers further down, as in the blocks of ConvNeXt, belong to the features. A
    convolution of one position to one position is fully connected as well.
    """
    for layer in reversed(model.layers):
        if isinstance(layer, kl.Dense) and len(layer.input.shape) == 2:
            return layer.input
        if isinstance(layer, kl.Conv2D) and tuple(layer.input.shape[1:3]) == (1, 1):
            return kl.Flatten()(layer.input)
        if not isinstance(layer, AFTER_CLASSIFIER):
            break
    return model.outputs[0]
