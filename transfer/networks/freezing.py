"""Which weights of a network training may change."""

from __future__ import annotations

from collections.abc import Iterator

import keras


def every_layer(model: keras.Model) -> Iterator[keras.Layer]:
    """All layers in order, those of nested models in place of the model."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from every_layer(layer)
        else:
            yield layer


def freeze(model: keras.Model) -> None:
    """Let training change nothing in this network, moving statistics included."""
    unfreeze(model, share=0.0)


def unfreeze(model: keras.Model, share: float = 1.0, batch_norm: bool = False) -> None:
    """Let training change the top of a network and nothing below.

    BatchNormalization stays as it is unless asked otherwise: its statistics belong to the weights
    they were measured with, and small batches spoil them. In Keras up to 3.15 only
    `trainable = False` on the layer itself keeps them still.

    Args:
        share: of the layers with weights, from the output down, 0..1; above 0, at least one of them.
        batch_norm: whether BatchNormalization is changed as well.
    """
    layers = list(every_layer(model))
    weighted = [layer for layer in layers if layer.weights and not _is_batch_norm(layer)]
    count = max(1, round(share * len(weighted))) if share else 0
    opened = {id(layer) for layer in weighted[len(weighted) - count :]}
    first = next((i for i, layer in enumerate(layers) if id(layer) in opened), len(layers))
    model.trainable = True
    for position, layer in enumerate(layers):
        layer.trainable = id(layer) in opened or (batch_norm and _is_batch_norm(layer) and position >= first)


def is_frozen(model: keras.Model) -> bool:
    """Whether training can change nothing in this network, moving statistics included."""
    return not any(layer.trainable for layer in every_layer(model) if layer.weights)


def _is_batch_norm(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)
