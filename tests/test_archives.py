"""Archives: the names that other programs have written, and those that ask for more than they may."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

import pytest
from odd_pictures import png, scene
from typer.testing import CliRunner

import transfer
from transfer import cli
from transfer.errors import DataError, OptionError

PICTURE = png(scene(8, 8)[..., 0], 8, 0)


def foreign_zip(path, classes, field=False):
    """A zip whose names are stored as given, without the flag for UTF-8; with the Unicode field 0x7075 if wanted."""
    file, stored = io.BytesIO(), {}
    with zipfile.ZipFile(file, "w") as archive:
        for number, (name, raw) in enumerate(classes.items()):
            for i in range(2):
                plain = f"{number}" * len(raw) + f"/{i}.png"
                stored[f"{number}".encode() * len(raw) + b"/"] = raw + b"/"
                entry = zipfile.ZipInfo(plain)
                if field:
                    real = raw + f"/{i}.png".encode()
                    text = f"{name}/{i}.png".encode()
                    entry.extra = struct.pack("<HHBI", 0x7075, 5 + len(text), 1, zlib.crc32(real)) + text
                archive.writestr(entry, PICTURE + bytes([number, i]))
    data = file.getvalue()
    for plain, raw in stored.items():
        data = data.replace(plain, raw)
    path.write_bytes(data)
    return path


def test_names_are_utf_8_with_or_without_the_flag(tmp_path):
    names = {"größe": "größe".encode(), "猫": "猫".encode(), "dog": b"dog"}
    assert transfer.load_images(foreign_zip(tmp_path / "a.zip", names)).class_names == ("dog", "größe", "猫")


def test_the_unicode_field_counts_before_the_bytes_of_a_code_page(tmp_path):
    names = {"größe": "größe".encode("cp1252"), "猫": "猫".encode("gbk")}
    assert transfer.load_images(foreign_zip(tmp_path / "a.zip", names, field=True)).class_names == ("größe", "猫")


def test_code_page_437_is_read_as_before_and_told(tmp_path, capsys):
    names = {"größe": "größe".encode("cp437"), "dog": b"dog"}
    assert transfer.load_images(foreign_zip(tmp_path / "a.zip", names)).class_names == ("dog", "größe")
    assert "a.zip: 2 names are in a code page that it does not tell" in capsys.readouterr().err
    transfer.load_images(foreign_zip(tmp_path / "b.zip", {"dog": b"dog", "猫": "猫".encode()}))
    assert capsys.readouterr().err == ""


def test_a_zip_of_zips_says_so(tmp_path):
    foreign_zip(tmp_path / "train.zip", {"cat": b"cat", "dog": b"dog"})
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        file.write(tmp_path / "train.zip", "train.zip")
    with pytest.raises(DataError, match=r"holds the archive\(s\) train\.zip; unpack"):
        transfer.load_images(tmp_path / "all.zip")


@pytest.fixture
def nothing_kept(own_cache):
    """After the test, nothing that an archive asked for lies in the cache."""
    yield
    assert not [path for path in own_cache.rglob("*") if path.parent.name == "archives"]


def refused(path, sentence, **options):
    with pytest.raises(DataError, match=sentence) as error:
        transfer.load_images(path, **options)
    assert "\n" not in str(error.value)


def tar(path, *members, packed=bytes):
    """A tar archive of (name, fields, data) behind two classes of two pictures."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        pictures = [
            (f"{name}/{i}.png", {}, PICTURE + name.encode() + bytes([i])) for name in ("a", "b") for i in (0, 1)
        ]
        for name, fields, data in [*pictures, *members]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            for field, value in fields.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(data))
    path.write_bytes(packed(file.getvalue()))
    return path


