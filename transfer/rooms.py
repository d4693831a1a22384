"""A name kept for one process, and a room beside it in which what gets the name is made.

A room is the folder `.partial-NAME` beside NAME. A file in it is locked as long as its process lives, however that
ends: who finds the lock taken knows that somebody writes NAME, who finds it free that the room was left behind.
Where a disk or system knows no locks (Windows, some network disks), names are not kept and nothing is swept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from transfer.errors import OutputError, TakenError
from transfer.streams import is_stream

try:
    import fcntl
except ImportError:  # Windows, where a name is free as long as nothing has it
    fcntl = None

PREFIX = ".partial-"
LOCK, REPLACED = ".locked-by-transfer", ".replaced-by-transfer"  # in a room
LONGEST = 200  # bytes of a name, of which disks take 255
_rooms: dict[Path, Path] = {}  # of this process, by the name that each is for


@contextmanager
def claim(path: Path, wait: bool = False, tidy: bool = True) -> Iterator[Path]:
    """Keep a name for this process, and yield the room for what gets it.

    Who has claimed a name may claim it again, and gets the same room. In a room nothing need be kept: what is asked
    for there gets the folder that it is to lie in. So does what goes into a stream, see `streams.is_stream`.

    Args:
        path: of a file or folder; where it is a link, the name is that which it points to.
        wait: for another process that writes there, instead of an error.
        tidy: sweep the folder of the name, too; its own room is taken over from a dead process in any case.

    Raises:
        TakenError: another process writes there.
        OutputError: the place cannot be written.
    """
    target = final_place(path)
    if target in _rooms or _in_room(target) or is_stream(path):
        yield _rooms.get(target, target.parent)
        return
    made = [folder for folder in target.parents if not folder.exists()]
    with ExitStack() as stack:
        with reported(path):
            for folder in reversed(made):  # the innermost goes first
                stack.callback(_remove_empty, folder)
            room = stack.enter_context(_held(target.parent / _room_name(target.name), wait, path))
            if tidy:
                sweep(target.parent)
        stack.callback(_rooms.pop, target)
        _rooms[target] = room
        yield room


@contextmanager
def claim_first(paths: Iterable[Path]) -> Iterator[Path]:
    """Claim the first of some names that nothing has and nobody writes, and yield it; see `claim`."""
    for path in paths:
        with ExitStack() as stack:
            if os.path.lexists(path) or final_place(path) in _rooms:
                continue
            try:
                stack.enter_context(claim(path))
            except TakenError:
                continue
            if os.path.lexists(path):  # whoever had claimed it is done by now
                continue
            yield path
            return


def final_place(path: Path) -> Path:
    """Where something of this name is put: a link stays, and what it points to is replaced."""
    return Path(os.path.realpath(path))


def _in_room(path: Path) -> bool:
    """Whether a path lies in a room of this process, where nobody else looks and nothing is final."""
    return any(room in path.parents for room in _rooms.values())


def sweep(folder: Path) -> None:
    """Remove the rooms that processes which live no longer have left in a folder, and what lies in them.

    What they had replaced by half gets its name back. What belongs to others than this user stays.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        rooms = [Path(entry) for entry in entries if entry.name.startswith(PREFIX) and _own_folder(entry)]
        for room in rooms:
            with suppress(OSError, OutputError):
                if not (room / LOCK).is_file():
                    room.rmdir()  # just made, or nothing of ours: then it is not empty
                elif (file := _lock(room, wait=False, path=room)) is not None:
                    _leave(room, file)


@contextmanager
def own_temporary_folder() -> Iterator[None]:
    """Let everything that this process puts into the temporary folder lie in a room there.

    TensorFlow writes the functions that it translates into files of that folder, which outlive a process that is
    killed.
    """
    before = tempfile.tempdir
    with ExitStack() as stack:
        with suppress(OSError):  # no such folder, or it is full: who needs it will say so
            place = Path(_temporary_folder())
            sweep(place)
            room = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
            tempfile.tempdir = str(stack.enter_context(_held(room)))
        try:
            yield
        finally:
            tempfile.tempdir = before


def _temporary_folder() -> str:
    """That of `tempfile`, which tries it with a file that a process killed in that moment leaves behind."""
    asked = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    usual = (place for place in (*asked, "/tmp") if place and os.access(place, os.W_OK | os.X_OK))
    return tempfile.tempdir or next(usual, None) or tempfile.gettempdir()


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Say in one sentence that a place cannot be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path} cannot be written ({reason}); free space, or name another place (TRANSFER_CACHE moves the cache)"
        ) from error


@contextmanager
def _held(room: Path, wait: bool = False, path: Path | None = None) -> Iterator[Path]:
    """Yield a room, made where it is missing, empty and locked until the block ends; then it goes."""
    file = _lock(room, wait, path or room)
    if file is None:  # nobody can tell whose room that is
        _leave(room)
        room = Path(tempfile.mkdtemp(prefix=f"{room.name}-", dir=room.parent))
        (room / LOCK).touch()
    try:
        _clear(room)
        yield room
    finally:
        _leave(room, file)


def _leave(room: Path, file: int | None = None) -> None:
    """Remove a room with all that is in it; what cannot be removed is left to a later sweep."""
    with suppress(OSError):
        _clear(room)
        if not any(path.name != LOCK for path in room.iterdir()):
            (room / LOCK).unlink(missing_ok=True)
    _remove_empty(room)
    if file is not None:
        os.close(file)


def _lock(room: Path, wait: bool, path: Path) -> int | None:
    """The open and locked file in a room; `None` where the disk or the system knows no locks."""
    while True:
        room.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(room / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except FileNotFoundError:  # swept in this moment
            continue
        try:
            if fcntl is None:
                raise OSError("no locks")
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.path.samestat(os.fstat(file), os.stat(room / LOCK)):
                return file
        except BlockingIOError:
            os.close(file)
            raise TakenError(
                f"{path} is being written by another process; wait until that has ended, or name another place"
            ) from None
        except FileNotFoundError:  # the one before has ended, and its room is gone
            pass
        except OSError:
            os.close(file)
            return None
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _clear(room: Path) -> None:
    """Throw away what is in a room, but not the lock; what was replaced by half gets its name back."""
    if (room / REPLACED).is_dir():
        for old in (room / REPLACED).iterdir():
            if not os.path.lexists(room.parent / old.name):
                os.replace(old, room.parent / old.name)
    for inside in [path for path in room.iterdir() if path.name != LOCK]:
        if inside.is_dir() and not inside.is_symlink():
            shutil.rmtree(inside, ignore_errors=True)
        else:
            inside.unlink()


def _room_name(name: str) -> str:
    short = len(os.fsencode(name)) <= LONGEST
    return PREFIX + (name if short else hashlib.blake2b(os.fsencode(name), digest_size=16).hexdigest())


def _own_folder(entry: os.DirEntry) -> bool:
    about = entry.stat(follow_symlinks=False)
    return entry.is_dir(follow_symlinks=False) and (sys.platform == "win32" or about.st_uid == os.geteuid())


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
