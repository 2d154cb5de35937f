"""uvicorn's HTTP with bounds on what comes before the body: uvicorn itself waits for headers for ever, and keeps all of them.

For servers that are reached without HAProxy, which has bounds of its own: `uvicorn.Config(app, http=BoundedHttp)`.
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serve.http.body_limit import HEADER_BYTES_MAX

_TOO_LARGE = b"431 Request Header Fields Too Large"
_TOO_SLOW = b"408 Request Timeout"
_ANSWER = b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """A connection that is closed when the head of a request is too long or does not end.

    Attributes
    ----------
    head_timeout_s : float
        From the first byte, or the connection, to the end of the headers.
    head_bytes_max : int
        Of the request line and the headers; what is counted may hold a part of the body.
    """

    head_timeout_s: ClassVar[float] = 10.0
    head_bytes_max: ClassVar[int] = 4 * HEADER_BYTES_MAX

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is not None:
            self._head_bytes += len(data)
            if self._head_bytes > self.head_bytes_max:
                self._refuse(_TOO_LARGE)
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._deadline is None:
            self._begin()

    def on_headers_complete(self) -> None:
        self._end()
        super().on_headers_complete()

    def _begin(self) -> None:
        self._head_bytes = 0
        self._deadline = self.loop.call_later(self.head_timeout_s, self._refuse, _TOO_SLOW)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: bytes) -> None:
        self._end()
        if not self.transport.is_closing():
            self.transport.write(_ANSWER % status)
            self.transport.close()
