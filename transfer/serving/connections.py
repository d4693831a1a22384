"""A connection on which the head of a request may not take for ever: uvicorn itself waits without end."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def impatient_protocol(seconds: float) -> type[H11Protocol]:
    """The protocol of HTTP/1.1 that closes a connection whose next request has no whole head after so many seconds."""

    class ImpatientProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._start()

        def data_received(self, data: bytes) -> None:
            if self._is_idle() and self._deadline is None:
                self._start()
            super().data_received(data)
            if not self._is_idle():
                self._stop()

        def connection_lost(self, error: Exception | None) -> None:
            self._stop()
            super().connection_lost(error)

        def _is_idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _start(self) -> None:
            self._deadline = self.loop.call_later(seconds, self._close)

        def _stop(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _close(self) -> None:
            if self._is_idle() and not self.transport.is_closing():
                self.transport.write(LATE)
                self.transport.close()

    return ImpatientProtocol
