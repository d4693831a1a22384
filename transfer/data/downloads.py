"""Archives at an address, fetched once into the cache folder."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from datetime import date
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.error import URLError
from urllib.request import urlopen

from transfer.cache import cache_folder, is_kept, made_folder
from transfer.data.archives import SUFFIXES, allowed_bytes, require_size
from transfer.errors import DataError
from transfer.progress import bar
from transfer.settings import MAX_SIZE

SILENCE = 30.0  # seconds in which a server has to say something
LEAST_RATE = 1000  # bytes a second, over that time: one that sends single bytes would hold a command for ever
CHUNK = 1 << 20


def fetch(address: str, max_size: float = MAX_SIZE) -> Path:
    """Download an archive once; the next time, say on standard error where it lies.

    Args:
        address: `https://`, also after every redirection.
        max_size: see `archives.unpack`.

    Raises:
        DataError: no such address, an answer that does not come or is too large, or a broken connection; nothing is
            kept then.
    """
    name = PurePosixPath(address.split("?")[0]).name
    if not address.startswith("https://") or not name.lower().endswith(SUFFIXES):
        raise DataError(f"{address}: expected an https:// address that ends in one of {', '.join(SUFFIXES)}")
    most = allowed_bytes(max_size)
    folder = cache_folder("downloads", hashlib.blake2b(address.encode(), digest_size=8).hexdigest())
    if is_kept(folder):
        fetched = date.fromtimestamp((folder / name).stat().st_mtime)
        print(f"{address}: from the cache, fetched {fetched}; delete {folder} to fetch it again", file=sys.stderr)
    return made_folder(folder, lambda partial: _download(address, partial / name, most)) / name


def _download(address: str, target: Path, most: int) -> None:
    with target.open("wb") as file:
        for chunk in _answer(address, most):
            file.write(chunk)


def _answer(address: str, most: int) -> Iterator[bytes]:
    """Yield what an address answers, with a bar in megabytes; a part of it is no answer."""
    started, since, received = time.monotonic(), 0, 0
    try:
        with urlopen(address, timeout=SILENCE) as response:
            if not response.url.startswith("https://"):
                raise DataError(f"{address} leads to {response.url}; expected an address that stays on https://")
            length = int(response.headers.get("Content-Length") or 0)
            require_size(address, length, most)
            with bar("fetch", length >> 20) as advance:
                while chunk := response.read1(CHUNK):
                    before, received, since = received, received + len(chunk), since + len(chunk)
                    require_size(address, received, most)
                    advance((received >> 20) - (before >> 20))
                    yield chunk
                    if (passed := time.monotonic() - started) > SILENCE:
                        if since < LEAST_RATE * passed:
                            raise TimeoutError(f"{since} bytes in {passed:.0f} seconds")
                        started, since = time.monotonic(), 0
            if received < length:
                raise HTTPException(f"{received} of {length} bytes came")
    except (OSError, HTTPException, ValueError) as error:  # of urllib, ssl, sockets and addresses
        said = str(error.reason if type(error) is URLError else error)
        reason = " ".join(said.split()) or type(error).__name__
        raise DataError(f"{address} cannot be fetched ({reason}); check the address and the network") from error
