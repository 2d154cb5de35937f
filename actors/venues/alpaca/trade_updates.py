"""The stream of order updates: opened by the library, read by us."""

from collections.abc import Awaitable, Callable
from typing import Any

from alpaca.trading.stream import TradingStream

from actors.venues.alpaca.messages import Frame, StreamState, TradeUpdate
from actors.venues.alpaca.stream_session import SessionRefused, StreamBroken, quiet
from actors.venues.alpaca.wire import decoded
from trading.errors import OutcomeUnknown

STREAM = "trade_updates"


async def _unused(update: Any) -> None:
    """The library asks for a handler; frames are taken from the socket instead."""


class TradeUpdates:
    """Dialect of the trading stream.

    Parameters
    ----------
    on_update : async function of TradeUpdate
    on_unreadable : function of a sentence
        An update came that cannot be read: something about an order is not known now.
    """

    def __init__(
        self,
        *,
        url: str,
        keys: tuple[str, str],
        timeout_s: float,
        on_update: Callable[[TradeUpdate], Awaitable[None]],
        on_unreadable: Callable[[str], None],
    ) -> None:
        self._url = url
        self._keys = keys
        self._timeout_s = timeout_s
        self._on_update = on_update
        self._on_unreadable = on_unreadable
        self._stream: Any = None

    async def open(self) -> tuple[Any, bool]:
        """Connect, authenticate and ask for the updates; they come once the venue confirms it."""
        key, secret = self._keys
        stream = TradingStream(
            key,
            secret,
            raw_data=True,
            url_override=self._url,
            websocket_params=websocket_params(self._timeout_s),
        )
        stream.subscribe_trade_updates(_unused)
        await stream._connect()
        try:
            await self._authenticate(stream)
            await stream._subscribe_trade_updates()
        except BaseException:
            stream._ws.fail_connection()
            raise
        self._stream = stream
        return stream._ws, False

    async def probe(self) -> bool:
        """Ask for the same stream again: the venue answers with what it sends."""
        await self._stream._subscribe_trade_updates()
        return True

    async def take(self, frame: bytes | str) -> bool:
        """Take one frame; True when the venue confirms the stream."""
        try:
            message = decoded(frame, Frame)
            if message.stream == STREAM:
                update = decoded(message.data, TradeUpdate)
            else:
                return _confirms(message)
        except OutcomeUnknown as error:
            self._on_unreadable(str(error))
            return False
        await self._on_update(update)
        return False

    async def _authenticate(self, stream: Any) -> None:
        try:
            await stream._auth()
        except ValueError as error:
            if str(error) != "failed to authenticate":
                raise
            raise SessionRefused(
                "Alpaca refused the credentials; correct ALPACA_API_KEY and ALPACA_SECRET_KEY"
            ) from None


def websocket_params(timeout_s: float) -> dict[str, Any]:
    """Return what every websocket is opened with; a peer that is gone is found out by pings."""
    return {
        "open_timeout": timeout_s,
        "ping_interval": 10,
        "ping_timeout": 20,
        "close_timeout": 1,
        "max_queue": 4_096,
        "max_size": 2**23,
        "logger": quiet,
    }


def _confirms(message: Frame) -> bool:
    if message.stream == "listening":
        return STREAM in decoded(message.data, StreamState).streams
    if message.stream == "authorization":
        state = decoded(message.data, StreamState)
        if state.status not in {"", "authorized"}:
            raise StreamBroken(f"the stream is {state.status[:50]} now")
    return False  # another stream, or one that we do not know yet: it says nothing about orders
