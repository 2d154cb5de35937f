"""What we change about a ccxt exchange: where it connects to, how it reads numbers, who hears its messages.

`hooked` makes a subclass of one exchange's class; everything of the exchange itself stays as ccxt wrote it.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from ccxt.base.errors import BadResponse

from actors.venues.ccxt.failures import Call
from actors.venues.ccxt.wakeups import keep_wakeups
from actors.venues.pacing import Pacing

CURRENT: ContextVar[Call] = ContextVar("ccxt_call")
"""The call of ours that the running task works on."""

HEAD_START_S = 0.05

_decode_exactly = msgspec.json.Decoder(float_hook=str).decode
_decode_quickly = msgspec.json.Decoder().decode


def _nobody(*_: Any) -> None:
    """Hear nothing."""


@dataclass(slots=True)
class Hooks:
    """What a session wants of its exchange.

    Attributes
    ----------
    base_url : str
        Every host is reached behind it; empty: directly.
    is_exact : bool
        Numbers with a decimal point are read as text, so that no float touches money.
    one_by_one : Lock or None
        For an exchange that wants the numbers of its requests in order.
    spent : float
        Cost of all requests so far.
    on_text : function of client, text
        Hears every message of a stream that ccxt has handled.
    on_unreadable : function of client, error
        Hears of every one that ccxt choked on.
    check : function of client, message
        Returns why an order book is wrong after a message; empty when it is right.
    """

    pacing: Pacing
    base_url: str = ""
    is_exact: bool = False
    one_by_one: asyncio.Lock | None = None
    spent: float = 0.0
    on_text: Callable[[Any, str], None] = _nobody
    on_unreadable: Callable[[Any, Exception], None] = _nobody
    check: Callable[[Any, Any], str] | None = None

    def routed(self, url: str) -> str:
        """Return where `url` is reached: `https://host/path` becomes `<base_url>/host/path`."""
        if not self.base_url:
            return url
        scheme, _, rest = url.partition("://")
        base = re.sub(r"^http", "ws", self.base_url) if scheme.startswith("ws") else self.base_url
        return f"{base.rstrip('/')}/{rest}"

    def decode(self, text: str) -> Any:
        return _decode_exactly(text) if self.is_exact else _decode_quickly(text)


class _Hooked:
    """Mixed into the class of an exchange, before it."""

    hooks: Hooks

    async def throttle(self, cost: float | None = None) -> None:
        """Wait for the budget that all requests of the key share."""
        call = CURRENT.get(None) or Call()
        price = 1.0 if cost is None else float(cost)
        await self.hooks.pacing.turn(call.priority, price)
        self.hooks.spent += price

    async def fetch(
        self, url: str, method: str = "GET", headers: Any = None, body: Any = None
    ) -> Any:
        """Send one request; `url` is routed here, behind everything that signs it."""
        call = CURRENT.get(None)
        if call is not None:
            call.begin()
        send = super().fetch(self.hooks.routed(url), method, headers, body)  # type: ignore[misc]
        if self.hooks.one_by_one is None or method == "GET":
            return await send
        is_alone = call is not None and call.is_repeated
        return await self._in_order(send, self.hooks.one_by_one, None if is_alone else HEAD_START_S)

    async def _in_order(
        self, send: Coroutine[Any, Any, Any], turn: asyncio.Lock, head_start_s: float | None
    ) -> Any:
        """Let a request get a head start before the next: their numbers must arrive in order.

        None lets nobody go before it is answered; ccxt gives up in time.
        """
        async with turn:
            request = asyncio.ensure_future(send)
            try:
                await asyncio.wait({request}, timeout=head_start_s)
            except asyncio.CancelledError:
                request.cancel()
                raise
        return await request

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, headers: Mapping[str, str], *rest: Any
    ) -> Any:
        call = CURRENT.get(None)
        if call is not None:
            call.answered(code, headers)
        return super().on_rest_response(code, reason, url, method, headers, *rest)  # type: ignore[misc]

    def on_json_response(self, body: str) -> Any:
        try:
            return self.hooks.decode(body)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None

    def parse_json(self, text: str) -> Any:
        """Refuse a good answer that is no JSON: to ccxt it would be an empty list of orders."""
        answer = super().parse_json(text)  # type: ignore[misc]
        call = CURRENT.get(None)
        if answer is None and call is not None and 200 <= call.status < 300:
            raise BadResponse("the answer cannot be read")
        return answer

    def handle_errors(self, code: int, reason: str, url: str, *rest: Any) -> Any:
        """Let the exchange look for its own errors; it recognises itself by the address."""
        base = self.hooks.base_url.rstrip("/")
        if base and url.startswith(base):
            url = "https:/" + url[len(base) :]
        return super().handle_errors(code, reason, url, *rest)  # type: ignore[misc]

    def client(self, url: str) -> Any:
        """Return the connection of a stream; its messages are read by `_read`."""
        clients: Mapping[str, Any] = getattr(self, "clients", None) or {}
        is_new = url not in clients
        client = super().client(url)  # type: ignore[misc]
        if is_new:
            client.handle_text_or_binary_message = partial(self._read, client)
            keep_wakeups(client)
        return client

    def _read(self, client: Any, data: str | bytes) -> None:
        """Handle one message. ccxt would leave a stream deaf after one that it cannot read."""
        text = data if isinstance(data, str) else data.decode(errors="replace")
        hooks = self.hooks
        try:
            message = hooks.decode(text) if text[:1] in ("{", "[") else text
            client.on_message_callback(client, message)
            wrong = hooks.check(client, message) if hooks.check is not None else ""
        except Exception as error:
            hooks.on_unreadable(client, error)
            return
        if wrong:
            hooks.on_unreadable(client, BookBroken(wrong))
            return
        hooks.on_text(client, text)


class BookBroken(Exception):
    """An order book does not agree with what the exchange says of it."""


def hooked(kind: type, hooks: Hooks, settings: Mapping[str, Any]) -> Any:
    """Return an exchange of the ccxt class `kind`, made with `settings`, that calls `hooks`."""
    made = type(kind.__name__, (_Hooked, kind), {"hooks": hooks})
    return made(dict(settings))


class Tap(list[Any]):
    """Takes the place of a cache of ccxt: hands on what is appended, and keeps nothing.

    ccxt wakes its callers through futures, and an update that comes between two calls wakes
    nobody until the next one; whoever taps the cache misses none.
    """

    def __init__(self, on_item: Callable[[Any], None]) -> None:
        super().__init__()
        self.hashmap: dict[str, Any] = {}
        self._on_item = on_item

    def append(self, item: Any) -> None:
        self._on_item(item)

    def getLimit(self, symbol: str | None, limit: int | None) -> int | None:  # noqa: N802
        return limit
