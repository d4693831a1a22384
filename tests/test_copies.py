import keras
import numpy as np
import pytest
from keras import layers as kl

import transfer
from transfer.networks import backbones, heads
from transfer.networks.copies import copy_network
from transfer.networks.quick_layers import quick, quick_copy

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.float32)


def adapted(nested=False):
    """A network with a layer whose weights were adapted to pictures, as those of EfficientNet are."""
    keras.utils.set_random_seed(0)
    normalise = kl.Normalization()
    normalise.adapt(PICTURES)
    inputs = keras.Input((32, 32, 3))
    x = keras.Sequential([kl.Identity(), normalise])(inputs) if nested else normalise(inputs)
    return keras.Model(inputs, kl.GlobalMaxPooling2D()(kl.Conv2D(4, 3, strides=4)(x)), name="adapted")


def from_file(network, folder):
    network.save(folder / "adapted.keras")
    return backbones.load_backbone(str(folder / "adapted.keras"))


@pytest.mark.parametrize("copy", [copy_network, quick_copy, from_file])
@pytest.mark.parametrize("nested", [False, True])
def test_a_copy_answers_like_its_original(copy, nested, tmp_path):
    network = adapted(nested)
    answers = copy(network, tmp_path) if copy is from_file else copy(network)
    np.testing.assert_allclose(answers(PICTURES), network(PICTURES), rtol=1e-4, atol=1e-4)
    assert np.std(network(PICTURES)) < 10  # and not the values of raw pixels


@pytest.mark.parametrize("copy", [copy_network, quick_copy])
def test_the_copy_of_a_sequential_network_takes_a_head(copy):
    network = keras.Sequential([keras.Input((32, 32, 3)), kl.Conv2D(4, 3, strides=4), kl.GlobalMaxPooling2D()])
    model = heads.join(copy(network), heads.head(4, 3))
    assert model(PICTURES).shape == (4, 3)
    np.testing.assert_allclose(copy(network)(PICTURES), network(PICTURES), rtol=1e-4, atol=1e-4)


def test_an_opened_network_answers_like_the_closed_one():
    inner = adapted()
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, kl.Dense(2)(inner(inputs)))
    opened = transfer.layer_output(model, PICTURES, f"adapted.{inner.layers[-1].name}")
    np.testing.assert_allclose(opened, inner(PICTURES), rtol=1e-4, atol=1e-4)


def test_fine_tuning_begins_where_the_frozen_network_ended(digits):
    frozen = transfer.train(*digits, adapted(), refit=False)
    tuned = transfer.train(*digits, adapted(), "finetune", epochs=1, learning_rate=1e-12)
    np.testing.assert_allclose(tuned.predictions.probabilities, frozen.predictions.probabilities, atol=0.05)


def test_normalisation_of_another_kind_stays_as_it_is():
    assert type(quick(kl.BatchNormalization())) is not kl.BatchNormalization
    assert type(quick(kl.BatchNormalization(scale=False))) is kl.BatchNormalization
    if "renorm" in kl.BatchNormalization().get_config():  # older Keras has none
        assert type(quick(kl.BatchNormalization(renorm=True))) is kl.BatchNormalization
