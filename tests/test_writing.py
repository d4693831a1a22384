import json
import os
from pathlib import Path

import pytest

from transfer.errors import OutputError
from transfer.free_places import check_apart, check_free
from transfer.reading import read_rows
from transfer.writing import RUN, SCHEMA_VERSION, whole_file, whole_folder, write_json, write_table


def put(folder, *names):
    for name in names:
        (folder / name).touch()


def break_off(writing, error):
    """Raise in the middle of writing."""
    with writing as partial:
        (partial / "half" if partial.is_dir() else partial).write_text("half")
        raise error


def test_whole_file_appears_only_when_the_block_ends_well(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with pytest.raises(KeyboardInterrupt):
        break_off(whole_file(target), KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []
    with whole_file(target) as partial:
        partial.write_text("whole")
        assert not target.exists()
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]
    assert target.read_text() == "whole"


def test_whole_file_keeps_the_old_one_until_the_new_is_whole(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ValueError, match="broken"):
        break_off(whole_file(target), ValueError("broken"))
    assert target.read_text() == "old"
    with whole_file(target) as partial:
        partial.write_text("new")
    assert target.read_text() == "new"


def test_whole_folder_appears_only_when_the_block_ends_well(tmp_path):
    target = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        break_off(whole_folder(target), KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []
    with whole_folder(target) as partial:
        (partial / "whole").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (target / "whole").exists()


def test_a_full_folder_is_refused_and_overwritten_only_when_asked(tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    check_free(target)
    put(target, *RUN)
    with pytest.raises(OutputError, match="`overwrite=True`"), whole_folder(target, False, RUN):
        pytest.fail("the block must not be entered")
    with pytest.raises(ValueError, match="broken"):
        break_off(whole_folder(target, True, RUN), ValueError("broken"))
    assert (target / "config.json").exists()
    with whole_folder(target, True, RUN) as partial:
        (partial / "new").touch()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_only_a_folder_of_its_kind_is_ever_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    put(tmp_path / "photos", "mine.jpg", "config.json")  # which many programs write
    with pytest.raises(OutputError, match=r"no model\.keras, "), whole_folder(tmp_path / "photos", True, RUN):
        pytest.fail("the block must not be entered")
    with pytest.raises(OutputError, match=r"name another place$"), whole_folder(tmp_path / "photos"):
        pytest.fail("the block must not be entered")
    assert (tmp_path / "photos" / "mine.jpg").exists()


def test_the_current_folder_and_a_mount_point_are_refused_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "new" / "inside").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "new" / "inside")
    for place in (".", "..", tmp_path / "new" / "inside"):
        with pytest.raises(OutputError, match=r"cannot be replaced.*; name a place below it"):
            check_free(Path(place))
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "disk")
    (tmp_path / "disk").mkdir()
    with pytest.raises(OutputError, match="name a place below it"):
        check_free(tmp_path / "disk")
    check_free(tmp_path / "disk" / "run")


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far")
    with whole_folder(tmp_path / "link") as partial:
        put(partial, "whole")
    assert (tmp_path / "far" / "whole").exists()
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far", "link"]


def test_a_question_makes_no_folder(tmp_path):
    check_free(tmp_path / "a" / "b" / "run")
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_into_data_or_over_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "table.csv").touch()
    for place, data in [("data", "data"), ("data/run", "data/"), ("link/run", tmp_path / "data"), ("runs/run", ".")]:
        with pytest.raises(OutputError, match=r"lies in .*; name a place elsewhere"):
            check_apart(Path(place), data)
    with pytest.raises(OutputError, match=r"holds .*; name a place elsewhere"):
        check_apart(Path("data"), "data/a")
    for place, data in [("data-2", "data"), ("runs/run", "table.csv"), ("runs/run", "https://example.org/a.zip")]:
        check_apart(Path(place), data)


def test_a_file_is_never_replaced_by_a_folder(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(OutputError), whole_folder(tmp_path / "run", overwrite=True):
        pytest.fail("the block must not be entered")
    assert (tmp_path / "run").read_text() == "mine"


def test_a_folder_is_never_replaced_by_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (".", tmp_path):
        with pytest.raises(OutputError, match="is a folder; name a file"), whole_file(Path(folder)):
            pytest.fail("the block must not be entered")


@pytest.mark.parametrize("writer", [whole_file, whole_folder])
def test_an_unwritable_place_is_one_sentence(writer, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as error, writer(tmp_path / "file" / "below" / "run"):
        pytest.fail("the block must not be entered")
    assert "cannot be written" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="No space left"):
        break_off(whole_folder(tmp_path / "run"), OSError(28, "No space left on device"))
    assert list(tmp_path.iterdir()) == []


def test_json_keeps_every_name(tmp_path):
    value = {"größe": 1, "no UTF-8": "\udcff.png"}
    write_json(tmp_path / "a.json", value)
    said = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert said == {"schema_version": SCHEMA_VERSION} | value
    assert "größe" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_tables_keep_every_name(tmp_path):
    write_table(tmp_path / "a.csv", ("file", "part"), [{"file": "\udcff.png", "part": "größe"}, {"file": "b.png"}])
    assert (tmp_path / "a.csv").read_bytes().count(b"\xff.png") == 1
    assert read_rows(tmp_path / "a.csv") == [["file", "part"], ["\udcff.png", "größe"], ["b.png", ""]]
