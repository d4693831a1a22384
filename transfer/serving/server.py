"""A server: its address taken first, its networks loaded, and its end without a request lost."""

from __future__ import annotations

import errno
import ipaddress
import math
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transfer import quiet
from transfer.engine_packages import require_engine
from transfer.errors import OptionError
from transfer.exports.runtimes import exported_format, require_packages
from transfer.free_places import check_folder
from transfer.names import AUTO
from transfer.serving.model_names import named_places
from transfer.serving.packages import require_server
from transfer.serving.refusals import Limits
from transfer.serving.version_places import version_places

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

CONNECTIONS = 500  # open at once, of the 1024 files that a process often may have; more are told 503
BACKLOG = 1024  # connections that wait to be accepted


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a server listens, and who may ask.

    Attributes:
        host: a name or address of this machine; by default only programs on this machine reach it.
        port: 1 to 65535; 0 takes a free one.
        token: that requests have to bear, or "" for none.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    token: str = ""


def serve(
    models: Sequence[str | Path],
    address: Address | None = None,
    limits: Limits | None = None,
    collect: str | Path | None = None,
    trust: bool = False,
    engine: str = AUTO,
    ready: Callable[[str, list[str]], None] = lambda url, names: None,
) -> None:
    """Answer requests until SIGINT or SIGTERM comes; those that are at hand then are answered.

    TensorFlow Serving's REST protocol, the Open Inference Protocol, forms with files and a page; see docs/serving.md.

    Args:
        models: folders of runs, exports, SavedModels or their versions, each as `FOLDER` or `NAME=FOLDER`.
        address: to listen on.
        limits: from where on requests are refused.
        collect: a folder that gets the pictures whose answer was corrected, in the layout that `train` takes.
        trust: run the graph of a SavedModel that lies in no run, see `load_network`.
        engine: what computes the answers of runs, see `engines.choose_engine`; an export has a runtime of its own.
        ready: called with the address and the names of the models once they answer.

    Raises:
        MissingExtraError: a package of the extra `serve`, or of an engine or export, is not installed.
        UnknownNameError: no such engine.
        OptionError: the address cannot be taken, a limit makes no sense, or two models have one name.
        ModelFileError: a model cannot be loaded.
        OutputError: `collect` cannot be written.
    """
    require_server()
    require_engine(engine)
    address, limits = address or Address(), limits or Limits()
    places = _checked_places(models, trust)
    if collect is not None:
        check_folder(Path(collect))
    with closing(_listening(address)) as listener:
        quiet.import_tensorflow()  # takes seconds: what is missing is said before
        from transfer.serving.app import build_app
        from transfer.serving.opening import open_service

        service = open_service(places, limits, trust, collect, engine)
        app = build_app(service, address.token, _is_loopback(listener.getsockname()[0]))
        server = _server_of(app, limits.most_seconds)
        with _own_signals(server):
            ready(_url(listener), service.models.names())
            server.run(sockets=[listener])


def _checked_places(models: Sequence[str | Path], trust: bool) -> dict[str, Path]:
    """Folders by the names of their models, each with something that can be opened here."""
    places = named_places(models)
    for place in places.values():
        if name := exported_format(place):
            require_packages(name)
        version_places(place, trust)
    return places


def _server_of(app: FastAPI, seconds: float) -> uvicorn.Server:
    import uvicorn

    from transfer.serving.connections import impatient_protocol

    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=impatient_protocol(seconds),
            ws="none",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=math.ceil(seconds),
        )
    )


def _listening(address: Address) -> socket.socket:
    host, port = address.host, address.port
    if not (isinstance(port, int) and 0 <= port < 1 << 16):
        raise OptionError(f"`port={port!r}`; expected a whole number from 0 to 65535")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise OptionError(f"`host={host}` is no address of this machine ({error}); expected one, or a name") from error
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # where it would let two servers have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OptionError(
                f"`port={port}` of {host} is in use by another program; end that, or take another port, 0: a free one"
            ) from error
        raise OptionError(f"`host={host}` with `port={port}` cannot be taken ({error.strerror})") from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


@contextmanager
def _own_signals(server: uvicorn.Server) -> Iterator[None]:
    """Let a signal end the server and nothing else: uvicorn raises it once more when it has ended."""

    def end(number: int, frame: object) -> None:
        server.should_exit = True

    before = {}
    with suppress(ValueError):  # outside of the main thread there are none
        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
