"""Archives that somebody made to do harm, or that were damaged on their way: read, or refused in one sentence."""

import bz2
import gzip
import io
import lzma
import os
import resource
import signal
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from fault_table import Tried
from PIL import Image

import transfer
from transfer.errors import TransferError

MAX_SIZE = 0.02  # GB that may come out of each of them: bombs need not be larger than ten times that
SECONDS, MEMORY = 30, 400_000  # that one of them may take, kB
_KINDS = {
    "bombs and lies": ("bomb", "sparse", "lies", "size", "of 60 MB", "many"),
    "odd names": ("name",),
    "links and devices": ("link", "device", "disk.", "pipe"),
}
READ, REFUSED, EITHER = "read", "refused", "read or refused"


def archives(folder: Path) -> list[Tried]:
    """Give each archive to `load_images`, beside files that must stay as they are."""
    place, outside = folder / "archives", folder / "outside"
    place.mkdir()
    outside.mkdir()
    (outside / "mine.txt").write_text("mine")
    os.environ["TRANSFER_CACHE"] = str(folder / "cache")
    tried = []
    for name, make, expected in [*_zips(), *_tars()]:
        path = place / name
        path.write_bytes(make())
        fault = _fault(path, expected, folder, outside)
        tried.append(Tried(f"an archive: {_kind(name)}", not fault, f"{name}: {fault}" if fault else ""))
        path.unlink()
    return tried


def _kind(name: str) -> str:
    """What an archive is called in the table, by its name."""
    packed = "zip" if name.endswith(".zip") else "tar"
    return (
        f"{packed}, {next((kind for kind, words in _KINDS.items() if any(map(name.count, words))), 'damaged or odd')}"
    )


def _fault(path: Path, expected: str, folder: Path, outside: Path) -> str:
    """What did not hold, or ""."""
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    signal.alarm(SECONDS)
    try:
        happened, said = READ, f"{len(transfer.load_images(path, max_size=MAX_SIZE))} pictures"
    except TransferError as error:
        happened, said = REFUSED, str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    cache = folder / "cache"
    left = [each.name for each in (cache / "archives").iterdir() if each.name.startswith("unpacking-")]
    size = sum(each.lstat().st_size for each in cache.rglob("*") if each.is_file() and not each.is_symlink())
    faults = {
        f"was {happened}, {said}": expected not in (happened, EITHER),
        "said more than a sentence": "\n" in said,
        f"left {left}": bool(left),
        "wrote outside": [each.name for each in outside.iterdir()] != ["mine.txt"]
        or sorted(each.name for each in folder.iterdir()) != ["archives", "cache", "outside"],
        f"took {size:,} bytes": size > 1.1e9 * MAX_SIZE,
        f"took {time.monotonic() - started:.0f} s": time.monotonic() - started > SECONDS / 2,
        "filled the memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > MEMORY,
    }
    for each in (cache / "archives").iterdir():
        _delete(each)
    return "; ".join(fault for fault, is_so in faults.items() if is_so)


def _delete(path: Path) -> None:
    for each in sorted(path.rglob("*"), reverse=True):
        each.rmdir() if each.is_dir() and not each.is_symlink() else each.unlink()
    path.rmdir()


def _pictures(prefix: str = "") -> dict[str, bytes]:
    """Two classes of three pictures."""
    found = {}
    for number in range(6):
        file = io.BytesIO()
        Image.fromarray(np.full((8, 8, 3), 40 * number, np.uint8)).save(file, "PNG")
        found[f"{prefix}{'cat' if number < 3 else 'dog'}/{number}.png"] = file.getvalue()
    return found


