import keras
import numpy as np
import pytest

from transfer.errors import OptionError, UnknownNameError
from transfer.networks import heads, scratch
from transfer.networks.heads import cross_entropy, multiclass_hinge

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("kind", "options", "parameters"),
    [
        ("linear", {}, 7 * 3 + 3),
        ("svm", {}, 7 * 3 + 3),
        ("mlp", {"hidden": (5, 4)}, (7 * 5 + 5) + (5 * 4 + 4) + (4 * 3 + 3)),
    ],
)
def test_every_kind(kind, options, parameters):
    head = heads.head(7, 3, kind=kind, **options)
    logits = head(RNG.normal(size=(6, 7)).astype(np.float32))
    assert logits.shape == (6, 3)
    assert sum(int(np.prod(w.shape)) for w in head.trainable_weights) == parameters
    assert head.layers[-1].activation is keras.activations.linear
    assert not np.allclose(np.sum(logits, axis=1), 1)


def test_mlp_takes_its_activation():
    head = heads.head(4, 2, kind="mlp", hidden=(3,), activation="tanh")
    assert keras.activations.tanh in [getattr(layer, "activation", None) for layer in head.layers]


def test_standardise_starts_as_the_identity():
    head = heads.head(4, 2)
    features = RNG.normal(size=(5, 4)).astype(np.float32)
    kernel, bias = head.get_layer("logits").get_weights()
    np.testing.assert_allclose(head(features), features @ kernel + bias, atol=1e-5)


@pytest.mark.parametrize("kind", heads.HEADS)
def test_join(kind):
    backbone = scratch.convnet(8, [{"conv": 4}, {"activation": "relu"}])
    head = heads.head(4, 3, kind=kind)
    model = heads.join(backbone, head)
    pictures = RNG.integers(0, 256, (3, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(model(pictures), head(backbone(pictures)), atol=1e-6)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert model.layers[-1] is head.layers[-1]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"kind": "lienar"}, UnknownNameError, "did you mean linear?"),
        ({"kind": "mlp", "activation": "rellu"}, UnknownNameError, "did you mean relu"),
        ({"dropout": 1.0}, OptionError, "below 1"),
        ({"dropout": -0.1}, OptionError, "below 1"),
        ({"kind": "mlp", "hidden": (8, 0)}, OptionError, "from 1 up"),
        ({"kind": "mlp", "hidden": ()}, OptionError, "or the head linear"),
    ],
)
def test_wrong_options(options, error, said):
    with pytest.raises(error, match=said):
        heads.head(4, 2, **options)


def test_multiclass_hinge_by_hand():
    scores = RNG.normal(size=(20, 4)).astype(np.float32)
    labels = RNG.integers(0, 4, 20)
    expected = []
    for row, label in zip(scores, labels):
        wrong = max(score for place, score in enumerate(row) if place != label)
        expected.append(max(0.0, 1 + wrong - row[label]))
    loss = multiclass_hinge(np.eye(4, dtype=np.float32)[labels], scores)
    np.testing.assert_allclose(loss, expected, atol=1e-5)


def test_hinge_is_nothing_where_the_margin_is_kept():
    loss = multiclass_hinge(np.float32([[1, 0], [1, 0]]), np.float32([[2, 0.5], [0.5, 0.5]]))
    np.testing.assert_allclose(loss, [0, 1], atol=1e-6)


def test_label_smoothing_by_hand():
    scores, target = np.float32([[2.0, 0.0, -1.0]]), np.float32([[1, 0, 0]])
    log_probabilities = scores - np.log(np.exp(scores).sum())
    smooth = 0.9 * target + 0.1 / 3
    np.testing.assert_allclose(cross_entropy(0.1)(target, scores), -(smooth * log_probabilities).sum(), rtol=1e-5)
