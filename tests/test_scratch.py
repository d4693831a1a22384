import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.networks import scratch, taps

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.float32)

ROWS = [
    ({"resize": 8}, (8, 8, 3)),
    ({"crop": 10}, (10, 10, 3)),
    ({"conv": 4}, (16, 16, 4)),
    ({"conv": 4, "kernel": 5, "stride": 2}, (8, 8, 4)),
    ({"conv": 4, "kernel": 5, "padding": "valid"}, (12, 12, 4)),
    ({"conv": 4, "bias": False}, (16, 16, 4)),
    ({"normalise": "batch"}, (16, 16, 3)),
    ({"normalise": "layer"}, (16, 16, 3)),
    ({"activation": "relu"}, (16, 16, 3)),
    ({"activation": "gelu"}, (16, 16, 3)),
    ({"pool": 2}, (8, 8, 3)),
    ({"pool": 3}, (5, 5, 3)),
    ({"global_pool": "average"}, (3,)),
    ({"global_pool": "max"}, (3,)),
    ({"tap": "average"}, (6,)),  # the average of the pixels twice: at the tap and at the end
    ({"residual": 3}, (16, 16, 3)),
    ({"residual": 6}, (16, 16, 6)),
    ({"residual": 6, "stride": 2, "activation": "tanh"}, (8, 8, 6)),
    ({"dropout": 0.5}, (16, 16, 3)),
    ({"flatten": True}, (768,)),
    ({"dense": 5}, (5,)),
]


@pytest.mark.parametrize(("row", "shape"), ROWS, ids=str)
def test_every_kind_of_row(row, shape):
    model = scratch.convnet(16, [row])
    last = [layer for layer in model.layers if layer.name != "features"][-1]
    assert tuple(last.output.shape[1:]) == shape or "tap" in row
    features = model(PICTURES)
    assert features.shape == (4, shape[-1])
    assert np.isfinite(features).all()


def test_all_kinds_are_in_the_table_of_rows():
    assert {next(iter(row)) for row, _ in ROWS} == set(scratch.LAYERS)


def test_taps_join_the_features():
    rows = [{"conv": 4}, {"tap": "average"}, {"pool": 2}, {"tap": "max"}, {"conv": 6}]
    net = scratch.convnet(16, rows)
    maps = keras.Model(net.input, [layer.output for layer in net.layers if len(layer.output.shape) == 4][-3:])
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3))
    first, pooled, last = (np.asarray(values) for values in maps(pictures))
    expected = [first.mean(axis=(1, 2)), pooled.max(axis=(1, 2)), last.mean(axis=(1, 2))]
    np.testing.assert_allclose(net(pictures), np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-6)


def test_bias_option():
    with_bias, without = (scratch.convnet(8, [{"conv": 4, "bias": bias}]) for bias in (True, False))
    assert with_bias.count_params() - without.count_params() == 4


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_activation_is_what_its_name_says(name):
    pixels = scratch.convnet(4, [{"flatten": True}, {"activation": name}])(PICTURES[:, :4, :4])
    scaled = PICTURES[:, :4, :4].reshape(4, -1) / 127.5 - 1
    expected = np.tanh(scaled) if name == "tanh" else 1 / (1 + np.exp(-scaled))
    np.testing.assert_allclose(pixels, expected, atol=1e-6)


def test_raw_pixels_become_minus_one_to_one():
    pictures = np.stack([np.zeros((4, 4, 3)), np.full((4, 4, 3), 255)]).astype(np.float32)
    features = scratch.convnet(4, [{"flatten": True}])(pictures)
    np.testing.assert_allclose(features, np.repeat([[-1], [1]], 48, axis=1), atol=1e-6)


def test_pooling_does_not_overlap():
    model = scratch.convnet(4, [{"pool": 2}, {"flatten": True}])
    blocks = PICTURES[:, :4, :4].reshape(4, 2, 2, 2, 2, 3).max(axis=(2, 4))
    np.testing.assert_allclose(model(PICTURES[:, :4, :4]), blocks.reshape(4, -1) / 127.5 - 1, atol=1e-6)


def test_crop_takes_the_middle():
    features = scratch.convnet(16, [{"crop": 8}, {"flatten": True}])(PICTURES)
    np.testing.assert_allclose(features, PICTURES[:, 4:12, 4:12].reshape(4, -1) / 127.5 - 1, atol=1e-6)


def test_a_network_for_any_size():
    model = scratch.convnet(None, [{"conv": 4}, {"residual": 4}])
    assert model(PICTURES).shape == model(PICTURES[:, :9, :9]).shape == (4, 4)


