"""Who may ask: with the token, where there is one, and never a page of somebody else in a browser on this machine."""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from transfer.serving.bodies import refused
from transfer.serving.refusals import Refusal

OPEN = ("/", "/v2/health/live", "/v2/health/ready")  # without the token: the page asks for it, and probes have none


class Doors:
    """An application that only those reach who may ask.

    A page that a browser has from elsewhere may send requests to this machine, though not read the answers. By a name
    of its own that leads here (DNS rebinding) it could do both: a server on the loopback address answers to that alone.

    Args:
        token: that each request has to bear, or "".
        is_local: the server is on the loopback address.
    """

    def __init__(self, app: ASGIApp, token: str, is_local: bool):
        self._app, self._token, self._is_local = app, token.encode(), is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
            await refused(refusal, headers | {"Connection": "close"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._is_local and not _is_here(_name_in(host)):
            return Refusal(403, f"the host {host!r} is not this machine; ask for 127.0.0.1 or localhost")
        if scope["method"] not in ("GET", "HEAD") and _is_foreign(headers, host):
            return Refusal(403, "a page of another server may not send requests here; open the page of this one")
        kind, _, given = headers.get("authorization", "").partition(" ")
        is_right = kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token)
        if self._token and scope["path"] not in OPEN and not is_right:
            return Refusal(401, "the token is missing or wrong; send the header Authorization: Bearer TOKEN")
        return None


def _name_in(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_here(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a browser says that a page of another server sends this; other programs say nothing."""
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("//")[2] != host
