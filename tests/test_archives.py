"""The names of the files in zips that other programs have written."""

import io
import struct
import zipfile
import zlib

import pytest
from odd_pictures import png, scene

import transfer
from transfer.errors import DataError

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
