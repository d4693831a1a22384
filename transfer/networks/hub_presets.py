"""Image backbones of KerasHub, from a preset by name or from its folder, as plain networks of this toolkit."""

from __future__ import annotations

import re
import sys
from contextlib import redirect_stdout
from difflib import get_close_matches
from pathlib import Path

import keras
from keras import layers as kl

from transfer.errors import ImageSizeError, LayerError, ModelFileError, UnknownNameError, first_line
from transfer.networks.taps import open_network
from transfer.pretrained.hub_package import HUB, check_preset

USUAL_SIZE = 224  # of a preset that takes pictures of any size and names none
_CLASS_TOKENS = ("class_token", "cls_token")  # weights of the token that stands for the whole picture


def load_hub_network(name: str, image_size: int | None = None) -> keras.Model:
    """Load an image backbone of KerasHub with the preprocessing that belongs to it.

    What comes out is a functional network of the layers of the backbone, so that it needs KerasHub only for layers
    that Keras itself has not, as those of transformers.

    Args:
        name: `hub:` and a preset: its name, an address such as `hf://USER/MODEL`, or a folder.
        image_size: side S of the pictures in pixels; the preset's own by default.

    Returns:
        `keras.Model`, pictures `(B, S, S, 3)` 0..255 to features `(B, D)`: the average of the last maps, or the class
        token of a transformer that has one, else the average of its tokens.

    Raises:
        MissingExtraError: keras-hub is not installed.
        UnknownNameError: no such preset.
        ModelFileError: it cannot be had or is damaged, is no backbone of pictures, or tells no preprocessing.
        ImageSizeError: its layers do not fit S.
    """
    check_preset(name)
    import keras_hub

    preset = name.removeprefix(HUB)
    if Path(preset).is_dir():
        place = str(Path(preset).resolve())  # a folder comes before a name that KerasHub knows
    elif "://" in preset or preset in keras_hub.models.Backbone.presets:
        place = preset
    else:
        near = get_close_matches(preset.lower(), keras_hub.models.Backbone.presets, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "keras.io/keras_hub/presets lists them"
        raise UnknownNameError(f"{name}: KerasHub has no such preset, and there is no such folder; {hint}")
    backbone = _loaded(keras_hub.models.Backbone, name, place, dtype="float32")
    takes = [tuple(tensor.shape) for tensor in backbone.inputs]
    if len(takes) != 1 or len(takes[0]) != 4 or takes[0][-1] != 3:
        raise ModelFileError(f"{name} takes inputs {takes}; expected a backbone of pictures (B, S, S, 3)")
    converter = _loaded(keras_hub.layers.ImageConverter, name, place)
    own = takes[0][1]
    size = image_size or own or (converter.image_size or [USUAL_SIZE])[0]
    try:
        if own not in (None, size):  # position embeddings are made for one size; some presets scale them to another
            backbone = keras_hub.models.Backbone.from_preset(place, dtype="float32", image_shape=(size, size, 3))
        return _network(backbone, converter, size, Path(preset).name)
    except Exception as error:  # whatever layers of another size, or of a kind that Keras cannot copy, make it raise
        if image_size in (None, own):
            raise ModelFileError(f"{name} cannot be made a network of plain layers ({first_line(error)})") from error
        made_for = f"was made for {own} pixels" if own else "takes no such pictures"
        raise ImageSizeError(f"`image_size={size}`: {name} {made_for} ({first_line(error)})") from error


def _loaded(kind, name: str, place: str, **options):
    try:
        with redirect_stdout(sys.stderr):  # downloads are told of
            return kind.from_preset(place, **options)
    except Exception as error:  # each place and layout has errors of its own
        reason = first_line(error)
        if not Path(place).is_dir():
            said = f"{name} is not on this machine and cannot be fetched ({reason}); give the folder of a preset"
        elif kind.__name__ == "ImageConverter":
            said = f"{name} has no preprocessing of pictures ({reason}); save its image converter beside it"
        else:
            said = f"{name} cannot be loaded ({reason}); expected a folder as `save_to_preset` of KerasHub writes it"
        raise ModelFileError(said) from error


def _network(backbone: keras.Model, converter: keras.Layer, size: int, name: str) -> keras.Model:
    """Preprocessing, backbone and pooling: one flat network, or the backbone as one layer where it cannot be copied."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", name).lstrip("_-") or "hub"  # TensorFlow takes no other names
    scale = 1.0 if converter.scale is None else converter.scale
    offset = 0.0 if converter.offset is None else converter.offset
    pictures = keras.Input((size, size, 3), name="pictures")
    scaled = kl.Rescaling(scale, offset, name="preprocessing")(pictures)
    outputs = keras.tree.flatten(backbone(keras.tree.pack_sequence_as(backbone.input, [scaled])))
    deepest = min(range(len(outputs)), key=lambda number: (outputs[number].shape[1], -number))  # the smallest maps
    trunk = keras.Model(backbone.inputs[0], backbone.outputs[deepest], name="hub")
    try:
        flat = open_network(keras.Model(pictures, _pooled(trunk(scaled), backbone)), copies=True)
        return keras.Model(flat.pictures, flat.logits, name=name)
    except LayerError:  # KerasHub makes a backbone again from its configuration, and not each layer of its own
        return keras.Model(pictures, _pooled(outputs[deepest], backbone), name=name)


def _pooled(output: keras.KerasTensor, backbone: keras.Model) -> keras.KerasTensor:
    if len(output.shape) == 4:
        return kl.GlobalAveragePooling2D()(output)
    if len(output.shape) == 3 and any(weight.name in _CLASS_TOKENS for weight in backbone.weights):
        return output[:, 0]
    return kl.GlobalAveragePooling1D()(output) if len(output.shape) == 3 else output
