"""What the tests of every part share."""

import gc

import numpy as np
import pytest
from PIL import Image

import transfer


def pytest_collection_finish():
    """What the imports have made stays to the end, and looking through it again and again takes long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory):
    """A cache folder for what several tests share: the user's own may hold what older code has made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSFER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """A cache folder for each test, so that none finds what another left."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TRANSFER_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def judged_without_folds(monkeypatch):
    """Fine-tuning is judged by the validation part alone, which takes a fourth of the time: folds have a test."""
    monkeypatch.setattr("transfer.settings.LEAST_TO_JUDGE", 0)


@pytest.fixture
def briefly_saved(monkeypatch):
    """Runs are saved without their SavedModel and their page, which take far longer than all the rest of a test."""
    monkeypatch.setattr("transfer.runs.saving.export_saved_model", lambda *given: [])
    monkeypatch.setattr("transfer.runs.saving.write_report", lambda *given: None)


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory):
    """Handwritten digits as `class/picture`: 3 classes of 30 pictures, 32 pixels wide."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    root = tmp_path_factory.mktemp("digits")
    for label in (0, 1, 2):
        folder = root / str(label)
        folder.mkdir()
        for number, picture in enumerate(digits.images[digits.target == label][:30]):
            pixels = (picture * (255 / 16)).round().astype(np.uint8).repeat(4, 0).repeat(4, 1)
            Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return root


@pytest.fixture(scope="session")
def digits(digits_folder):
    """Those digits as (images, split)."""
    images = transfer.load_images(digits_folder)
    return images, transfer.split(images, seed=0)


@pytest.fixture(scope="session")
def tensorflow():
    """TensorFlow, imported only by the tests that ask for it."""
    from transfer import quiet

    quiet.import_tensorflow()
    import tensorflow

    return tensorflow
