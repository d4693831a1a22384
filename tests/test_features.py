import shutil
from contextlib import contextmanager

import keras
import numpy as np
import pytest

import transfer
from transfer.data.folders import load_images
from transfer.data.images import fit_picture, read_picture
from transfer.errors import TrainingError, UnreadablePictures
from transfer.networks import features, fingerprints, heads, scratch


def small_backbone(seed=0, name="small"):
    keras.utils.set_random_seed(seed)
    return scratch.convnet(16, [{"conv": 4, "stride": 2}, {"activation": "relu"}], name=name)


@pytest.fixture
def folder(digits_folder, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(digits_folder, tmp_path / "digits")


@contextmanager
def counted(monkeypatch):
    """Counts the pictures that are decoded, which are those that go through the backbone."""
    seen = []
    original = features.Pictures.batches

    def batches(self, indices, *args):
        seen.extend(indices)
        yield from original(self, indices, *args)

    with monkeypatch.context() as patch:
        patch.setattr(features.Pictures, "batches", batches)
        yield seen


def test_equal_to_a_direct_forward_pass(folder):
    images, backbone = load_images(folder), small_backbone()
    pictures = np.stack([fit_picture(read_picture(path), 16) for path in images.paths]).astype(np.float32)
    values = features.extract_features(backbone, images)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, backbone(pictures), atol=1e-5)
    np.testing.assert_array_equal(features.extract_features(backbone, images, [5, 3]), values[[5, 3]])
    assert features.extract_features(backbone, images, []).shape == (0, 4)


@pytest.mark.parametrize("cache", [True, False])
def test_the_second_time_costs_nothing(folder, monkeypatch, cache):
    images, backbone = load_images(folder), small_backbone()
    first = features.extract_features(backbone, images, cache=cache)
    with counted(monkeypatch) as seen:
        again = features.extract_features(backbone, images, cache=cache)
    assert len(seen) == (0 if cache else 90)
    np.testing.assert_allclose(first, again, atol=1e-6)


def test_twenty_added_pictures_cost_twenty(folder, monkeypatch):
    backbone = small_backbone()
    features.extract_features(backbone, load_images(folder))
    from PIL import Image

    for number in range(20):
        noise = np.random.default_rng(number).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(noise).save(folder / "0" / f"added{number}.png")
    with counted(monkeypatch) as seen:
        assert len(features.extract_features(backbone, load_images(folder))) == 110
    assert len(seen) == 20


def test_duplicates_and_renamed_files_cost_nothing(folder, monkeypatch):
    backbone = small_backbone()
    shutil.copy(folder / "0" / "00.png", folder / "0" / "copy.png")
    (folder / "1" / "00.png").rename(folder / "1" / "renamed.png")
    images = load_images(folder)
    with counted(monkeypatch) as seen:
        values = features.extract_features(backbone, images)
    assert (len(seen), len(values)) == (90, 91)
    np.testing.assert_array_equal(values[images.names.index("0/00.png")], values[images.names.index("0/copy.png")])


def test_the_cache_knows_what_makes_a_difference(folder, monkeypatch):
    images = load_images(folder)
    features.extract_features(small_backbone(), images, [0, 1])
    cases = [
        (small_backbone(name="renamed"), "crop", 0),
        (small_backbone(seed=1), "crop", 2),
        (small_backbone(), "stretch", 2),
    ]
    for backbone, fit, computed in cases:
        with counted(monkeypatch) as seen:
            features.extract_features(backbone, images, [0, 1], fit=fit)
        assert len(seen) == computed


def test_fingerprint():
    same = fingerprints.fingerprint(small_backbone())
    assert fingerprints.fingerprint(small_backbone()) == same
    assert fingerprints.fingerprint(small_backbone(seed=3)) != same
    keras.utils.set_random_seed(0)
    assert fingerprints.fingerprint(scratch.convnet(16, [{"conv": 4, "stride": 2}, {"activation": "tanh"}])) != same
    frozen = small_backbone()
    frozen.trainable = False
    assert fingerprints.fingerprint(frozen) == same
    nested = keras.Sequential([keras.Input((16, 16, 3)), small_backbone()])
    assert fingerprints.fingerprint(nested) != same
    assert fingerprints.fingerprint(heads.join(small_backbone(), heads.head(4, 2))) != same


def scaled(divisor, activation="relu"):
    """A network whose preprocessing is no layer, and whose layer is called like its activation."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    convolution = keras.layers.Conv2D(4, 3, activation=activation, name=activation)
    return keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(convolution(1.0 - inputs / divisor)))


def test_the_fingerprint_knows_what_is_no_layer_and_no_names():
    same = fingerprints.fingerprint(scaled(255.0))
    assert fingerprints.fingerprint(scaled(255.0)) == same  # though Keras calls its operations otherwise
    assert fingerprints.fingerprint(scaled(127.0)) != same
    assert fingerprints.fingerprint(scaled(255.0, "tanh")) != same
    inputs = keras.Input((16, 16, 3))
    around = [
        fingerprints.fingerprint(keras.Model(inputs, scaled(divisor)(inputs))) for divisor in (255.0, 255.0, 127.0)
    ]
    assert around[0] == around[1] != around[2]


@pytest.mark.parametrize("together", [8, 512])
def test_unreadable_pictures_are_named_and_the_rest_is_kept(folder, monkeypatch, together):
    monkeypatch.setattr(features, "WRITTEN_TOGETHER", together)
    images, backbone = load_images(folder), small_backbone()
    for place in (1, 40):  # damaged after the list was made
        images.paths[place].write_bytes(b"no picture")
    with pytest.raises(UnreadablePictures, match=r"01\.png") as error:
        features.extract_features(backbone, images)
    assert error.value.positions == (1, 40)
    rest = np.delete(np.arange(90), error.value.positions)
    with counted(monkeypatch) as seen:
        assert features.extract_features(backbone, images, rest).shape == (88, 4)
    assert seen == []
    with pytest.raises(UnreadablePictures):
        features.extract_features(backbone, images)


def test_features_of_a_damaged_cache_are_computed_anew(folder, own_cache, monkeypatch):
    images, backbone = load_images(folder), small_backbone()
    whole = features.extract_features(backbone, images, [0, 1])
    file = next(own_cache.rglob("*.sqlite"))
    data = file.read_bytes()
    place = data.index(whole[1].tobytes())
    damages = [(b"no database " * 100, 2), (data[: len(data) // 2], 2), (b"", 2)]
    damages += [(data[:place] + bytes(4) + data[place + 4 :], 1), (data, 0)]
    for damage, missing in damages:
        file.write_bytes(damage)
        with counted(monkeypatch) as seen:
            assert np.array_equal(features.extract_features(backbone, images, [0, 1]), whole)
        assert len(seen) == missing


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_named_as_that(digits, odd):
    images, split = digits

    class Odd(keras.layers.Layer):
        """What it gives for bright pictures is no number."""

        def call(self, x):
            means = keras.ops.mean(x, axis=(1, 2))
            return keras.ops.where(means > 70, odd, means)

    inputs = keras.Input((32, 32, 3))
    network = keras.Model(inputs, Odd()(inputs), name="mine")
    said = r"mine gives features that are no finite numbers for \d+ of 90 pictures, first 0/\d+\.png; look at its"
    for _ in range(2):  # the second time, they are on disk
        with pytest.raises(TrainingError, match=said):
            features.extract_features(network, images)
    for method in ("frozen", "finetune"):
        with pytest.raises(TrainingError, match=r"mine gives features that are no finite numbers for \d+ of 90"):
            transfer.train(images, split, network, method)
