"""Archives of pictures: fetched where they are addresses, unpacked once into the cache folder."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from contextlib import redirect_stdout
from datetime import date
from pathlib import Path, PurePosixPath, PureWindowsPath

from transfer import quiet
from transfer.cache import cache_folder
from transfer.errors import DataError
from transfer.writing import whole_file

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
UNPACKED = b"names 2"  # of how archives are unpacked: another one makes what lies in the cache void
UTF8, UNICODE_NAME = 0x800, 0x7075  # a flag and an extra field of the files in a zip
# RuntimeError: what zipfile says of a password, and of a compression that it does not know.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError)


def is_archive(path: Path) -> bool:
    """Tell an archive by its name."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def fetch(address: str) -> Path:
    """Download an archive once, through `keras.utils.get_file`; the next time, say on standard error where it lies."""
    name = PurePosixPath(address.split("?")[0]).name
    if not address.startswith("https://") or not name.lower().endswith(SUFFIXES):
        raise DataError(f"{address}: expected an https:// address that ends in one of {', '.join(SUFFIXES)}")
    target = cache_folder("downloads", hashlib.blake2b(address.encode(), digest_size=8).hexdigest()) / name
    if target.exists():
        fetched = date.fromtimestamp(target.stat().st_mtime)
        print(f"{address}: from the cache, fetched {fetched}; delete {target} to fetch it again", file=sys.stderr)
        return target
    quiet.import_tensorflow()
    import keras

    with whole_file(target) as partial:
        try:
            with redirect_stdout(sys.stderr):  # Keras prints its progress where results go
                place = {"cache_dir": str(target.parent), "cache_subdir": ""}
                keras.utils.get_file(partial.name, address, **place, force_download=True)
        except Exception as error:  # urllib, ssl and Keras each raise their own kinds
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{address} cannot be fetched ({reason}); check the address and the network") from error
    return target


def unpack(archive: Path) -> Path:
    """Unpack an archive into the cache folder, or find it there from an earlier time.

    Raises:
        DataError: damaged, or with a path that leads outside.
    """
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16, person=UNPACKED)).hexdigest()
    target = cache_folder("archives") / digest
    if target.exists():
        return target
    partial = Path(tempfile.mkdtemp(prefix="unpacking-", dir=target.parent))
    try:
        if archive.name.lower().endswith(".zip"):
            _unzip(archive, partial)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(partial, filter="data")
        _settle(partial, target)
    except tarfile.FilterError as error:
        raise DataError(f"{archive} is refused: {error}; pack it again with plain relative paths") from error
    except (*_DAMAGE, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{archive} cannot be unpacked ({reason}); expected a whole zip or tar archive") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _settle(partial: Path, target: Path) -> None:
    try:
        os.replace(partial, target)
    except OSError:
        if not target.exists():  # or else another process was quicker
            raise


def _unzip(archive: Path, target: Path) -> None:
    guessed: list[str] = []
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            known = _known_name(entry)
            if known is None:
                guessed.append(entry.filename)
            entry.filename = name = known or entry.filename
            path = PureWindowsPath(name)  # knows both slashes and drives
            if path.root or path.drive or ".." in path.parts:
                raise DataError(
                    f"{archive} is refused: {name!r} leads outside; pack it again with plain relative paths"
                )
        for entry in file.infolist():
            file.extract(entry, target)
    if guessed:
        print(
            f"{archive}: {len(guessed)} names are in a code page that it does not tell, and are read as code page 437, "
            f"such as {guessed[0]!r}; where that is wrong, pack it again with names in UTF-8",
            file=sys.stderr,
        )


def _known_name(entry: zipfile.ZipInfo) -> str | None:
    """The name of a file in a zip, whose bytes `zipfile` takes for code page 437 where no flag says UTF-8.

    `None` where that stands, as the standard has it, and yet may be wrong: many programs write the code page of their
    system. The Unicode field 0x7075 (APPNOTE.TXT 4.6.9) counts before the bytes that are UTF-8 without the flag.
    """
    if entry.flag_bits & UTF8:
        return entry.filename
    stored = entry.orig_filename.encode("cp437")
    fields = entry.extra
    while len(fields) >= 4:
        kind, size = struct.unpack("<HH", fields[:4])
        field, fields = fields[4 : 4 + size], fields[4 + size :]
        if kind == UNICODE_NAME and field[1:5] == struct.pack("<I", zlib.crc32(stored)):
            return field[5:].decode("utf-8")
    try:
        return stored.decode("utf-8")
    except UnicodeDecodeError:
        return None
