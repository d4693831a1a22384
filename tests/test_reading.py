import json

import pytest

from transfer.errors import ModelFileError
from transfer.reading import read_json, read_rows, run_config
from transfer.writing import SCHEMA_VERSION, write_json

CONFIG = {
    "options": {"backbone": "bundled", "fit": "crop", "image_size": 32, "method": "frozen", "seed": 0, "weights": None},
    "classes": ["a", "b"],
    "versions": {},
    "root": "data",
    "files": {"a/1.png": {"class": "a", "digest": "0", "part": "train"}},
}


def test_a_run_is_its_folder_or_its_config(tmp_path):
    write_json(tmp_path / "config.json", CONFIG)
    expected = {"schema_version": SCHEMA_VERSION} | CONFIG
    assert run_config(tmp_path) == run_config(tmp_path / "config.json") == expected


@pytest.mark.parametrize("text", ["{}", "[]", '{"name": "a model of somebody else"}'])
def test_json_of_another_program_is_no_run(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelFileError, match=r"config\.json has no schema version; expected a file of a run folder$"):
        run_config(tmp_path)


def test_json_that_was_cut_and_another_schema_version_are_named(tmp_path):
    (tmp_path / "a.json").write_text('{"schema_version": 2, "cla')
    with pytest.raises(ModelFileError, match=r"cannot be read .* expected a whole run folder"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(ModelFileError, match=rf"schema version 99; .* reads {SCHEMA_VERSION}.*train again"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"options": {}}, r"no options\.backbone"),
        ({"options": None, "classes": "a"}, "null as options, where an object is expected"),
        ({"options": CONFIG["options"] | {"fit": "odd"}}, r'"odd" as options\.fit, where one of crop, pad, stretch is'),
        ({"files": []}, r"\[\] as files"),
        ({"files": {"a/1.png": {"part": "train"}}}, r"no files\.a/1\.png\.class"),
        ({"files": {"a/1.png": 1}}, r"1 as files\.a/1\.png, where an object is expected"),
        ({"unreadable": [["a"]]}, r'\["a"\] as unreadable\[0\], where a list of 2 is expected'),
    ],
)
def test_a_configuration_that_lacks_something_is_refused(tmp_path, changed, missing):
    write_json(tmp_path / "config.json", CONFIG | changed)
    with pytest.raises(ModelFileError, match=rf"has {missing}.*; expected the config\.json of a run folder"):
        run_config(tmp_path)


def test_what_is_no_run_and_a_table_that_was_cut_are_refused(tmp_path):
    with pytest.raises(ModelFileError, match="is no run folder"):
        run_config(tmp_path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_rows(tmp_path / "none.csv")
    for rest in ('"file","part"\r\n"a","train"\r\n"b', ""):
        (tmp_path / "a.csv").write_text(rest)
        with pytest.raises(ModelFileError, match="rows of several lengths, or none; expected a whole run folder"):
            read_rows(tmp_path / "a.csv")
