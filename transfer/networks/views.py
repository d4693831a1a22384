"""A picture and its mirror image seen together."""

from __future__ import annotations

import keras

from transfer.networks.taps import open_network


def two_views(model: keras.Model) -> keras.Model:
    """A network whose features are the mean of those of a picture and of its mirror image.

    As Simonyan & Zisserman 2014 (arXiv:1409.1556) average answers at test time, but of features, so in training too.

    Args:
        model: functional or sequential, pictures `(B, S, S, 3)` to features `(B, D)`.

    Returns:
        The same with layers of its own that hold the same weights. Inside, a batch is twice as long: the pictures, then
        their mirror images.

    Raises:
        LayerError: the network is of a class of its own, whose layers Keras does not know.
    """
    network = open_network(
        model, copies=True, before=lambda x: keras.ops.concatenate([x, keras.ops.flip(x, axis=2)], axis=0)
    )
    both = keras.ops.reshape(network.logits, (2, -1, network.logits.shape[-1]))
    return keras.Model(network.pictures, keras.ops.mean(both, axis=0), name=model.name)
