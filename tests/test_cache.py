import json
import re

import pytest
from typer.testing import CliRunner

from transfer import cache, cli
from transfer.errors import OutputError, UnknownNameError


def typed(*words):
    ended = CliRunner().invoke(cli.app, ["cache", *words])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.stdout


@pytest.fixture
def filled(tmp_path, monkeypatch):
    """A cache with something of each kind, in a folder where other things lie as well."""
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path))
    name = "0123456789abcdef" * 2
    files = ["features/" + name + "-64-crop.sqlite", "inspections/4.sqlite", f"archives/{name}/cat/a.png"]
    files += [f"pairs/{name}", f"checkpoints/{name}/state.npz"]
    files += [
        f"downloads/{name[:16]}/a.zip",
        f"engines/{name}/model.xml",
        f"unfinished/{name}/result.json",
        "downloads/thesis.pdf",
        "mine.txt",
    ]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"x" * 1000)
    return tmp_path


def left(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_cache_is_shown_with_its_sizes(filled):
    said = json.loads(typed("--json"))
    assert said["folder"] == str(filled)
    assert said["kinds"] == {kind: {"entries": 1, "bytes": 1000} for kind in cache.KINDS}
    assert re.search(r"features\W+1\W+0\.0", typed())


def test_one_kind_is_cleared_and_the_others_stay(filled):
    before = left(filled)
    typed("--clear", "archives, features")
    assert {name.split("/")[0] for name in before - left(filled)} == {"archives", "features"}


def test_clearing_all_leaves_what_is_no_part_of_the_cache(filled):
    typed("--clear", "all")
    assert left(filled) == {"downloads/thesis.pdf", "mine.txt"}


def test_a_kind_that_is_not_there_deletes_nothing(filled):
    before = left(filled)
    with pytest.raises(UnknownNameError, match="did you mean features"):
        typed("--clear", "archives,feature")
    assert left(filled) == before


def test_what_cannot_be_deleted_is_named(filled, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(OutputError, match=r"unfinished.* cannot be deleted \(Permission denied\)"):
        typed("--clear", "unfinished")