def test_a_residual_network_of_tens_of_layers_trains():
    rows = [{"conv": 4, "stride": 2}, *[{"residual": 4}] * 15, {"residual": 8, "stride": 2}, {"dense": 2}]
    model = scratch.convnet(16, rows)
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in model.layers) > 30
    model.compile(keras.optimizers.SGD(0.01), loss="mse")
    before = [w.copy() for w in model.get_weights()]
    assert np.isfinite(model.train_on_batch(PICTURES, np.ones((4, 2), np.float32)))
    assert any((old != new).any() for old, new in zip(before, model.get_weights()))


def test_dense_network():
    model = scratch.dense_network(8, hidden=(10, 6), activation="tanh")
    assert model.output_shape == (None, 6)
    assert model.count_params() == (8 * 8 * 3 * 10 + 10) + (10 * 6 + 6)
    assert not any(isinstance(layer, keras.layers.Conv2D) for layer in model.layers)
    assert np.abs(model(PICTURES[:, :8, :8])).max() <= 1


def test_describe_layers():
    model = scratch.convnet(
        8, [{"conv": 4}, {"normalise": "batch"}, {"residual": 6, "stride": 2}, {"flatten": True}, {"dense": 5}]
    )
    rows = scratch.describe_layers(model)
    assert sum(row.parameters for row in rows) == model.count_params()
    conv = next(row for row in rows if row.kind == "Conv2D")
    assert conv.output_shape == (8, 8, 4)
    assert conv.parameters == 3 * 3 * 3 * 4 + 4
    assert conv.dense_parameters == (8 * 8 * 3) * (8 * 8 * 4) + 8 * 8 * 4
    assert rows[-1].parameters == rows[-1].dense_parameters == (4 * 4 * 6) * 5 + 5
    assert next(row for row in rows if row.kind == "Add").dense_parameters is None


def test_a_layer_of_several_outputs_is_described_and_opened():
    inputs = keras.Input((8, 8, 3), name="pictures")
    sequence = keras.layers.Reshape((8, 24))(keras.layers.Conv2D(3, 3, padding="same")(inputs))
    _, state, _ = keras.layers.LSTM(4, return_state=True, name="lstm")(sequence)
    nested = keras.Model(inputs, state)
    outer = keras.Input((8, 8, 3))
    for model in (nested, keras.Model(outer, keras.layers.Dense(2)(nested(outer)))):
        network = taps.open_network(model)
        assert len(network.maps()) == 1
        expected = model(PICTURES[:, :8, :8])
        np.testing.assert_allclose(network.up_to(network.logits)(PICTURES[:, :8, :8]), expected, atol=1e-6)
    assert next(row for row in scratch.describe_layers(nested) if row.name == "lstm").output_shape == (4,)


def test_describe_layers_of_any_size_has_no_price():
    rows = scratch.describe_layers(scratch.convnet(None, [{"conv": 4}]))
    assert next(row for row in rows if row.kind == "Conv2D").dense_parameters is None


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"covn": 4}], "did you mean conv"),
        ([{"zzz": 4}], "expected one of resize"),
        ([{"conv": 4, "kernal": 3}], "did you mean kernel?"),
        ([{"pool": 2, "stride": 2}], "pool has none"),
        ([{"activation": "rellu"}], "did you mean relu"),
        ([{"residual": 4, "activation": "tan"}], "did you mean tanh"),
        ([{"normalise": "bach"}], "did you mean batch?"),
        ([{"global_pool": "averge"}], "did you mean average?"),
        ([{"conv": 4, "padding": "smae"}], "smae"),
        ([{"conv": 0}], "whole number"),
        ([{"conv": "32"}], "whole number"),
        ([{"dense": 2.5}], "whole number"),
        ([{"resize": -1}], "whole number"),
        ([{"dropout": 1.5}], "between 0 and 1"),
        ([{"pool": 9}], "too small for these layers"),
        ([{"conv": 4, "kernel": 9, "padding": "valid"}], "too small for these layers"),
        ([{"flatten": True}, {"conv": 4}], "layer 1"),
        ([{"global_pool": "max"}, {"resize": 4}], "expected a map"),
        ([{}], "expected a row"),
        (["conv"], "expected a row"),
        ([None], "expected a row"),
    ],
    ids=str,
)
def test_a_wrong_row(rows, said):
    with pytest.raises(LayerError) as error:
        scratch.convnet(8, rows)
    message = str(error.value)
    assert said in message
    assert message.startswith("layer ")
    assert "\n" not in message


def test_no_layers_at_all():
    with pytest.raises(LayerError, match="no layers; expected rows such as"):
        scratch.convnet(8, [])


@pytest.mark.parametrize("name", scratch.ACTIVATIONS)
def test_every_activation_keeps_the_shape(name):
    assert scratch.convnet(4, [{"activation": name}])(PICTURES[:, :4, :4]).shape == (4, 3)


def test_flattening_needs_a_size():
    with pytest.raises(LayerError):
        scratch.convnet(None, [{"flatten": True}, {"dense": 3}])
