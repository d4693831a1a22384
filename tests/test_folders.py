import csv
import io
import os
import shutil
import socket
import tarfile
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from odd_pictures import png, write_many_classes, write_odd_folder

from transfer.checks.checking import quick_findings
from transfer.data import downloads
from transfer.data.folders import load_images
from transfer.data.image_splits import split
from transfer.errors import DataError, OptionError


def write_pictures(folder, count=3, start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8))
        (folder / f"{i}.png").write_bytes(png(pixels, 8, 0))
    return folder


@pytest.fixture
def classes(tmp_path):
    """Two classes of three pictures."""
    write_pictures(tmp_path / "data" / "cat", start=0)
    write_pictures(tmp_path / "data" / "dog", start=10)
    return tmp_path / "data"


def write_table(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def complaint(data, groups=None):
    with pytest.raises(DataError) as error:
        load_images(data, groups)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_folder_of_class_folders(classes):
    images = load_images(str(classes))
    assert images.class_names == ("cat", "dog")
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.labels.dtype == np.int32
    assert images.names[0] == "cat/0.png"
    assert images.paths[0].read_bytes() == (classes / "cat" / "0.png").read_bytes()
    assert images.counts() == {"cat": 3, "dog": 3}
    assert images.typical_side() == 8
    assert (images.groups, images.unreadable, images.ignored) == (None, (), 0)


def test_renaming_moves_no_picture_and_changes_no_digest(classes):
    before = load_images(classes)
    for number, path in enumerate(reversed(before.paths)):
        path.rename(path.with_name(f"renamed {number}.png"))
    after = load_images(classes)
    assert after.names != before.names
    assert after.digest() == before.digest()
    sides = [{images.digests[i] for i in split(images).test} for images in (before, after)]
    assert sides[0] == sides[1]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Train", "VAL", "TEST"),
        ("train", "validation", "Testing"),
        ("Training", "valid", "test"),
    ],
)
def test_folder_with_parts(train, validation, test, tmp_path):
    for number, part in enumerate((train, validation, test)):
        for label, name in enumerate(("cat", "dog")):
            write_pictures(tmp_path / part / name, start=100 * number + 10 * label)
    (tmp_path / test / "list.txt").touch()
    images = load_images(tmp_path)
    assert images.class_names == ("cat", "dog")
    assert Counter(images.given) == {"train": 6, "validation": 6, "test": 6}
    assert [len(part) for part in split(images).parts().values()] == [6, 6, 6]
    assert images.ignored == 1


def test_table_with_groups_and_parts(classes):
    rows = [["file", "label", "group", "split"]]
    rows += [["cat/0.png", "kitten", "a", "train"], ["./cat/1.png", "kitten", "", "val"]]
    rows += [["dog/10.png", "puppy", "a", "TEST"], [str(classes / "dog" / "11.png"), "puppy", "b", ""]]
    images = load_images(write_table(classes / "list.csv", rows))
    assert images.names == ("cat/0.png", "cat/1.png", "dog/10.png", "dog/11.png")
    assert images.class_names == ("kitten", "puppy")
    assert images.groups == ("a", "", "a", "b")
    assert images.given == ("train", "validation", "test", "")
    assert load_images(classes).names == images.names  # the folder is read by the table in it


def test_of_two_tables_one_has_to_be_named(classes):
    rows = [["file", "label"], *([name, name[:3]] for name in load_images(classes).names)]
    train = write_table(classes / "train.csv", rows)
    write_table(classes / "TEST.CSV", rows)
    assert "TEST.CSV, train.csv" in complaint(classes)
    assert len(load_images(train)) == 6


def test_a_table_in_a_folder_tells_of_the_pictures_that_it_leaves_out(classes):
    rows = [["file", "label"], *([name, name[:3]] for name in load_images(classes).names[1:])]
    table = write_table(classes / "LABELS.CSV", rows)
    images = load_images(classes)
    assert (len(images), images.outside) == (5, 1)
    said = [finding.message for finding in quick_findings(images)]
    assert "1 picture of no class left out: LABELS.CSV is read, and does not name them" in said
    assert load_images(table).outside == 0  # what lies beside a table that was named may be anything


