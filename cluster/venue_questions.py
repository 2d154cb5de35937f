"""What the launcher asks a venue before anything is started. Every question has an end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from actors.venues.credentials import masked
from trading.errors import AuthError, OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.instruments import Instrument
from trading.messages import Message
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.ports import MarketDataPort

TIMEOUT_S = 30.0
PAUSE_S = 0.5

_Answer = TypeVar("_Answer")


class VenueNews:
    """What a connection says of its own accord while it is asked.

    Attributes
    ----------
    refusal : str
        Why the venue does not let us in, and never will as we are; empty: it has not said so.
    loss : str
        Why the session was lost last.
    skew_ns : int or None
        The venue's clock minus ours.
    """

    def __init__(self) -> None:
        self.refusal = ""
        self.loss = ""
        self.skew_ns: int | None = None
        self.messages: list[Message] = []
        self._changed = asyncio.Event()
        self._is_connected = False

    def __call__(self, message: Message) -> None:
        match message:
            case VenueConnected():
                self._is_connected = True
            case VenueDisconnected(reason=reason, is_final=is_final):
                self._is_connected = False
                self.loss = masked(reason)
                self.refusal = self.loss if is_final else ""
            case VenueClockRead(skew_ns=skew_ns):
                self.skew_ns = skew_ns
            case _:
                self.messages.append(message)
        self._changed.set()

    async def change(self) -> None:
        """Return when something was said since the last call."""
        await self._changed.wait()
        self._changed.clear()

    async def connected(self) -> None:
        """Return when the session is up.

        Raises
        ------
        AuthError
            If the venue does not let us in.
        """
        while not self._is_connected:
            self.require_admission()
            await self.change()

    def require_admission(self) -> None:
        """Raise `AuthError` once the venue has said that it does not let us in."""
        if self.refusal:
            raise AuthError(f"the venue does not let us in: {self.refusal}.")


async def ask_instruments(
    port: MarketDataPort, symbols: tuple[str, ...], timeout_s: float = TIMEOUT_S
) -> tuple[Instrument, ...]:
    """Open a connection, ask what these symbols are, and close it.

    Raises
    ------
    AuthError
        If the venue does not let us in.
    VenueRefused
        If it does not know a symbol, or knows several of that name.
    VenueUnreachable
        If it does not answer in time.
    """
    news = VenueNews()
    answer = asyncio.ensure_future(_until_answered(port, symbols, news))
    try:
        done, _ = await asyncio.wait({answer}, timeout=timeout_s)
        if done:
            return answer.result()
        raise VenueUnreachable(
            f"the venue does not answer within {timeout_s:g} s ({news.loss or 'no reason given'}); "
            "nothing was started."
        )
    finally:
        answer.cancel()
        await port.disconnect()


async def _until_answered(
    port: MarketDataPort, symbols: tuple[str, ...], news: VenueNews
) -> tuple[Instrument, ...]:
    await port.connect(news)
    return await patiently(lambda: port.instruments(symbols), news)


async def patiently(ask: Callable[[], Awaitable[_Answer]], news: VenueNews) -> _Answer:
    """Ask again while the session is not up yet: reading twice does no harm.

    Raises
    ------
    AuthError
        If the venue does not let us in.
    VenueRefused
        If the venue refuses the question itself.
    """
    while True:
        try:
            return await ask()
        except VenueRefused:
            news.require_admission()
            raise
        except (VenueUnreachable, OutcomeUnknown) as error:
            news.loss = masked(str(error))
            news.require_admission()
        await asyncio.sleep(PAUSE_S)
