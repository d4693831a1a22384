"""Archives of pictures, unpacked once into the cache folder: as much as is allowed, whatever they ask for."""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import lzma
import os
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from numbers import Real
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

from transfer.cache import cache_folder, made_folder
from transfer.errors import DataError, OptionError
from transfer.settings import MAX_SIZE

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
UNPACKED = b"names 2"  # of how archives are unpacked: another one makes what lies in the cache void
BLOCK = 4096  # bytes that the smallest file takes on a disk
AT_ONCE = 16 << 20  # bytes of a header
MOST_PATH = 1000  # letters
UTF8, UNICODE_NAME = 0x800, 0x7075  # a flag and an extra field of the files in a zip
# RuntimeError: what zipfile says of a password, and of a compression that it does not know.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError)
_PACKERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))


def is_archive(path: Path) -> bool:
    """Tell an archive by its name."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, max_size: float = MAX_SIZE) -> Path:
    """Unpack an archive into the cache folder, or find it there from an earlier time.

    Args:
        archive: its path.
        max_size: GB that may come out of it, each file counted as a block of the disk at least; see `settings`.

    Raises:
        DataError: damaged, too large, or with a path that leads outside; nothing of it is kept then.
    """
    most = allowed_bytes(max_size)
    require_size(archive, archive.stat().st_size, most)
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16, person=UNPACKED)).hexdigest()
    return made_folder(cache_folder("archives") / digest, lambda partial: _unpack(archive, partial, most))


def _unpack(archive: Path, target: Path, most: int) -> None:
    try:
        if archive.name.lower().endswith(".zip"):
            _unzip(archive, target, _counted(archive, most))
        else:
            _untar(archive, target, most)
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


def allowed_bytes(max_size: float) -> int:
    """The bytes of so many GB.

    Raises:
        OptionError: no number above 0.
    """
    if not (isinstance(max_size, Real) and 0 < max_size < 1e9):
        raise OptionError(f"`max_size={max_size!r}`; expected a number of GB above 0")
    return int(max_size * 1e9)


def require_size(what: object, size: int, most: int) -> None:
    """Refuse what is larger than it may be.

    Raises:
        DataError: with what it would need.
    """
    if size > most:
        raise DataError(
            f"{what} needs {size / 1e9:,.4g} GB or more, and {most / 1e9:g} GB are allowed; give a higher `max_size` "
            "if you know who made it"
        )


def _counted(archive: Path, most: int) -> Callable[[int], None]:
    """A function that takes the bytes of the next file, and refuses the one that is too many."""
    total = 0

    def count(size: int) -> None:
        nonlocal total
        total += max(size, BLOCK)
        require_size(archive, total, most)

    return count


def _untar(archive: Path, target: Path, most: int) -> None:
    count = _counted(archive, most)

    def safe(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
        member = tarfile.data_filter(member, path)
        place = os.path.join(path, member.name)
        # Where paths become too long to be followed, Python before 3.11.13 can be led outside.
        if len(os.path.realpath(os.path.dirname(place))) > MOST_PATH:
            raise tarfile.OutsideDestinationError(member, place)
        # A link to what is not there yet would become a copy, as often as there are such links.
        if member.islnk() and not os.path.lexists(os.path.join(path, member.linkname)):
            raise DataError(
                f"{archive} is refused: {member.name!r} is a link to {member.linkname!r}, which is not there"
            )
        count(member.size)  # what a sparse file stands for, too
        return member.replace(mtime=None, deep=False)  # there are times that no disk knows

    with archive.open("rb") as packed:
        begin = packed.read(8)
    packer = next((packer for magic, packer in _PACKERS if begin.startswith(magic)), open)
    with packer(archive, "rb") as file, tarfile.open(fileobj=_Bounded(file, archive, most), mode="r:") as tar:
        tar.extractall(target, filter=safe)


class _Bounded:
    """A tar archive as `tarfile` reads it, counted: it takes names in headers whole, however long they are."""

    def __init__(self, file: BinaryIO, archive: Path, most: int):
        self._file, self._archive, self._most, self._read = file, archive, most, 0
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        self._read += size
        if size > AT_ONCE:
            raise DataError(f"{self._archive} has a header of {size:,} bytes: it is damaged, or made to do harm")
        require_size(self._archive, self._read - AT_ONCE, self._most)
        return self._file.read(size)


def _unzip(archive: Path, target: Path, count: Callable[[int], None]) -> None:
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
            count(entry.file_size)  # zipfile takes no more out of it, whatever there is
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
