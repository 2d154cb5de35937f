"""One market data stream: opened by the library, read by us."""

import asyncio
from collections.abc import Callable
from typing import Any

from alpaca.data.live.crypto import CryptoDataStream
from alpaca.data.live.option import OptionDataStream
from alpaca.data.live.stock import StockDataStream
from websockets.exceptions import WebSocketException

from actors.venues.alpaca.feed_parse import Message, Refusal, Subscribed, messages
from actors.venues.alpaca.stream_session import SessionRefused, StreamBroken
from actors.venues.alpaca.trade_updates import websocket_params
from trading.errors import VenueRefused
from trading.values import AssetClass, DataKind

CHANNELS = {
    DataKind.QUOTES: "quotes",
    DataKind.TRADES: "trades",
    DataKind.BARS: "bars",
    DataKind.BOOKS: "orderbooks",
}
_STREAMS = {
    AssetClass.EQUITY: StockDataStream,
    AssetClass.OPTION: OptionDataStream,
    AssetClass.CRYPTO: CryptoDataStream,
}
_AUTH_FAILED = 402
_CONNECTION_LIMIT = 406
_NOT_SUBSCRIBED = 409
_OF_A_REQUEST = frozenset({400, 405, 409, 410})
"""Codes that refuse one subscription: invalid, too many symbols, not paid for, not offered."""
_ANSWER_TIMEOUT_S = 5.0

Wanted = frozenset[tuple[DataKind, str]]


async def _unused(message: Any) -> None:
    """The library asks for a handler; frames are taken from the socket instead."""


class MarketStream:
    """Dialect of the stream of one asset class; what was subscribed is subscribed again after a reconnect.

    Parameters
    ----------
    on_message : function of Message or None
        Called for each message in a frame; None stands for one that cannot be read.
    """

    def __init__(
        self,
        kind: AssetClass,
        *,
        url: str,
        keys: tuple[str, str],
        timeout_s: float,
        on_message: Callable[[Message | None], None],
    ) -> None:
        self._kind = kind
        self._url = url
        self._keys = keys
        self._timeout_s = timeout_s
        self._on_message = on_message
        self._wanted: Wanted = frozenset()
        self._asked: Wanted = frozenset()
        self._stream: Any = None
        self._answer: asyncio.Future[None] | None = None

    async def open(self) -> tuple[Any, bool]:
        """Connect, authenticate and subscribe to all that is wanted."""
        key, secret = self._keys
        stream = _STREAMS[self._kind](
            key,
            secret,
            raw_data=True,
            url_override=self._url,
            websocket_params=websocket_params(self._timeout_s),
        )
        try:
            await self._enter(stream)
            if self._wanted:
                await self._ask(stream)
        except BaseException:
            if stream._ws is not None:
                stream._ws.fail_connection()
            raise
        self._stream = stream
        return stream._ws, not self._wanted

    async def probe(self) -> bool:
        """Subscribe to the same again: the venue answers with what it streams."""
        if self._wanted:
            await self._stream._send_subscribe_msg()
        return bool(self._wanted)

    async def take(self, frame: bytes | str) -> bool:
        """Take one frame; True when the venue confirms the subscription."""
        is_confirmed = False
        for message in messages(frame):
            if isinstance(message, Subscribed):
                is_confirmed = True
                self._answered(None)
                if not self._wanted <= self._asked:  # wanted since the question
                    await self._ask(self._stream)
            elif isinstance(message, Refusal):
                self._refused(message)
            else:
                self._on_message(message)
        return is_confirmed

    async def subscribe(self, added: Wanted, *, is_up: bool) -> None:
        """Want these too; when the stream is up, return once the venue has confirmed them.

        Raises
        ------
        VenueRefused
            If it does not; they are not wanted any more.
        """
        before, self._wanted = self._wanted, self._wanted | added
        if not is_up:
            return
        self._answer = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                await self._ask(self._stream)
                await self._answer
        except VenueRefused:
            self._wanted = before
            self._forget(added - before)
            raise
        except (TimeoutError, WebSocketException):
            return  # still wanted: the stream is being opened again, or soon will be
        finally:
            self._answer = None

    async def unsubscribe(self, removed: Wanted, *, is_up: bool) -> None:
        """Want these no more."""
        gone = removed & self._wanted
        self._wanted -= gone
        if not is_up:
            return
        self._forget(gone)
        try:
            for kind, channel in CHANNELS.items():
                symbols = [symbol for each, symbol in gone if each is kind]
                await self._stream._send_unsubscribe_msg(channel, symbols)
        except WebSocketException:
            return  # the stream is being opened again, without them

    async def _enter(self, stream: Any) -> None:
        """Authenticate; the library tells the venue's refusals apart by their text alone."""
        await stream._connect()
        try:
            await stream._auth()
        except ValueError as error:
            match str(error):
                case "auth failed" | "not authenticated":
                    raise _keys_refused() from None
                case "insufficient subscription":
                    raise _not_paid_for() from None
                case "connection limit exceeded":
                    raise _taken() from None
                case _:
                    raise

    async def _ask(self, stream: Any) -> None:
        """Subscribe to all that is wanted; what was subscribed before stays as it is."""
        self._asked = self._wanted
        for kind, symbol in self._wanted:
            stream._handlers[CHANNELS[kind]][symbol] = _unused
        await stream._send_subscribe_msg()

    def _forget(self, gone: Wanted) -> None:
        for kind, symbol in gone:
            self._stream._handlers[CHANNELS[kind]].pop(symbol, None)

    def _refused(self, refusal: Refusal) -> None:
        sentence = f"Alpaca market data: {refusal.msg} ({refusal.code})"
        if refusal.code in _OF_A_REQUEST and self._answer is not None:
            self._answered(VenueRefused(str(refusal.code), sentence))
        elif refusal.code == _AUTH_FAILED:
            raise _keys_refused()
        elif refusal.code == _NOT_SUBSCRIBED:
            raise _not_paid_for()
        elif refusal.code == _CONNECTION_LIMIT:
            raise _taken()
        else:
            raise StreamBroken(sentence)

    def _answered(self, error: VenueRefused | None) -> None:
        answer = self._answer
        if answer is None or answer.done():
            return
        if error is None:
            answer.set_result(None)
        else:
            answer.set_exception(error)


def _keys_refused() -> SessionRefused:
    return SessionRefused(
        "Alpaca refused the credentials; correct ALPACA_API_KEY and ALPACA_SECRET_KEY"
    )


def _not_paid_for() -> SessionRefused:
    return SessionRefused(
        "the Alpaca subscription does not include this feed; set feed or option_feed to another one"
    )


def _taken() -> StreamBroken:
    return StreamBroken("another connection uses this feed with the same key; only one is allowed")