def _zip(extra: dict | None = None, how: int = zipfile.ZIP_STORED, change: Callable | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, data in (_pictures() | (extra or {})).items():
            entry = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            entry.compress_type = how
            archive.writestr(entry, data)
    data = file.getvalue()
    return change(data) if change else data


def _patched(signature: bytes, offset: int, value: bytes, which: int = 0) -> Callable[[bytes], bytes]:
    """Change some bytes of a header of a zip."""

    def change(data: bytes) -> bytes:
        at = -1
        for _ in range(which + 1):
            at = data.index(signature, at + 1)
        return data[: at + offset] + value + data[at + offset + len(value) :]

    return change


def _all_patched(signature: bytes, offset: int, value: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        at = data.find(signature)
        while at >= 0:
            data = data[: at + offset] + value + data[at + offset + len(value) :]
            at = data.find(signature, at + 1)
        return data

    return change


def _renamed(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new)


def _link_in_zip(name: str, target: str) -> dict:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return {entry: target.encode()}


def _overlapping() -> bytes:
    """Many entries of the directory that all name the same packed bytes (Fifield 2019)."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body, size = packed.compress(bytes(4_000_000)) + packed.flush(), 4_000_000
    crc = zlib.crc32(bytes(size))
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(body), size, 5, 0) + b"a.png" + body
    rows = b"".join(
        struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, len(body), size, 5, 0, 0, 0, 0, 0, 0)
        + b"a.png"
        for _ in range(100)
    )
    return local + rows + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 100, 100, len(rows), len(local), 0)


def _nested(depth: int) -> bytes:
    data = _zip()
    for level in range(depth):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(f"{level}.zip", data)
        data = file.getvalue()
    return data


CENTRAL, LOCAL, END = b"PK\1\2", b"PK\3\4", b"PK\5\6"


def _zips() -> Iterator[tuple[str, Callable[[], bytes], str]]:
    zeros = bytes(60_000_000)
    for how, name in ((0, "stored"), (8, "deflated"), (12, "bzip2"), (14, "lzma")):
        yield f"{name}.zip", lambda how=how: _zip(how=how), READ
        if how:
            yield f"bomb {name}.zip", lambda how=how: _zip({"cat/z.png": zeros}, how), REFUSED
    names = {
        "up": ("../a.png", REFUSED), "far up": ("../../../../outside/a.png", REFUSED), "root": ("/a.png", REFUSED),
        "up inside": ("cat/../../a.png", REFUSED), "backslashes up": ("..\\a.png", REFUSED),
        "backslashes": ("cat\\b.png", EITHER), "drive": ("C:\\a.png", REFUSED), "share": ("\\\\a\\b\\c.png", REFUSED),
        "dots": ("./cat/./x.png", READ), "long": (f"cat/{'n' * 300}.png", REFUSED), "deep": ("d/" * 900, EITHER),
        "line break": ("cat/a\nb.png", READ), "tab": ("cat/\t=1.png", READ), "formula": ("=1/+2.png", EITHER),
        "device": ("cat/CON.png", EITHER), "space": ("cat/ .png", EITHER), "both": ("cat/1.png/a.png", EITHER),
        "zero": ("cat/a\0b.png", EITHER), "letters": ("größe/猫.png", EITHER), "case": ("CAT/0.png", EITHER),
        "folder": ("cat/", READ), "hidden": (".hidden/a.png", READ), "mac": ("__MACOSX/cat/._0.png", READ),
    }  # fmt: skip
    for name, (inside, expected) in names.items():
        yield f"name {name}.zip", lambda inside=inside: _zip({inside: _pictures()["cat/0.png"]}), expected
    yield "name bytes.zip", lambda: _zip(change=_renamed(b"dog/", b"d\xff\xfe/")), EITHER
    yield "name twice.zip", lambda: _zip(change=_renamed(b"cat/1", b"cat/0")), EITHER
    yield "link.zip", lambda: _zip(_link_in_zip("cat/l.png", "/etc/passwd")), READ
    yield "encrypted.zip", lambda: _zip(change=_all_patched(CENTRAL, 8, b"\1\0")), REFUSED
    yield "encrypted strongly.zip", lambda: _zip(change=_all_patched(CENTRAL, 8, b"\x41\0")), REFUSED
    yield "packed unknown.zip", lambda: _zip(change=_all_patched(CENTRAL, 10, b"\x63\0")), REFUSED
    yield "version.zip", lambda: _zip(change=_all_patched(CENTRAL, 6, b"\xff\0")), REFUSED
    for share in (0.0, 0.1, 0.5, 0.9, 0.99):
        yield f"cut at {share}.zip", lambda share=share: _zip(change=lambda d: d[: int(share * len(d))]), REFUSED
    yield "without end.zip", lambda: _zip(change=lambda data: data[: data.index(END)]), REFUSED
    yield "behind a program.zip", lambda: b"MZ" + bytes(5000) + _zip(), READ
    yield "before rubbish.zip", lambda: _zip() + bytes(100), EITHER
    yield "lies small.zip", lambda: _zip({"cat/z.png": zeros}, 8, _all_patched(CENTRAL, 24, bytes(4))), REFUSED
    yield "lies large.zip", lambda: _zip(change=_all_patched(CENTRAL, 24, b"\xff\xff\xff\x7f")), REFUSED
    yield "lies of itself.zip", lambda: _zip(change=_all_patched(CENTRAL, 20, b"\xff\xff\xff\x7f")), EITHER
    yield "checksum.zip", lambda: _zip(change=_patched(CENTRAL, 16, b"\0\0\0\0")), REFUSED
    yield "offset.zip", lambda: _zip(change=_patched(CENTRAL, 42, b"\xff\xff\xff\0")), REFUSED
    yield "other local name.zip", lambda: _zip(change=_patched(LOCAL, 30, b"dat")), REFUSED
    yield "directory elsewhere.zip", lambda: _zip(change=_patched(END, 16, b"\xff\xff\xff\0")), REFUSED
    yield "disks.zip", lambda: _zip(change=_patched(END, 4, b"\7\0")), EITHER
    yield "empty.zip", lambda: END + bytes(18), REFUSED
    yield "overlapping bomb.zip", _overlapping, REFUSED
    yield "many files.zip", lambda: _zip({f"cat/{n}.txt": b"" for n in range(20_000)}), REFUSED
    yield "nested.zip", lambda: _nested(1), REFUSED
    yield "nested deeply.zip", lambda: _nested(30), REFUSED
    yield "wrapped.zip", lambda: _wrapped(), READ
    yield "a tar.zip", lambda: _tar(), REFUSED


def _wrapped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in _pictures("a/b/c/").items():
            archive.writestr(name, data)
    return file.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, **fields) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for field, value in fields.items():
        setattr(member, field, value)
    return member


def _tar(*extra: tuple[tarfile.TarInfo, bytes], first: bool = False, form: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    pictures = [(_member(name, size=len(data)), data) for name, data in _pictures().items()]
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for member, data in [*extra, *pictures] if first else [*pictures, *extra]:
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def _header(name: bytes, size: int, kind: bytes) -> bytes:
    """A header of a tar archive with any size, of which nothing need follow."""
    octal = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11)
    head = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + octal + b"00000000000\0" + b" " * 8 + kind
    head = head.ljust(257, b"\0") + b"ustar\0" + b"00"
    head = head.ljust(512, b"\0")
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


def _sparse() -> bytes:
    """An old GNU sparse file of 8 TB with no byte in it."""
    head = bytearray(_header(b"cat/s.png", 0, b"S"))
    head[257:265] = b"ustar  \0"
    head[386:398] = head[398:410] = b"00000000000\0"
    head[483:495] = b"\x80" + (8 * 10**12).to_bytes(11)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def _chain() -> bytes:
    """Links through folders with long names, until no path can be followed (CVE-2025-4517)."""
    extra, path = [], "cat"
    for letter in "abcdefghijklmnop":
        extra += [
            (_member(f"{path}/{'d' * 247}", tarfile.DIRTYPE, mode=0o755), b""),
            (_member(f"{path}/{letter}", tarfile.SYMTYPE, linkname="d" * 247), b""),
        ]
        path += f"/{letter}"
    way = "cat/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p"
    extra += [
        (_member(f"{way}/{'l' * 254}", tarfile.SYMTYPE, linkname="../" * 17), b""),
        (_member("out", tarfile.SYMTYPE, linkname=f"{way}/{'l' * 254}/../../outside"), b""),
        (_member("out/a.png", size=1), b"a"),
    ]
    return _tar(*extra)


def _tars() -> Iterator[tuple[str, Callable[[], bytes], str]]:
    packers = {"tar": bytes, "tar.gz": gzip.compress, "tgz": gzip.compress, "tar.bz2": bz2.compress,
               "tar.xz": lzma.compress}  # fmt: skip
    zeros = bytes(60_000_000)
    for ending, packed in packers.items():
        yield f"plain.{ending}", lambda packed=packed: packed(_tar()), READ
        if ending not in ("tar", "tgz"):
            bomb = (_member("cat/z.png", size=len(zeros)), zeros)
            yield f"bomb.{ending}", lambda packed=packed, bomb=bomb: packed(_tar(bomb)), REFUSED
            yield f"cut.{ending}", lambda packed=packed: (data := packed(_tar()))[: len(data) // 2], REFUSED
    links = {
        "up": (tarfile.SYMTYPE, "../../a", REFUSED), "root": (tarfile.SYMTYPE, "/etc/passwd", REFUSED),
        "inside": (tarfile.SYMTYPE, "0.png", READ), "itself": (tarfile.SYMTYPE, "l.png", EITHER),
        "nothing": (tarfile.SYMTYPE, "none.png", EITHER), "folder": (tarfile.SYMTYPE, "..", EITHER),
        "hard up": (tarfile.LNKTYPE, "../../a", REFUSED), "hard root": (tarfile.LNKTYPE, "/etc/passwd", REFUSED),
        "hard inside": (tarfile.LNKTYPE, "cat/0.png", READ), "hard to nothing": (tarfile.LNKTYPE, "cat/n.png", REFUSED),
    }  # fmt: skip
    for name, (kind, to, expected) in links.items():
        link = _member("cat/l.png", kind, linkname=to)
        yield f"link {name}.tar", lambda link=link: _tar((link, b"")), expected
    through = [(_member("cat/out", tarfile.SYMTYPE, linkname="../../../outside"), b""),
               (_member("cat/out/a.png", size=1), b"a")]  # fmt: skip
    yield "through a link.tar", lambda: _tar(*through), REFUSED
    later = [(_member(f"cat/{n}.png", tarfile.LNKTYPE, linkname="z"), b"") for n in range(50)]
    yield "hard links before.tar", lambda: _tar(*later, (_member("z", size=10**6), bytes(10**6))), REFUSED
    yield "chain of links.tar", _chain, REFUSED
    for name, kind in (("device", tarfile.CHRTYPE), ("disk", tarfile.BLKTYPE), ("pipe", tarfile.FIFOTYPE)):
        yield f"{name}.tar", lambda kind=kind: _tar((_member("cat/x.png", kind), b"")), REFUSED
    yield "set-uid.tar", lambda: _tar((_member("cat/x.png", mode=0o6777, size=0), b"")), READ
    yield "not to be read.tar", lambda: _tar((_member("cat/x.png", mode=0, size=0), b"")), READ
    yield "closed folder.tar", lambda: _tar((_member("cat", tarfile.DIRTYPE, mode=0), b""), first=True), READ
    names = {"up": "../a.png", "root": "/../a.png", "long": f"cat/{'n' * 300}.png", "line break": "cat/a\nb.png",
             "deep": "d/" * 900 + "a.png"}  # fmt: skip
    for name, inside in names.items():
        expected = READ if name == "line break" else REFUSED
        yield f"name {name}.tar", lambda inside=inside: _tar((_member(inside, size=1), b"a")), expected
    yield "sparse 8 TB.tar", lambda: _sparse() + _tar(), REFUSED
    pax = {"GNU.sparse.major": "0", "GNU.sparse.map": "0,0", "GNU.sparse.size": str(8 * 10**12)}
    yield "sparse 8 TB pax.tar", lambda: _tar((_member("cat/s.png", pax_headers=pax), b"")), REFUSED
    yield "size 8 TB.tar", lambda: _header(b"cat/z.png", 8 * 10**12, b"0") + _tar(), REFUSED
    yield "size below 0.tar", lambda: _header(b"cat/z.png", 2**88 - 10**6, b"0") + _tar(), EITHER
    for kind, name in ((b"L", "long name"), (b"K", "long link"), (b"x", "pax"), (b"g", "pax for all")):
        data = _header(b"n", len(zeros), kind)
        yield f"{name} of 60 MB.tar.gz", lambda data=data: gzip.compress(data + zeros + _tar(), 1), REFUSED
    yield (
        "many long names.tar.gz",
        lambda: gzip.compress((_header(b"n", 10**7, b"L") + bytes(10**7 + 384)) * 9),
        REFUSED,
    )
    many = [(_member(f"cat/{n}.txt"), b"") for n in range(20_000)]
    yield "many files.tar.gz", lambda: gzip.compress(_tar(*many), 1), REFUSED
    for name, value in (("late", 1e30), ("early", -1e30), ("no number", float("nan")), ("infinite", float("inf"))):
        late = _member("cat/x.txt", pax_headers={"mtime": str(value)})
        yield f"time {name}.tar", lambda late=late: _tar((late, b"")), READ
    yield "pax broken.tar", lambda: _header(b"n", 512, b"x") + b"9999 path=a\n".ljust(512, b"\0") + _tar(), EITHER
    yield "pax size.tar", lambda: _tar((_member("cat/x.txt", pax_headers={"size": "many"}), b"")), EITHER
    yield "owner.tar", lambda: _tar((_member("cat/x.txt", uid=2**60, gid=2**60, uname="nobody at all"), b"")), READ
    yield "twice.tar", lambda: _tar((_member("cat/0.png", size=1), b"a")), EITHER
    yield "checksum.tar", lambda: (data := _tar())[:148] + b"0000000\0" + data[156:], REFUSED
    yield "cut.tar", lambda: _tar()[:3000], REFUSED
    yield "empty.tar", lambda: b"", REFUSED
    yield "nothing in it.tar", lambda: bytes(10240), REFUSED
    yield "rubbish.tar", lambda: np.random.default_rng(0).bytes(5000), REFUSED
    yield "rubbish.tar.gz", lambda: gzip.compress(np.random.default_rng(0).bytes(5000)), REFUSED
    yield "a zip.tar", lambda: _zip(), REFUSED
    yield "a gzip.tar", lambda: gzip.compress(_tar()), READ
    yield "checksum.tar.gz", lambda: gzip.compress(_tar())[:-8] + bytes(8), EITHER
    yield "nested.tar", lambda: _nested_tar(), REFUSED


def _nested_tar() -> bytes:
    file, inner = io.BytesIO(), _tar()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(_member("inner.tar", size=len(inner)), io.BytesIO(inner))
    return file.getvalue()
