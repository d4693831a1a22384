import sqlite3
import subprocess
from pathlib import Path

import pytest

from transfer.cache import cache_folder, is_kept, keep_content, kept_content, kept_folder, made_folder
from transfer.kept_rows import KeptRows

ROWS = {f"{number:032x}": (bytes([number]) * 40, number / 7, "größe", number) for number in range(20)}
COLUMNS = ("value", "share", "name", "count")


def kept(place):
    rows = KeptRows(place, COLUMNS)
    known = rows.read(ROWS)
    rows.close()
    return known


def keep(place):
    rows = KeptRows(place, COLUMNS)
    rows.write(ROWS)
    assert rows.read(ROWS) == (ROWS if place else {})
    rows.close()


def test_rows_come_back_as_they_were(tmp_path):
    keep(tmp_path / "new" / "a.sqlite")
    assert kept(tmp_path / "new" / "a.sqlite") == ROWS
    keep(None)
    rows = KeptRows(tmp_path / "new" / "a.sqlite", COLUMNS)
    rows.write({})
    assert rows.read([]) == rows.read(["none"]) == {}
    rows.write({f"{0:032x}": (b"", 0.5, "", 0)})
    assert rows.read([f"{0:032x}"]) == {f"{0:032x}": (b"", 0.5, "", 0)}
    rows.close()


def test_no_damage_goes_unnoticed(tmp_path, capsys):
    place = tmp_path / "a.sqlite"
    keep(place)
    data = place.read_bytes()
    for position in range(0, len(data), 97):  # a byte that is another
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        place.write_bytes(damaged)
        assert all(ROWS[key] == row for key, row in kept(place).items()), position
        keep(place)
    for length in range(0, len(data), 499):  # and files that were cut
        place.write_bytes(data[:length])
        assert all(ROWS[key] == row for key, row in kept(place).items()), length
        keep(place)
        assert kept(place) == ROWS
    assert capsys.readouterr().err == ""


def test_a_table_of_another_version_begins_anew(tmp_path):
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("CREATE TABLE kept (key PRIMARY KEY, value)")
    connection.close()
    keep(tmp_path / "a.sqlite")
    assert kept(tmp_path / "a.sqlite") == ROWS


@pytest.mark.parametrize("place", ["/proc/none/a.sqlite", "/proc/version"])
def test_what_cannot_be_kept_is_gone_on_without_and_told_once(place, own_cache, capsys):
    for _ in range(2):
        rows = KeptRows(Path(place), COLUMNS)
        rows.write(ROWS)
        assert rows.read(ROWS) == {}
        rows.close()
    said = capsys.readouterr().err
    assert said.startswith(f"note: the cache in {own_cache} cannot be used (")
    assert said.count("note: ") == said.count("\n") == 1


def test_a_full_disk_is_gone_on_without_and_read_on(tmp_path, own_cache, capsys):
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting is not allowed here")
    try:
        keep(disk / "a.sqlite")
        rows = KeptRows(disk / "a.sqlite", COLUMNS)
        rows.write({"large": (bytes(2_000_000), 0.0, "", 0)})
        rows.write({"small": (b"", 0.0, "", 0)})
        assert rows.read(["large", *ROWS]) == ROWS
        rows.close()
        assert kept(disk / "a.sqlite") == ROWS
        assert capsys.readouterr().err.count("full") == 1
    finally:
        subprocess.run(["umount", disk], check=True)


def test_content_is_known_by_its_digest(own_cache):
    place = cache_folder("pairs") / "a"
    assert kept_content(place) is None
    keep_content(place, b"whole")
    assert kept_content(place) == b"whole"
    data = place.read_bytes()
    for damaged in (b"", data[:-1], data[:5], data + b"x", b"x" + data[1:], data[:-1] + b"x"):
        place.write_bytes(damaged)
        assert kept_content(place) is None


def test_folders_are_known_by_what_is_in_them(own_cache):
    place = cache_folder("archives") / "a"
    made = []

    def make(folder):
        made.append(folder)
        (folder / "b").mkdir()
        (folder / "b" / "c\udcff").write_text("c")

    damages = (
        lambda: (place / "b" / "c\udcff").unlink(),
        lambda: (place / "b" / "c\udcff").write_text("d"),
        lambda: (place / "b" / "more").touch(),
        lambda: next(place.glob(".kept*")).unlink(),
        lambda: next(place.glob(".kept*")).write_text("{"),
    )
    assert not is_kept(place)
    for number, damage in enumerate(damages, start=1):
        assert made_folder(place, make) == made_folder(place, make) == place
        assert len(made) == number
        damage()
        assert not is_kept(place)
    with kept_folder(place) as folder:
        make(folder)
    assert is_kept(place)


def test_a_folder_that_cannot_be_kept_is_made_elsewhere(own_cache, capsys):
    own_cache.rmdir()
    own_cache.touch()
    folder = made_folder(cache_folder("archives") / "a", lambda folder: (folder / "b").touch())
    assert (folder / "b").exists()
    assert own_cache.is_file()
    assert capsys.readouterr().err.count("note: ") == 1
