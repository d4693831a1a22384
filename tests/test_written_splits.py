from dataclasses import replace

import numpy as np
import pytest

import transfer
from transfer.data.written_splits import read_split
from transfer.errors import DataError, ModelFileError
from transfer.writing import write_json


@pytest.fixture(scope="module")
def written(digits, tmp_path_factory):
    """The `config.json` of a run on the digits, as `records` writes it, without training."""
    images, split = digits
    part = {i: name for name, indices in split.parts().items() for i in indices}
    return configured(tmp_path_factory.mktemp("run"), images, [part[i] for i in range(len(images))])


def configured(run, images, parts):
    """A run folder of which there is only its configuration."""
    options = {"backbone": "bundled", "fit": "crop", "image_size": 32, "method": "frozen", "seed": 0, "weights": None}
    files = {
        name: {"part": part, "class": images.class_names[label], "digest": digest}
        for name, part, label, digest in zip(images.names, parts, images.labels, images.digests)
    }
    said = {"options": options, "classes": list(images.class_names), "versions": {}, "root": "", "files": files}
    write_json(run / "config.json", said)
    return run


def same(a, b):
    return all(np.array_equal(a.parts()[part], b.parts()[part]) for part in a.parts())


def table(path, images, split):
    rows = [f"{images.names[i]},{part}" for part, indices in split.parts().items() for i in indices]
    path.write_text("\n".join(["file,part", *rows]))
    return path


def test_the_split_of_a_run_is_used_again_whatever_files_are_called(digits, written):
    images, _ = digits
    other = transfer.split(images, seed=7)
    assert not same(other, digits[1])
    moved = replace(images, names=tuple(f"D:\\new\\{i}.png" for i in range(len(images))))
    for place in (written, written / "config.json"):
        split = read_split(moved, place)
        assert same(split, digits[1])
        assert split.notes == ()


def test_the_name_counts_where_one_content_was_in_two_parts(digits, tmp_path):
    images, _ = digits
    twice = replace(images, digests=(*images.digests[:-1], images.digests[0]))
    split = read_split(twice, configured(tmp_path, twice, ["train"] * (len(images) - 1) + ["test"]))
    assert split.test.tolist() == [len(images) - 1]
    assert "leaks: 1 of 1 test" in split.notes[0]


def test_new_pictures_are_left_out_and_missing_ones_counted(digits, written):
    images, _ = digits
    changed = replace(images, digests=("0" * 32, *images.digests[1:]))
    again = read_split(changed, written)
    assert 0 not in np.concatenate(list(again.parts().values()))
    assert sum(len(indices) for indices in again.parts().values()) == len(images) - 1
    left_out, gone = again.notes
    assert images.names[0] in left_out
    assert gone.startswith("1 picture(s)")


def test_a_table_is_used(digits, tmp_path):
    images, split = digits
    path = table(tmp_path / "split.csv", images, split)
    assert same(read_split(images, path), split)
    path.write_text(path.read_text().replace("/", "\\").replace("validation", "Val"))
    assert same(read_split(images, path), split)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("file,part\n", "none of 90 pictures"),
        ("file,part\n0/00.png,exam\n", "part 'exam'; expected train"),
        ("file,part\n0/none.png,train\n", "not in DATA, 0/none.png"),
        ("file,part\n0/00.png,train\n0/00.png,test\n", "contradict"),
        ("file,part\n0/00.png,train\n", "class '1' has 30 picture"),
        ("file,label\n", "expected at least file, part"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(digits, tmp_path, content, sentence):
    (tmp_path / "split.csv").write_text(content)
    with pytest.raises(DataError, match=sentence):
        read_split(digits[0], tmp_path / "split.csv")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"files": {"a": 1}}', '{"schema_version": 99}'])
def test_a_file_that_is_no_run_is_refused(digits, tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelFileError, match=r"run folder|train again"):
        read_split(digits[0], tmp_path)
