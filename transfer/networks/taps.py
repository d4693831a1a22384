"""Every layer of a network within reach, those inside nested models too."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras

from transfer.errors import LayerError, first_line, unknown_name
from transfer.networks.copies import is_of_layers, take_weights


class Tap(NamedTuple):
    """One layer at work in the graph of a network: the layer, the tensors that go in, those that come out."""

    layer: keras.Layer
    inputs: list[keras.KerasTensor]
    outputs: list[keras.KerasTensor]

    @property
    def input(self) -> keras.KerasTensor:
        """The first tensor that goes in."""
        return self.inputs[0]

    @property
    def output(self) -> keras.KerasTensor:
        """The first tensor that comes out."""
        return self.outputs[0]


class OpenNetwork(NamedTuple):
    """A network as one flat graph.

    Attributes:
        pictures: the input, `(B, S, S, 3)` 0..255.
        calls: of all layers, from the input to the output; a layer that is used twice is there twice.
        logits: the output, `(B, C)`.
    """

    pictures: keras.KerasTensor
    calls: list[Tap]
    logits: keras.KerasTensor

    @property
    def taps(self) -> dict[str, Tap]:
        """Layers by name, each with its last call; one inside a nested model is named `model.layer`."""
        return {call.layer.name: call for call in self.calls}

    def up_to(self, *outputs: keras.KerasTensor) -> keras.Model:
        """A network from pictures to some tensors of the graph; a single one comes without a list."""
        return keras.Model(self.pictures, outputs[0] if len(outputs) == 1 else list(outputs))

    def tap(self, name: str) -> Tap:
        """A layer by its name.

        Raises:
            LayerError: there is none of that name; the nearest names are given.
        """
        taps = self.taps
        if name not in taps:
            raise unknown_name("layer", name, taps, LayerError)
        return taps[name]

    def maps(self) -> list[str]:
        """Layers that give maps of several positions, from the first convolution on; none in a dense network.

        Pooling does not count: it only coarsens what a layer before it found.
        """
        names, convolved = [], False
        for name, tap in self.taps.items():
            convolved = convolved or is_convolution(tap.layer)
            shape = tap.output.shape
            if convolved and len(shape) == 4 and shape[1:3] != (1, 1) and "Pooling" not in type(tap.layer).__name__:
                names.append(name)
        return names

    def first_weighted(self) -> Tap:
        """The convolution or fully-connected layer nearest to the picture.

        Raises:
            LayerError: the network has neither.
        """
        for tap in self.taps.values():
            if is_convolution(tap.layer) or isinstance(tap.layer, keras.layers.Dense):
                return tap
        raise LayerError("the network has no convolution and no fully-connected layer; there are no filters to show")


def is_convolution(layer: keras.Layer) -> bool:
    """Whether a layer's weights are shared over the positions of a map."""
    return not isinstance(layer, keras.Model) and any(
        len(weight.shape) == 4 for weight in getattr(layer, "weights", ())
    )


def open_network(
    model: keras.Model, copies: bool = False, before: Callable[[keras.KerasTensor], keras.KerasTensor] = lambda x: x
) -> OpenNetwork:
    """Lay a network out as one flat graph.

    Layers are shared with `model`, but for those inside nested models: names could clash, so these are
    copies that hold the same weights. A model inside that has a class of its own counts as one layer.

    Args:
        model: functional or sequential, pictures `(B, S, S, 3)` to logits `(B, C)`.
        copies: make all layers such copies, for a network that is to live on its own.
        before: what is done to pictures before the first layer.

    Raises:
        LayerError: the network is of a class of its own, whose layers Keras does not know, or cannot copy.
    """
    if not isinstance(model, (keras.Sequential, keras.Function)):
        raise LayerError(f"{model.name} is a {type(model).__name__}; expected a functional or sequential network")
    pictures = keras.Input(model.inputs[0].shape[1:], name="pictures")
    calls: list[Tap] = []
    twins: dict[tuple[str, int], tuple[keras.Layer, keras.Layer]] = {}
    logits = _run(model, before(pictures), calls, twins, "", copies)
    for layer, twin in twins.values():
        take_weights(twin, layer)
    return OpenNetwork(pictures, calls, logits)


def layer_names(model: keras.Model) -> list[str]:
    """Names of all layers, from the input to the output; `model.layer` for those of a nested model."""
    return list(open_network(model).taps)


def _run(model: keras.Model, inputs, calls: list[Tap], twins: dict, prefix: str, copies: bool) -> keras.KerasTensor:
    """Call all layers of a model in order and note each, with the copies that were made; returns the output."""
    last = inputs

    def copy(layer):
        if not copies or is_of_layers(layer) or not isinstance(layer, keras.Layer):
            return layer
        key = prefix, id(layer)
        if key not in twins:  # Keras asks again where a layer is used again
            twins[key] = layer, _twin(layer, prefix + layer.name)
        return twins[key][1]

    def call(layer, *args, **kwargs):
        nonlocal last
        given = [value for value in keras.tree.flatten((args, kwargs)) if isinstance(value, keras.KerasTensor)]
        if is_of_layers(layer):
            last = _run(layer, given[0], calls, twins, f"{prefix}{layer.name}.", copies=True)
        else:
            last = layer(*args, **kwargs)
            calls.append(Tap(layer, given, keras.tree.flatten(last)))
        return last

    graph = keras.Model(model.inputs[0], model.outputs[0])  # a Sequential becomes functional
    keras.models.clone_model(graph, inputs, clone_function=copy, call_function=call)
    # The graph is run in order of depth, and nothing is deeper than its one output.
    return keras.tree.flatten(last)[graph.outputs[0]._keras_history.tensor_index]


def _twin(layer: keras.Layer, name: str) -> keras.Layer:
    try:
        return type(layer).from_config(layer.get_config() | {"name": name})
    except (NotImplementedError, TypeError, ValueError) as error:
        raise LayerError(
            f"the layer {layer.name} is a {type(layer).__name__}, which cannot be made again from its configuration; "
            f"expected layers of Keras ({first_line(error)})"
        ) from error
