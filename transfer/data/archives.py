"""Archives of pictures: fetched where they are addresses, unpacked once into the cache folder."""

from __future__ import annotations

import errno
import hashlib
import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from contextlib import redirect_stdout
from datetime import date
from pathlib import Path, PurePosixPath, PureWindowsPath

from transfer import quiet
from transfer.cache import cache_folder, is_kept, made_folder
from transfer.errors import DataError

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
    folder = cache_folder("downloads", hashlib.blake2b(address.encode(), digest_size=8).hexdigest())
    if is_kept(folder):
        fetched = date.fromtimestamp((folder / name).stat().st_mtime)
        print(f"{address}: from the cache, fetched {fetched}; delete {folder} to fetch it again", file=sys.stderr)
    return made_folder(folder, lambda partial: _download(address, partial / name)) / name


def _download(address: str, target: Path) -> None:
    quiet.import_tensorflow()
    import keras

    try:
        with redirect_stdout(sys.stderr):  # Keras prints its progress where results go
            place = {"cache_dir": str(target.parent), "cache_subdir": ""}
            keras.utils.get_file(target.name, address, **place, force_download=True)
    except Exception as error:  # urllib, ssl and Keras each raise their own kinds
        _refuse_full_disk(error)
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{address} cannot be fetched ({reason}); check the address and the network") from error


def unpack(archive: Path) -> Path:
    """Unpack an archive into the cache folder, or find it there from an earlier time.

    Raises:
        DataError: damaged, or with a path that leads outside.
    """
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16, person=UNPACKED)).hexdigest()
    return made_folder(cache_folder("archives") / digest, lambda partial: _unpack(archive, partial))


def _unpack(archive: Path, target: Path) -> None:
    try:
        if archive.name.lower().endswith(".zip"):
            _unzip(archive, target)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(target, filter="data")
    except tarfile.FilterError as error:
        raise DataError(f"{archive} is refused: {error}; pack it again with plain relative paths") from error
    except (*_DAMAGE, OSError) as error:
        _refuse_full_disk(error)
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{archive} cannot be unpacked ({reason}); expected a whole zip or tar archive") from error


def _refuse_full_disk(error: Exception) -> None:
    """Raise an error that speaks of where is written to, not of what is read."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
        raise error


def _unzip(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            entry.filename = name = _name_of(entry)
            path = PureWindowsPath(name)  # knows both slashes and drives
            if path.root or path.drive or ".." in path.parts:
                raise DataError(
                    f"{archive} is refused: {name!r} leads outside; pack it again with plain relative paths"
                )
        for entry in file.infolist():
            file.extract(entry, target)


def _name_of(entry: zipfile.ZipInfo) -> str:
    """The name of a file in a zip, whose bytes `zipfile` takes for code page 437 where no flag says UTF-8.

    The Unicode field 0x7075 (APPNOTE.TXT 4.6.9) counts before the bytes that are UTF-8 without the flag.
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
        return entry.filename
