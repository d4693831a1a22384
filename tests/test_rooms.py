"""Processes that end in the middle of writing, or write in one place at once: real ones, with real signals."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from transfer import rooms, writing
from transfer.errors import OutputError, TakenError
from transfer.free_places import check_file, check_table
from transfer.rooms import claim, claim_first, own_temporary_folder, sweep
from transfer.writing import whole_file, whole_folder, write_rows

START = "import os, signal, sys, tempfile, time\nfrom pathlib import Path\nfrom transfer import rooms, writing\n"
WAIT = "print(flush=True)\ntime.sleep(60)"
pytestmark = pytest.mark.skipif(rooms.fcntl is None, reason="this system knows no locks")


@contextmanager
def child(program, *words):
    """A process that has come to its first line of output; killed in the end."""
    words = [sys.executable, "-c", START + program, *map(str, words)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent) as process:
        try:
            assert process.stdout.readline() or process.wait() < 0
            yield process
        finally:
            process.kill()


def killed(program, *words, by=signal.SIGKILL):
    with child(program, *words) as process:
        process.send_signal(by)
        return process.wait()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


HALF = f"""
with writing.whole_folder(Path(sys.argv[1])) as partial, writing.whole_file(Path(sys.argv[2])) as file:
    (partial / "half").write_text("half")
    file.write_text("half")
    {WAIT.replace(chr(10), chr(10) + "    ")}
"""


def test_what_a_killed_process_leaves_is_swept_by_the_next_one_in_that_place(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("old")
    for _ in range(2):
        assert killed(HALF, tmp_path / "run", table) == -signal.SIGKILL
        assert names(tmp_path) == [".partial-run", ".partial-table.csv", "table.csv"]
        assert table.read_text() == "old"
    with whole_folder(tmp_path / "other"):
        assert names(tmp_path) == [".partial-other", "table.csv"]
    assert names(tmp_path) == ["other", "table.csv"]


def test_what_a_living_process_writes_is_not_swept_and_not_written_by_another(tmp_path):
    with child(HALF, tmp_path / "run", tmp_path / "table.csv") as process:
        sweep(tmp_path)
        for writer, name in ((whole_folder, "run"), (whole_file, "table.csv"), (claim, "run")):
            with (
                pytest.raises(TakenError, match=rf"{name} is being written by another process"),
                writer(tmp_path / name),
            ):
                pytest.fail("the block must not be entered")
        assert names(tmp_path) == [".partial-run", ".partial-table.csv"]
        runs = (tmp_path / name for name in ("run", "run-2", "run-3"))
        (tmp_path / "run-2").mkdir()
        with claim_first(runs) as free:
            assert free.name == "run-3"
        process.kill()
        process.wait()
    with whole_folder(tmp_path / "run"):
        pass
    assert names(tmp_path) == ["run", "run-2"]


def test_names_that_are_chosen_differ_within_a_process_too(tmp_path):
    stem = tmp_path / "new" / "run"
    with claim_first([stem, stem.with_name("run-2")]) as first, claim_first([stem, stem.with_name("run-2")]) as second:
        assert (first.name, second.name) == ("run", "run-2")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), claim_first([tmp_path / "file" / "run"]):
        pytest.fail("the block must not be entered")


def test_another_process_is_waited_for_if_wanted(tmp_path):
    program = HALF.replace("time.sleep(60)", "time.sleep(0.3)")
    with child(program, tmp_path / "run", tmp_path / "table.csv"), claim(tmp_path / "run", wait=True):
        assert (tmp_path / "run" / "half").exists()


def test_folders_of_others_that_begin_alike_stay(tmp_path):
    (tmp_path / ".partial-photos").mkdir()
    (tmp_path / ".partial-photos" / "mine.jpg").touch()
    (tmp_path / ".partial-link").symlink_to(".partial-photos")
    (tmp_path / ".partial-file").touch()
    sweep(tmp_path)
    assert len(names(tmp_path)) == 3
    sweep(tmp_path / "none")


def test_sigterm_leaves_nothing(tmp_path):
    program = "from transfer.stopping import *\nwith sigterm_as_ctrl_c():\n  try:\n    "
    program += HALF.strip().replace("\n", "\n    ")
    program += "\n  except KeyboardInterrupt: sys.exit(EXIT_CODE if is_stopping() else 1)"
    assert killed(program, tmp_path / "run", tmp_path / "table.csv", by=signal.SIGTERM) == 143
    assert names(tmp_path) == []


def run_in(folder, text="old"):
    folder.mkdir()
    for name in writing.RUN:
        (folder / name).write_text(text)


REPLACED = """
replace, calls = os.replace, []
def killing(*given):
    calls.append(given)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*given)
os.replace = killing
writing._exchange = lambda *given: False
with writing.whole_folder(Path(sys.argv[1]), True, ("result.json",)) as partial:
    (partial / "result.json").write_text("new")
