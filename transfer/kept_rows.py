"""Rows by key in one SQLite file of the cache, each with its digest."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from transfer.cache import DIGEST, tell_unusable

ASKED = 500  # keys in one question to SQLite: older versions of it take no more than 999
WAIT = 60  # seconds for another process that writes
UNUSABLE = (  # what SQLite says of a file that may be whole
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
)  # fmt: skip


class KeptRows:
    """A table of the cache: a row that is damaged is as good as none, and so is a file.

    A file that cannot be written goes on to be read, and one that cannot be read is done without; it is said once.
    """

    def __init__(self, place: Path | None, columns: Sequence[str]):
        """Know a table, whose file is opened when it is first asked.

        Args:
            place: the file, or `None` to keep nothing.
            columns: of the values of a row, besides its key.
        """
        self._place, self._columns = place, columns
        self._connection: sqlite3.Connection | None = None
        self._full = False

    def read(self, keys: Iterable) -> dict:
        """The rows, as tuples, of those keys that are known."""
        sought, known = list(keys), {}
        for start in range(0, len(sought), ASKED):
            for key, *row in self._tried(self._asked, sought[start : start + ASKED]) or ():
                known[key] = tuple(row)
        return known

    def write(self, rows: Mapping) -> None:
        """Keep rows by their keys, in the place of those that are there."""
        if rows and not self._full:
            self._tried(self._insert, [(key, *row) for key, row in rows.items()])

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> None:
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(self._place, timeout=WAIT)
        self._connection.create_function("digest", -1, _digest, deterministic=True)
        columns = ", ".join(("key PRIMARY KEY", *self._columns, "seal"))
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS kept ({columns})")
        self._asked([""])  # the table of another version has other columns

    def _asked(self, keys: Sequence) -> list[tuple]:
        columns = ", ".join(("key", *self._columns))
        marks = ", ".join("?" * len(keys))
        question = f"SELECT {columns} FROM kept WHERE key IN ({marks}) AND seal = digest({columns})"
        return self._connection.execute(question, keys).fetchall()

    def _insert(self, rows: Sequence[tuple]) -> None:
        marks = ", ".join(f"?{number}" for number in range(1, len(self._columns) + 2))
        with self._connection:
            self._connection.executemany(f"INSERT OR REPLACE INTO kept VALUES ({marks}, digest({marks}))", rows)
        keys = [key for key, *_ in rows]
        found = (len(self._asked(keys[start : start + ASKED])) for start in range(0, len(keys), ASKED))
        if sum(found) < len(keys):
            raise ValueError("what was written is not found again")

    def _tried(self, act: Callable, *given):
        """What something done with the file gives; `None` where it cannot be used. A damaged one begins anew."""
        if self._place is None:
            return None
        for anew in (False, True):
            try:
                if anew:
                    self._delete()
                if self._connection is None:
                    self._open()
                return act(*given)
            except (sqlite3.Error, ValueError, OSError) as error:
                reason = error
                if not _is_damage(error):
                    break
        tell_unusable(reason)
        self._full = True
        if act != self._insert:
            self.close()
            self._connection = self._place = None
        return None

    def _delete(self) -> None:
        self.close()
        self._connection = None
        for name in (f"{self._place.name}-journal", self._place.name):
            self._place.with_name(name).unlink(missing_ok=True)


def _is_damage(error: Exception) -> bool:
    """Whether an error speaks of what is in the file; a text that is no UTF-8 is a `ValueError`."""
    return not isinstance(error, OSError) and getattr(error, "sqlite_errorcode", 0) & 0xFF not in UNUSABLE


def _digest(*values: object) -> bytes:
    """Of the values as SQLite gives them: numbers, text, bytes or nothing."""
    digest = hashlib.blake2b(digest_size=DIGEST)
    for value in values:
        written = value if isinstance(value, bytes) else repr(value).encode("utf-8", "surrogatepass")
        digest.update(b"%d " % len(written))
        digest.update(written)
    return digest.digest()
