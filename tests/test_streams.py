"""Closed and full streams, places that may not be read, links that lead to themselves: one sentence, exit 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transfer import cli, quiet

PROGRAM = "from transfer.cli import main; main()"


def started(redirected, *words, program=PROGRAM):
    """(exit code, standard output, standard error) of a command as a shell starts it."""
    line = f'exec "$0" -c "$1" "$2" "$3" {redirected}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, program, *words], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_a_command_ends_as_it_would_whatever_is_closed():
    assert started(">&-", "predict", "nowhere")[0] == 2
    code, said, told = started("2>&- <&-", "cache", "--json")
    assert (code, said[:1], told) == (0, "{", "")
    code, said, told = started(">/dev/full", "cache", "--json")
    assert (code, said) == (2, "")
    assert told == (
        "transfer: standard output cannot be used (No space left on device); allow it, free space, or name another "
        "place\n"
    )


def test_tensorflow_is_imported_where_standard_error_is_closed(monkeypatch):
    kept = os.dup(2)
    os.close(2)
    try:
        monkeypatch.setattr(sys, "stderr", None)
        with quiet.told_only_on_failure():
            pass
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@pytest.fixture
def refused(monkeypatch, capsys):
    """A function from words to the one sentence that they end with."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["transfer", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr().err
        assert (ended.value.code, said.count("\n")) == (2, 1)
        return said

    return run


def test_a_place_that_may_not_be_read_is_named(refused, monkeypatch, tmp_path):
    def denied(self, *given, **options):
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:  # the tests may be run by somebody who can read everything
        patch.setattr(Path, "is_dir", denied)
        patch.setattr(Path, "exists", denied)
        for words in (("predict", "closed/run", "a.png"), ("report", "closed/run"), ("evaluate", "closed/run", ".")):
            assert "transfer: closed/run cannot be used (Permission denied); allow it" in refused(*words)


def test_a_link_that_leads_to_itself_is_named_before_any_work(refused, tmp_path, digits_folder):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert "does not exist" in refused("check", loop)
    assert "is no run folder" in refused("export", loop)
    assert "loop is a link that leads to itself; name another place" in refused("train", digits_folder, "--out", loop)
    assert "loop is a link that leads to itself" in refused("compare", digits_folder, "--out", loop)
    assert "cannot be written" in refused("check", digits_folder, "--out", loop)