def test_a_table_that_a_spreadsheet_wrote_with_semicolons(classes):
    names = load_images(classes).names
    rows = ["file;label;group", *(f"{name};{name[:3]};{name[4:]}" for name in names)]
    (classes / "list.csv").write_text("\ufeff" + "\r\n".join(rows), encoding="utf-8")
    images = load_images(classes)
    assert images.names == names
    assert images.groups == tuple(name[4:] for name in names)


def test_a_table_from_windows_may_name_a_picture_twice_in_the_same_words(classes):
    names = load_images(classes).names
    rows = [["file", "label"], *([name.replace("/", "\\"), name[:3]] for name in names)]
    table = write_table(classes / "list.csv", [*rows, rows[1]])
    assert load_images(table).names == names


def decomposed(text):
    return unicodedata.normalize("NFD", text)


def test_a_class_whose_accents_are_written_in_two_ways_is_one_class(classes):
    for part, name in (("train", decomposed("café")), ("test", "café")):
        for label, folder in enumerate((name, "dog")):
            write_pictures(classes.parent / "parts" / part / folder, start=100 * len(part) + 10 * label)
    images = load_images(classes.parent / "parts")
    assert images.counts() == {"café": 6, "dog": 6}
    assert images.names[0] == f"test/{decomposed('café')}/400.png" or images.names[0] == "test/café/400.png"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_tables_name_files_whose_accents_are_written_in_another_way(form, classes, tmp_path):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    (classes / "cat").rename(classes / unicodedata.normalize(form, "Bär"))
    names = [unicodedata.normalize(other, name) for name in load_images(classes).names]
    table = write_table(tmp_path / "g.csv", [["file", "group"], *([name, name[-5]] for name in names)])
    assert load_images(classes, table).groups == ("0", "1", "2", "0", "1", "2")
    table = write_table(classes / "list.csv", [["file", "label"], *([name, name[:3]] for name in names)])
    assert len(load_images(table)) == 6


def test_a_table_that_is_none_is_no_matter(classes):
    write_table(classes / "a.csv", [["file", "group"], ["cat/0.png", "a"]])
    images = load_images(classes)
    assert (len(images), images.ignored) == (6, 1)


def archive(folder, path, wrap=""):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            for inner in folder.rglob("*.*"):
                file.write(inner, wrap + inner.relative_to(folder).as_posix())
    else:
        with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as file:
            file.add(folder, wrap or ".")
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "B.ZIP"])
@pytest.mark.parametrize("wrap", ["", "wrap/inner/"])
def test_archives(name, wrap, classes, tmp_path):
    plain = load_images(classes)
    path = archive(classes, tmp_path / name.lower(), wrap).rename(tmp_path / name)
    images = load_images(path)
    assert images.names == plain.names
    assert images.digest() == plain.digest()
    assert load_images(path).paths == images.paths


def test_archive_of_a_table(classes, tmp_path):
    rows = [["file", "label"], *([f"{name}.png", name[:3]] for name in ("cat/0", "cat/1", "dog/10", "dog/11"))]
    write_table(classes / "list.csv", rows)
    assert load_images(archive(classes, tmp_path / "a.zip", "wrap/")).class_names == ("cat", "dog")


def test_groups_come_from_a_table(classes, tmp_path):
    rows = [["file", "group"], *([name, name[4]] for name in load_images(classes).names)]
    assert load_images(classes, write_table(tmp_path / "g.csv", rows)).groups == ("0", "1", "2", "1", "1", "1")
    assert "1 picture(s), dog/12.png" in complaint(classes, write_table(tmp_path / "g.csv", rows[:-1]))
    assert "file, group" in complaint(classes, write_table(tmp_path / "g.csv", [["file"]]))
    names = load_images(classes).names
    rows = [["file", "group"], *([".\\" + name.replace("/", "\\"), name[:3] + " " * i] for i, name in enumerate(names))]
    assert set(load_images(classes, write_table(tmp_path / "g.csv", rows)).groups) == {"cat", "dog"}
    assert "not in DATA, cat/none.png" in complaint(
        classes, write_table(tmp_path / "g.csv", [*rows, ["cat/none.png", "y"]])
    )
    assert "contradict" in complaint(classes, write_table(tmp_path / "g.csv", [*rows, [rows[1][0], "y"]]))
    rows = [["file", "group"], *([name, "x"] for name in load_images(classes).names)]
    assert "single group 'x'" in complaint(classes, write_table(tmp_path / "g.csv", rows))
    assert load_images(classes, tmp_path / "g.csv", lenient=True).groups[0] == "x"
    with pytest.raises(OptionError, match="is no file; expected a CSV"):
        load_images(classes, tmp_path / "none.csv")


