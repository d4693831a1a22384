"""Layers that give what those of Keras give and train faster on a processor."""

from __future__ import annotations

import keras

from transfer.networks.copies import copy_network, is_of_layers

LARGEST = 16  # pixels a side: what was measured are small maps


def quick_copy(model: keras.Model) -> keras.Model:
    """A network with the same weights and answers, to be trained in place of `model`.

    The convnet that `settings` chooses trains 1.3 to 1.4 times as fast (TensorFlow 2.21, two cores, batches
    of 32 pictures of 64 and 96 px, float32). Only standard layers are to be saved and exported, so its
    weights go back into `model` afterwards.
    """
    nested = [layer for layer in model._flatten_layers(include_self=False) if isinstance(layer, keras.Model)]
    return copy_network(model, clone_function=quick, recursive=all(is_of_layers(each) for each in nested))


def quick(layer: keras.Layer) -> keras.Layer:
    """The same layer, or one that gives the same and trains faster."""
    kind, config = type(layer), layer.get_config()
    if kind is keras.layers.BatchNormalization and _agrees(config, _USUAL):
        kind = _Normalisation
    elif kind is keras.layers.Conv2D and _agrees(config, _PLAIN) and layer.filters >= 256:
        kind = _Convolution  # for many channels on small maps oneDNN is slow
    return kind.from_config(config)


def _agrees(config: dict, expected: dict) -> bool:
    """Whether `config` says nothing else than `expected`: older Keras knows no `renorm`."""
    return all(config.get(name, value) == value for name, value in expected.items())


_USUAL = {"scale": True, "center": True, "synchronized": False, "renorm": False}
_PLAIN = {
    "kernel_size": (3, 3), "strides": (1, 1), "padding": "same", "dilation_rate": (1, 1), "groups": 1,
    "data_format": "channels_last",
}  # fmt: skip


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
        turned = ops.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))
        by_channel = ops.transpose(ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 1, 2, 0))
        of_kernel = ops.conv(by_channel, ops.transpose(above, (1, 2, 0, 3)), padding="valid")
        return ops.conv(above, turned, padding="same"), ops.transpose(of_kernel, (1, 2, 0, 3))

    return ops.conv(x, kernel, padding="same"), gradient


class _Convolution(keras.layers.Conv2D):
    def convolution_op(self, inputs, kernel):
        if any(side is not None and side > LARGEST for side in inputs.shape[1:3]):
            return super().convolution_op(inputs, kernel)
        # A value: with a variable, TensorFlow wants more of a gradient.
        return _convolve(inputs, keras.ops.copy(kernel))


class _Normalisation(keras.layers.BatchNormalization):
    """Batch normalisation whose training step is one operation of TensorFlow.

    Keras composes it of a dozen, with a copy in float32 of every map; fused, the whole step of the
    bundled network is 1.5 times as fast at 64 px (TensorFlow 2.21 on a CPU, bfloat16).
    """

    def call(self, inputs, training=None, mask=None):
        on_maps = len(inputs.shape) == 4 and self.axis in (-1, 3)
        if not (training and self.trainable and on_maps) or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        scale, offset = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, scale, offset, epsilon=self.epsilon, is_training=True
        )
        positions = keras.ops.cast(keras.ops.prod(keras.ops.shape(inputs)[:-1]), variance.dtype)
        variance *= (positions - 1) / positions  # Keras divides by the number of positions, TensorFlow by one less
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + keras.ops.cast(now, moving.dtype) * (1 - self.momentum))
        return outputs
