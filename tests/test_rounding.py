"""Kernels on the grid of int8: what stays of the answers, and what is changed."""

import numpy as np
import pytest

from transfer import quiet

quiet.import_tensorflow()

import keras  # noqa: E402
from keras import layers as kl  # noqa: E402

from transfer.exports import rounding  # noqa: E402


@pytest.fixture(scope="module")
def pictures():
    """Bright surfaces with soft noise, as photographs have them: neighbours are alike."""
    rng = np.random.default_rng(0)
    surfaces = rng.uniform(80, 220, (24, 1, 1, 3)) + rng.normal(0, 8, (24, 16, 16, 3)).cumsum(1) / 2
    return surfaces.clip(0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def same_weights():
    """A layer draws its seed when it is made."""
    keras.utils.set_random_seed(0)


def network(*layers):
    return keras.Sequential([keras.Input((16, 16, 3)), kl.Rescaling(1 / 255), *layers, kl.GlobalAveragePooling2D()])


def steps(kernel, axes):
    return kernel / (np.abs(kernel).max(axis=axes, keepdims=True) / rounding.LARGEST)


def nearest(model, axes):
    """What a converter does: each weight to the nearest step."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    layer = copy.layers[1]
    kernel = np.array(layer.kernel)
    layer.kernel.assign(np.round(steps(kernel, axes)) * np.abs(kernel).max(axis=axes, keepdims=True) / rounding.LARGEST)
    return copy


def gap(model, other, pictures):
    """Mean difference of what comes out of the convolution, place by place."""
    values = [
        keras.Model(each.inputs[0], each.layers[-2].output)(pictures.astype(np.float32)) for each in (model, other)
    ]
    return float(np.abs(np.subtract(*map(np.array, values))).mean())


# 24 outputs or more: how well one does hangs on which of its weights is the largest, which has to stay.
KINDS = {
    "depthwise": (lambda: kl.DepthwiseConv2D(5, padding="same", depth_multiplier=8), (0, 1)),
    "depthwise, no bias": (
        lambda: kl.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, depth_multiplier=16),
        (0, 1),
    ),
    "convolution": (lambda: kl.Conv2D(24, 3, padding="same"), (0, 1, 2)),
    "groups": (lambda: kl.Conv2D(48, 3, groups=3, use_bias=False), (0, 1, 2)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_rounded_kernel_is_on_its_grid_and_gives_nearly_the_same(kind, pictures):
    make, axes = KINDS[kind]
    model = network(make())
    before = [np.array(weight) for weight in model.get_weights()]
    found = rounding.rounded(model, pictures)
    kernel = np.array(next(layer for layer in found.layers if hasattr(layer, "kernel")).kernel)
    np.testing.assert_allclose(steps(kernel, axes), np.round(steps(kernel, axes)), atol=1e-3)
    np.testing.assert_allclose(np.abs(kernel).max(axis=axes), np.abs(before[0]).max(axis=axes), rtol=1e-6)
    assert 0 < gap(model, found, pictures) < 0.6 * gap(model, nearest(model, axes), pictures)
    for weight, now in zip(before, model.get_weights()):
        np.testing.assert_array_equal(weight, now)


def test_the_mean_goes_into_the_normalisation_behind(pictures):
    model = network(kl.Conv2D(8, 3, use_bias=False), kl.BatchNormalization())
    found = rounding.rounded(model, pictures)
    x = pictures.astype(np.float32)
    shift = np.array(found(x)).mean(0) - np.array(model(x)).mean(0)
    assert np.abs(shift).max() < 1e-4
    assert np.abs(found.layers[-2].moving_mean).max() > 0


def test_what_has_no_kernels_of_keras_is_left_alone(pictures):
    class Own(keras.Model):
        def call(self, x):
            return x

    own = Own()
    assert rounding.rounded(own, pictures) is own
    dense = network(kl.Dense(4))
    x = pictures.astype(np.float32)
    np.testing.assert_allclose(rounding.rounded(dense, pictures)(x), dense(x), rtol=1e-6)
