from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from transfer.data import pipeline
from transfer.data.folders import load_images
from transfer.data.images import fit_picture, read_fitted, read_picture
from transfer.errors import DataError, UnreadablePictures


@pytest.fixture
def images(digits_folder):
    return load_images(digits_folder)


@pytest.fixture
def reads(monkeypatch):
    """The files that are decoded, in turn."""
    done = []
    monkeypatch.setattr(pipeline, "read_fitted", lambda *file: done.append(file) or read_fitted(*file))
    return done


def test_batches_follow_the_order_asked_and_the_last_is_smaller(images):
    indices = np.random.default_rng(0).permutation(len(images))[:35]
    batches = list(pipeline.Pictures(images, 16).batches(indices, batch_size=10))
    assert [len(batch) for batch in batches] == [10, 10, 10, 5]
    expected = [fit_picture(read_picture(images.paths[i]), 16) for i in indices]
    assert np.array_equal(np.concatenate(batches), expected)
    assert batches[0].dtype == np.uint8


def test_no_picture_gives_no_batch(images):
    pictures = pipeline.Pictures(images, 16)
    assert list(pictures.batches([])) == []
    assert pictures.array([]).shape == (0, 16, 16, 3)


@pytest.mark.parametrize(("keep", "times"), [(True, 1), (False, 2)])
@pytest.mark.parametrize("room", [1 << 30, 0])
def test_kept_pictures_are_decoded_once(keep, times, room, images, reads, monkeypatch):
    monkeypatch.setattr(pipeline, "IN_MEMORY", room)
    pictures = pipeline.Pictures(images, 16, keep=keep)
    first = pictures.array(range(40))
    assert np.array_equal(pictures.array(range(40)), first)
    assert len(reads) == 40 * times
    pictures.array(range(30, 60))
    assert len(reads) == 40 * times + (20 if keep else 30)


def test_many_pictures_are_kept_in_a_file(images, monkeypatch):
    monkeypatch.setattr(pipeline, "IN_MEMORY", 16 * 16 * 3 * len(images) - 1)
    indices = range(len(images))
    on_disk = pipeline.Pictures(images, 16, keep=True).array(indices)
    monkeypatch.undo()
    assert np.array_equal(on_disk, pipeline.Pictures(images, 16, keep=True).array(indices))


def test_nothing_is_kept_where_the_disk_has_no_room(images, reads, monkeypatch):
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    size = 16 * 16 * 3 * len(images)
    monkeypatch.setattr(pipeline.shutil, "disk_usage", lambda _: SimpleNamespace(free=size))
    pictures = pipeline.Pictures(images, 16, keep=True)
    assert np.array_equal(pictures.array(range(5)), pictures.array(range(5)))
    assert len(reads) == 10


def test_unreadable_pictures_are_named_after_all_others_were_given(images, tmp_path, monkeypatch):
    broken = tmp_path / "broken.png"
    broken.write_bytes(images.paths[3].read_bytes()[:40])
    paths = list(images.paths)
    paths[3], paths[7] = broken, tmp_path / "gone.png"
    monkeypatch.setattr(pipeline, "PAUSE", 0)
    pictures = pipeline.Pictures(replace(images, paths=tuple(paths)), 16)
    batches = pictures.batches([9, 7, 3, 1], batch_size=2)
    first, second = next(batches), next(batches)
    with pytest.raises(UnreadablePictures) as error:
        next(batches)
    assert error.value.positions == (7, 3)
    assert images.names[3] in str(error.value)
    assert f"{images.names[7]} does not exist" in str(error.value)
    assert first[0].max() > 0
    assert first[1].max() == second[0].max() == 0


def test_a_file_that_is_away_for_a_moment_is_read_again(images, monkeypatch):
    away = {images.paths[5]}

    def read(path, *how):
        if path in away:
            away.discard(path)
            return read_fitted(path.with_name("away.png"), *how)
        return read_fitted(path, *how)

    monkeypatch.setattr(pipeline, "PAUSE", 0)
    monkeypatch.setattr(pipeline, "read_fitted", read)
    assert pipeline.Pictures(images, 16).array([4, 5]).any(axis=(1, 2, 3)).all()


def test_a_disk_that_goes_away_stops_the_reading(images, tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(pipeline.time, "sleep", slept.append)
    paths = [tmp_path / path.name if i % 2 else path for i, path in enumerate(images.paths)]
    pictures = pipeline.Pictures(replace(images, paths=tuple(paths)), 16)
    with pytest.raises(DataError, match=r"\d\d of 90 pictures are gone .* kept$"):
        pictures.array(range(len(images)))
    assert 1 <= len(slept) <= pipeline.PAUSES + 2  # the threads that have begun to wait by then do so


def test_a_file_that_was_replaced_since_it_was_listed_is_none_of_the_pictures(images, tmp_path):
    paths = [images.paths[1], *images.paths[1:]]
    with pytest.raises(UnreadablePictures, match="has changed since it was listed") as error:
        pipeline.Pictures(replace(images, paths=tuple(paths)), 16).array([0, 1])
    assert error.value.positions == (0,)
