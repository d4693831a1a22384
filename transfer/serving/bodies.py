"""The body of a request, read whole before anything is done with it: neither too large, nor for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transfer.serving.refusals import Limits, Refusal

AT_ONCE = 16  # bodies of the largest size that may be in memory at once
DRAINED = 4  # bodies of the largest size of which the rest is read, so that a client hears why it is refused


class _Arriving:
    """A body on its way; behind its end nothing may be waited for.

    Attributes:
        kept, size: what has come of it and is kept, and how many bytes that is.
    """

    def __init__(self, receive: Receive):
        self.receive, self.has_more = receive, True
        self.kept: list[bytes] = []
        self.size = 0

    async def chunk(self) -> bytes | None:
        """The next part; `None` where the client has gone."""
        message = await self.receive()
        self.has_more = message.get("more_body", False)
        return message.get("body", b"") if message["type"] == "http.request" else None

    def whole(self) -> bytes:
        """All that was kept, once."""
        body = b"".join(self.kept)
        self.kept.clear()
        return body


class BoundedBodies:
    """An application whose requests have their whole body, or have been refused: 413, 408 or 429."""

    def __init__(self, app: ASGIApp, limits: Limits):
        self._app, self._limits, self._held = app, limits, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, and pass the request on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        arriving = _Arriving(receive)
        try:
            try:
                async with asyncio.timeout(self._limits.most_seconds):
                    if not await self._read(scope, arriving):
                        return None  # the client has gone
            except TimeoutError:
                seconds = self._limits.most_seconds
                await _refuse(
                    Refusal(408, f"the body took more than {seconds:g} seconds to arrive"), scope, receive, send
                )
                return None
            except Refusal as refusal:
                self._let_go(arriving)
                await self._refuse_and_drain(refusal, scope, arriving, send)
                return None
            await self._app(scope, _replayed(arriving.whole(), receive), send)
        finally:
            self._let_go(arriving)

    async def _read(self, scope: Scope, arriving: _Arriving) -> bool:
        """Whether the whole body has come; its client may have gone."""
        limit, length = self._limits.most_bytes, dict(scope["headers"]).get(b"content-length", b"0")
        too_large = Refusal(413, f"the body has more than {self._limits.most_megabytes:g} MB; send less at once")
        if length.isdigit() and int(length) > limit:
            raise too_large
        while arriving.has_more:
            chunk = await arriving.chunk()
            if chunk is None:
                return False
            if arriving.size + len(chunk) > limit:
                raise too_large
            if self._held + len(chunk) > AT_ONCE * limit:
                raise Refusal(429, "too many bytes are on their way already; try again in a second")
            self._held += len(chunk)
            arriving.size += len(chunk)
            arriving.kept.append(chunk)
        return True

    def _let_go(self, arriving: _Arriving) -> None:
        self._held -= arriving.size
        arriving.size = 0
        arriving.kept.clear()

    async def _refuse_and_drain(self, refusal: Refusal, scope: Scope, arriving: _Arriving, send: Send) -> None:
        """Refuse, and read on for a while: a connection that is closed while its client sends tells it nothing."""

        async def send_all_but_the_end(message: Message) -> None:
            await send(message | {"more_body": True} if message["type"] == "http.response.body" else message)

        await _refuse(refusal, scope, arriving.receive, send_all_but_the_end)
        left = DRAINED * self._limits.most_bytes
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.most_seconds):
                while arriving.has_more and left > 0:
                    left -= len(await arriving.chunk() or b"")
        await send({"type": "http.response.body", "body": b""})


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    await refused(refusal, {"Connection": "close"})(scope, receive, send)


def refused(refusal: Refusal, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer that tells a refusal, in all protocols."""
    later = {"Retry-After": "1"} if refusal.status in (429, 503) else {}
    return JSONResponse({"error": str(refusal)}, refusal.status, later | (headers or {}))


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A body as one message, and behind it what the server says of the connection."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
