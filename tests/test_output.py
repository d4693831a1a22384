"""What is printed where the output knows fewer letters than the names of files."""

import json
import os
import subprocess
import sys

import pytest

from transfer.cli import show


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_letters_that_the_output_lacks_become_escapes(encoding, tmp_path):
    folder = tmp_path / "日本語 é"
    folder.mkdir()
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    words = [sys.executable, "-m", "transfer", "check", str(folder)]
    ended = subprocess.run(words, capture_output=True, env=environment, check=False)
    assert ended.returncode == 2
    assert b"\\u65e5\\u672c" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_json_is_json_in_every_encoding(tmp_path, monkeypatch):
    said = {"file": "日本 é 🌻 \udce9"}
    for encoding in ("utf-8", "cp1252", "ascii"):
        with (tmp_path / encoding).open("w", encoding=encoding) as out:
            monkeypatch.setattr(sys, "stdout", out)
            show.print_json(said)
            monkeypatch.undo()
        assert json.loads((tmp_path / encoding).read_text(encoding)) == said