@pytest.mark.skipif(os.sep != "/", reason="a backslash divides folders here")
def test_a_backslash_is_a_letter_where_the_system_takes_it_for_one(classes, tmp_path):
    (classes / "cat" / "0.png").rename(classes / "cat" / "a\\b.png")
    names = load_images(classes).names
    rows = [["file", "group"], *(["./" + name, name[:3]] for name in names)]
    assert load_images(classes, write_table(tmp_path / "g.csv", rows)).names == names


def test_a_table_that_may_not_be_read_is_refused(classes, tmp_path, monkeypatch):
    table = write_table(tmp_path / "g.csv", [["file", "group"]])
    opened = Path.open

    def refused(path, *args, **options):
        if path == table:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", refused)
    assert f"{table} cannot be read (Permission denied)" in complaint(classes, table)


def test_odd_folder_keeps_what_is_readable_and_names_the_rest(tmp_path):
    odd = write_odd_folder(tmp_path)
    images = load_images(odd.root)
    unreadable = dict(images.unreadable)
    assert set(unreadable) == set(odd.bad)
    assert all(word in unreadable[name] for name, word in odd.bad.items())
    assert set(images.names) == set(odd.good)
    assert (images.ignored, images.empty) == (odd.ignored, odd.empty)


def test_a_folder_that_cannot_be_read_is_refused_and_not_taken_for_an_empty_one(classes, monkeypatch):
    scan = os.scandir

    def refused(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    (classes / ".hidden" / "locked").mkdir(parents=True)
    monkeypatch.setattr(os, "scandir", refused)
    assert len(load_images(classes)) == 6
    (classes / "dog" / "locked").mkdir()
    assert f"(Permission denied: {classes / 'dog' / 'locked'})" in complaint(classes)


def test_pictures_outside_class_folders_and_files_in_hidden_folders_are_counted(classes):
    write_pictures(classes, 2, start=90)
    for folder in (".git", "cat/.thumbnails", "dog/__MACOSX"):
        write_pictures(classes / folder, 1)
    (classes / "notes.txt").touch()
    images = load_images(classes)
    assert (len(images), images.ignored, images.outside) == (6, 4, 2)
    assert "2 pictures of no class left out" in [finding.message for finding in quick_findings(images)]
    for part in ("train", "test"):
        shutil.copytree(classes, classes.parent / "parts" / part)
    images = load_images(classes.parent / "parts")
    assert (len(images), images.ignored, images.outside) == (12, 8, 4)

    write_pictures(classes.parent, 3)  # the folder of the parts is the only one there
    (classes.parent / ".git").mkdir()
    (classes.parent / ".git" / "config").touch()
    shutil.rmtree(classes)
    images = load_images(classes.parent)
    assert (len(images), images.ignored, images.outside) == (12, 9, 7)


def test_thousands_of_classes(tmp_path):
    images = load_images(write_many_classes(tmp_path, 2000))
    assert (len(images), len(images.class_names), set(images.counts().values())) == (4000, 2000, {2})


def test_links_are_followed_but_never_in_a_circle_or_into_another_class(classes, tmp_path):
    write_pictures(tmp_path / "elsewhere", start=50)
    (classes / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    (classes / "cat" / "up").symlink_to(classes)
    (classes / "dog" / "self").symlink_to(classes / "dog")
    (classes / "dog" / "broken.png").symlink_to(classes / "none.png")
    images = load_images(classes)
    assert images.counts() == {"cat": 6, "dog": 3}
    assert [name for name, _ in images.unreadable] == ["dog/broken.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_not_waited_for(classes):
    os.mkfifo(classes / "cat" / "pipe.png")
    assert load_images(classes).unreadable == (("cat/pipe.png", "is no file"),)


def test_names_with_spaces_and_all_letters(classes):
    (classes / "cat").rename(classes / "große Katze 猫")
    (classes / "dog" / "10.png").rename(classes / "dog" / "a picture, 'quoted'.PNG")
    images = load_images(classes)
    assert images.class_names == ("dog", "große Katze 猫")
    assert len(images) == 6


@pytest.mark.parametrize("address", ["http://example.org/a.zip", "https://example.org/", "https://example.org/a.exe"])
def test_addresses_that_are_no_archive_over_https_are_refused(address):
    assert "expected an https:// address" in complaint(address)


@pytest.fixture
def server(monkeypatch):
    """A function that lets every address answer with some bytes, or fail; it gives the addresses that were asked."""
    asked = []

    def serve(data=b"", length=None, url=None, error=None):
        def answer(address, timeout):
            assert 0 < timeout <= 60
            asked.append(address)
            if error:
                raise error
            response = io.BytesIO(data)
            response.headers = {} if length is False else {"Content-Length": str(length or len(data))}
            response.url = url or address
            return response

        monkeypatch.setattr(downloads, "urlopen", answer)
        return asked

    return serve


def test_an_address_is_fetched_once(classes, tmp_path, own_cache, server, capsys):
    packed = archive(classes, tmp_path / "a.zip")
    address = "https://example.org/pictures.zip?raw=1"
    asked = server(packed.read_bytes())
    assert load_images(address).names == load_images(classes).names
    said = capsys.readouterr()
    assert (said.out, "from the cache" in said.err) == ("", False)
    assert len(load_images(address)) == 6  # what was fetched once is told of, and not fetched again
    said = capsys.readouterr()
    assert (said.out, said.err.count("from the cache, fetched 20")) == ("", 1)
    assert asked == [address]

    (kept,) = own_cache.rglob("pictures.zip")
    kept.write_bytes(packed.read_bytes()[:100])  # which is found, and fetched anew
    server(packed.read_bytes(), length=False)
    assert len(load_images(address)) == 6
    assert kept.read_bytes() == packed.read_bytes()
    server(packed.read_bytes()[:100])
    assert "cannot be unpacked" in complaint("https://example.org/cut.zip")
    assert not list(own_cache.rglob("cut.zip"))  # so that the next command fetches it anew


def test_a_fetch_that_ends_early_leaves_nothing(own_cache, server, monkeypatch):
    address = "https://example.org/other.zip"
    server(b"half of it", length=20)
    assert "cannot be fetched (10 of 20 bytes came); check the address and the network" in complaint(address)
    server(error=OSError("no route\nto host"))
    assert "cannot be fetched (no route to host)" in complaint(address)
    server(b"x", url="http://example.org/other.zip")
    assert "leads to http://example.org/other.zip; expected an address that stays on https://" in complaint(address)
    server(b"one byte after the other")
    with monkeypatch.context() as patch:  # every pause is too long now
        patch.setattr(downloads, "SILENCE", 1e-9)
        patch.setattr(downloads, "LEAST_RATE", 1e15)
        assert "cannot be fetched (24 bytes in 0 seconds)" in complaint(address)
    server(error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        load_images(address)
    for length in (2 * 10**9, False):  # told before, or counted
        server(bytes(2_000_000), length)
        with pytest.raises(DataError, match=r"other\.zip needs .* GB or more, and 0\.001 GB are allowed"):
            load_images(address, max_size=0.001)
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_a_server_that_never_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(downloads, "SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call, and says nothing
        assert "operation timed out); check the address" in complaint(
            f"https://127.0.0.1:{silent.getsockname()[1]}/a.zip"
        )


def make(kind, root):
    """Something under `root` that is no usable DATA."""
    table = [["file", "label"], ["cat/0.png", "cat"], ["dog/10.png", "dog"]]
    if kind == "missing":
        return root / "none"
    if kind == "no class folders":
        write_pictures(root)
    elif kind == "empty classes":
        (root / "cat").mkdir()
        (root / "dog").mkdir()
    elif kind == "one class":
        write_pictures(root / "cat")
    elif kind == "one picture":
        write_pictures(root / "cat")
        write_pictures(root / "dog", 1)
    elif kind == "nothing readable":
        for name in ("cat", "dog"):
            (root / name).mkdir()
            (root / name / "a.jpg").write_bytes(b"text")
    elif kind == "no training part":
        write_pictures(root / "val" / "cat")
        write_pictures(root / "test" / "cat")
    elif kind == "parts among others":
        for name in ("train", "test", "more"):
            write_pictures(root / name / "cat")
    elif kind == "a picture":
        return write_pictures(root, 1) / "0.png"
    elif kind.startswith("table"):
        write_pictures(root / "cat")
        write_pictures(root / "dog", start=10)
        rows = {
            "table without columns": [["name", "class"]],
            "table of nothing": [],
            "table without rows": table[:1],
            "table with missing files": [*table, ["cat/none.png", "cat"]],
            "table with paths outside": [*table, ["../out.png", "cat"]],
            "table with absolute paths": [*table, ["/etc/hostname", "cat"]],
            "table with an empty label": [*table, ["cat/1.png", ""]],
            "table with a short row": [*table, ["cat/1.png"]],
            "table with a file twice": [*table, ["cat/../cat/0.png", "dog"]],
            "table with an unknown part": [["file", "label", "split"], ["cat/0.png", "cat", "exam"]],
        }
        return write_table(root / "list.csv", rows.get(kind, table))
    return root


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", ("does not exist", "expected")),
        ("empty", ("is empty", "expected")),
        ("no class folders", ("no folders of classes", "expected")),
        ("empty classes", ("no pictures", ".jpg")),
        ("one class", ("single class 'cat'", "expected two")),
        ("one picture", ("'dog' has one picture", "needs two")),
        ("nothing readable", ("none of 2 files", "cat/a.jpg is no picture")),
        ("no training part", ("no train/", "rename")),
        ("parts among others", ("also more", "move")),
        ("a picture", ("is a file", "expected")),
        ("table without columns", ("name, class", "expected at least file, label")),
        ("table of nothing", ("nothing", "expected at least file, label")),
        ("table without rows", ("no rows", "expected")),
        ("table with missing files", ("1 file(s)", "cat/none.png", "correct the table")),
        ("table with paths outside", ("line 4", "../out.png", "below the table")),
        ("table with absolute paths", ("line 4", "/etc/hostname", "below the table")),
        ("table with an empty label", ("line 4", "needs both")),
        ("table with a short row", ("line 4", "needs both")),
        ("table with a file twice", ("two rows for cat/0.png", "keep one")),
        ("table with an unknown part", ("line 2", "'exam'", "expected train")),
    ],
)
def test_unusable_data_is_refused_with_received_expected_fix(kind, words, tmp_path):
    data = make(kind, tmp_path)
    message = complaint(data)
    assert str(data) in message
    for word in words:
        assert word in message


def test_a_table_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "list.csv").write_bytes("file,label\ncat/ä.png,cat\n".encode("latin-1"))
    assert "UTF-8" in complaint(tmp_path / "list.csv")


def test_an_archive_is_unpacked_anew_where_the_cache_is_damaged(classes, tmp_path, own_cache):
    path = archive(classes, tmp_path / "a.zip")
    digests = load_images(path).digests
    for damage in (lambda kept: kept.unlink(), lambda kept: kept.write_bytes(b"x"), lambda kept: kept.touch()):
        damage(next(own_cache.rglob("*.png")))
        assert load_images(path).digests == digests
    shutil.rmtree(own_cache)
    own_cache.touch()  # no folder can be made here
    assert load_images(path).digests == digests


@pytest.mark.parametrize("name", ["../out.png", "/out.png", "a/../../out.png", "..\\out.png", "C:\\out.png"])
def test_zip_with_paths_outside_is_refused(name, tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("cat/a.png", b"")
        file.writestr(zipfile.ZipInfo(name), b"")
    assert "leads outside" in complaint(path)


def test_tar_with_paths_outside_is_refused_and_leaves_nothing(tmp_path, own_cache):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        for name in ("cat/a.png", "../out.png"):
            file.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert "refused" in complaint(path)
    assert [p for p in own_cache.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
@pytest.mark.parametrize("damage", ["text", "cut", "changed"])
def test_damaged_archive_is_refused_and_leaves_nothing(name, damage, classes, tmp_path, own_cache):
    whole = archive(classes, tmp_path / name).read_bytes()
    changed = bytearray(whole)
    changed[60:120] = b"\xee" * 60
    damaged = {"text": b"This is no archive.", "cut": whole[: len(whole) // 2 + 100], "changed": bytes(changed)}
    (tmp_path / name).write_bytes(damaged[damage])
    assert name in complaint(tmp_path / name)
    assert [p for p in own_cache.rglob("*") if p.is_file()] == []