"""


def test_where_two_names_cannot_be_exchanged_the_old_folder_comes_back(tmp_path, monkeypatch):
    run_in(tmp_path / "run")
    assert killed(REPLACED, tmp_path / "run") == -signal.SIGKILL
    assert names(tmp_path) == [".partial-run"]
    sweep(tmp_path)
    assert names(tmp_path) == ["run"]
    assert (tmp_path / "run" / "result.json").read_text() == "old"
    monkeypatch.setattr(writing, "_exchange", lambda *given: False)
    with whole_folder(tmp_path / "run", True, ("result.json",)) as partial:
        (partial / "new").touch()
    assert names(tmp_path / "run") == ["new"]


def test_where_a_disk_knows_no_locks_everything_is_written_all_the_same(tmp_path, monkeypatch):
    def unknown(*given):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(rooms.fcntl, "flock", unknown)
    run_in(tmp_path / "run")
    with whole_folder(tmp_path / "run", True, writing.RUN) as partial, whole_file(tmp_path / "table.csv") as file:
        (partial / "new").touch()
        file.touch()
        sweep(tmp_path)
    assert names(tmp_path) == ["run", "table.csv"]
    assert names(tmp_path / "run") == ["new"]


def test_everything_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def seen(file):
        synced.append(os.readlink(f"/proc/self/fd/{file}"))
        assert not (tmp_path / "run").exists() or synced[-1] == str(tmp_path)
        fsync(file)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no list of open files here")
    monkeypatch.setattr(os, "fsync", seen)
    with whole_folder(tmp_path / "run") as partial:
        (partial / "a").write_text("a")
        write_rows(partial / "b" / "c.csv", [["c"]])
    room = tmp_path / ".partial-run" / "run"
    assert set(synced) == {str(path) for path in (room, room / "a", room / "b", room / "b" / "c.csv", tmp_path)}
    assert synced[-1] == str(tmp_path)
    monkeypatch.setattr(writing, "MANY", 0)
    monkeypatch.setattr(os, "sync", lambda: synced.append("all"))
    with whole_folder(tmp_path / "run-2"):
        pass
    assert synced[-2:] == ["all", str(tmp_path)]


def test_temporary_files_of_a_killed_process_are_swept(tmp_path, monkeypatch):
    program = f"with rooms.own_temporary_folder():\n  tempfile.mkstemp()\n  {WAIT.replace(chr(10), chr(10) + '  ')}"
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert killed(program) == -signal.SIGKILL
    assert len(list(tmp_path.rglob("*"))) == 3
    monkeypatch.setattr(tempfile, "tempdir", None)
    with own_temporary_folder():
        Path(tempfile.mkdtemp(), "mine").touch()
        (room,) = tmp_path.iterdir()
        assert room == Path(tempfile.gettempdir())
    assert names(tmp_path) == []
    monkeypatch.setattr(tempfile, "tempdir", "/proc/none")
    with own_temporary_folder():
        assert tempfile.tempdir == "/proc/none"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_gets_full_is_one_sentence_and_leaves_nothing(small_disk):
    with pytest.raises(OutputError, match="No space left"), whole_folder(small_disk / "run") as partial:
        (partial / "large").write_bytes(bytes(2_000_000))
    with pytest.raises(OutputError, match="No space left"):
        write_rows(small_disk / "table.csv", [["x" * 1000]] * 2000)
    assert names(small_disk) == []


def test_a_link_to_a_file_stays_and_what_it_points_to_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link.csv").symlink_to("far/table.csv")
    for text in ("one", "two"):
        check_table(tmp_path / "link.csv", ["one"])
        write_rows(tmp_path / "link.csv", [["one", text]])
        assert (tmp_path / "far" / "table.csv").read_bytes() == f'"one","{text}"\r\n'.encode()
    assert (tmp_path / "link.csv").is_symlink()
    assert sorted(names(tmp_path) + names(tmp_path / "far")) == ["far", "link.csv", "table.csv"]


@pytest.mark.parametrize("name", ["/dev/stdout", "-", "/dev/fd/1"])
@pytest.mark.parametrize("led_to", ["file", "pipe"])
def test_standard_output_is_written_into(name, led_to, tmp_path):
    program = "from transfer.free_places import *\nfrom transfer.writing import *\nprint('before')\n"
    program += "check_table(Path(sys.argv[1]), ['a'])\nwrite_rows(Path(sys.argv[1]), [['a'], ['b']])\nprint('behind')"
    words = [sys.executable, "-c", START + program, name]
    if led_to == "pipe":
        said = subprocess.run(words, capture_output=True, check=True).stdout
    else:
        with (tmp_path / "said").open("wb") as file:
            subprocess.run(words, stdout=file, check=True)
        said = (tmp_path / "said").read_bytes()
    assert said == b'before\n"a"\r\n"b"\r\nbehind\n'
    assert set(names(tmp_path)) <= {"said"}


def test_devices_and_pipes_are_written_into_and_stay(tmp_path):
    check_table(Path("/dev/null"), ["a"])
    write_rows(Path("/dev/null"), [["a"]])
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE) as reader:
        check_table(tmp_path / "pipe", ["a"])
        write_rows(tmp_path / "pipe", [["a"]])
        assert reader.stdout.read() == b'"a"\r\n'
    assert names(tmp_path) == ["pipe"]


def test_a_file_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path, said in (
        (tmp_path, "is a folder; name a file"),
        (tmp_path / "none" / "a.csv", "there is no folder .*none"),
        (Path("/proc/version"), "cannot be written"),
        (tmp_path / "loop", "cannot be written"),
    ):
        for check in (check_file, lambda path: check_table(path, ["a"])):
            with pytest.raises(OutputError, match=said):
                check(path)
    (tmp_path / "there.csv").write_text("x")
    state = (tmp_path / "there.csv").stat().st_mtime_ns
    check_file(tmp_path / "there.csv")
    assert (tmp_path / "there.csv").stat().st_mtime_ns == state
    assert names(tmp_path) == ["loop", "there.csv"]