def header(size, kind):
    """A header of a tar archive that tells of a size, of which nothing need follow."""
    member = tarfile.TarInfo("a/z.png")
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_zip_that_unpacks_to_more_than_is_allowed(tmp_path, nothing_kept, how):
    path = foreign_zip(tmp_path / "a.zip", {"cat": b"cat", "dog": b"dog"})
    with zipfile.ZipFile(path, "a", how) as archive:
        archive.writestr("cat/table.csv", bytes(2_000_000))
    refused(
        path, r"a\.zip needs 0\.00\d+ GB or more, and 0\.001 GB are allowed; give a higher `max_size`", max_size=0.001
    )
    # The directory may say less than there is: no more comes out than it says, and that is no whole file.
    data = path.read_bytes()
    at = data.rindex(b"PK\1\2") + 24
    path.write_bytes(data[:at] + struct.pack("<I", 5) + data[at + 4 :])
    refused(path, "cannot be unpacked", max_size=0.001)


def test_many_empty_files_fill_a_disk_too(tmp_path, nothing_kept):
    path = foreign_zip(tmp_path / "a.zip", {"cat": b"cat", "dog": b"dog"})
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(300):
            archive.writestr(f"cat/{number}.txt", b"")
    refused(path, r"needs 0\.001\d* GB or more", max_size=0.001)
    assert len(transfer.load_images(path, max_size=0.01)) == 4
    assert len(transfer.load_images(path, max_size=0.001)) == 4  # it is there already
    transfer.cache.clear(["archives"])


def test_tar_archives_that_ask_for_more_than_there_is(tmp_path, nothing_kept):
    path = tar(tmp_path / "a.tar")
    whole = path.read_bytes()
    path.write_bytes(header(8 * 10**12, tarfile.REGTYPE) + whole)
    refused(path, r"needs 8,000 GB or more, and 8 GB are allowed")
    sparse = {"pax_headers": {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(8 * 10**12)}}
    refused(tar(path, ("a/s.png", sparse, b"")), r"needs 8,000 GB or more")
    packed = tar(tmp_path / "a.tar.gz", ("a/z.png", {}, bytes(2_000_000)), packed=gzip.compress)
    refused(packed, r"needs 0\.00\d+ GB or more", max_size=0.001)
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):  # which are read whole
        packed.write_bytes(gzip.compress(header(10**9, kind) + bytes(10_000) + whole))
        refused(packed, "has a header of 1,000,000,000 bytes")
    refused(path, "needs", max_size=1e-9)  # the archive alone is too large


def test_what_no_disk_can_hold_is_refused_or_left_away(tmp_path, own_cache):
    late = {"pax_headers": {"mtime": "1e30"}}
    assert len(transfer.load_images(tar(tmp_path / "a.tar", ("a/x.png", late, PICTURE)))) == 5
    links = [(f"a/{n}.png", {"type": tarfile.LNKTYPE, "linkname": "z"}, b"") for n in (5, 6)]
    refused(tar(tmp_path / "b.tar", *links, ("z", {}, b"z")), "'a/5.png' is a link to 'z', which is not there")
    chain, way = [], "a"
    for letter in "abcdef":
        chain += [(f"{way}/{'d' * 247}", {"type": tarfile.DIRTYPE, "mode": 0o755}, b"")]
        chain += [(f"{way}/{letter}", {"type": tarfile.SYMTYPE, "linkname": "d" * 247}, b"")]
        way += f"/{letter}"
    refused(tar(tmp_path / "c.tar", *chain), "is refused: .* outside the destination")
    assert len(list((own_cache / "archives").iterdir())) == 1


@pytest.mark.parametrize("size", [0, -1, float("nan"), "8"])
def test_a_size_is_a_number_above_0(tmp_path, size):
    with pytest.raises(OptionError, match=r"`max_size=.*`; expected a number of GB above 0"):
        transfer.load_images(tar(tmp_path / "a.tar"), max_size=size)


@pytest.mark.parametrize("command", ["check", "clean", "train", "compare"])
def test_every_command_that_takes_an_archive_has_its_limit(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tar(tmp_path / "a.tar", ("a/z.png", {}, bytes(2_000_000)))
    error = CliRunner().invoke(cli.app, [command, str(path), "--max-size", "0.001"]).exception
    assert isinstance(error, DataError)
    assert "GB are allowed" in str(error)
    assert CliRunner().invoke(cli.app, [command, str(path), "--max-size", "0"]).exit_code == 2
