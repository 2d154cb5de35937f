"""A round trip to a venue without an order: what answers, how fast, and what does not."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from actors.venues.credentials import collect_credentials, masked
from actors.venues.profile import VenueProfile, VenueSettings
from cluster.exit_codes import ExitCode
from cluster.venue_questions import VenueNews, patiently
from trading.data import QuoteTick
from trading.errors import OutcomeUnknown, TradingError, VenueUnreachable
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.ports import MarketDataPort, Subscription, VenuePort
from trading.values import DataKind

STEP_TIMEOUT_S = 20.0
CLOCK_TIMEOUT_S = 3.0
QUOTE_TIMEOUT_S = 8.0
CLOSE_TIMEOUT_S = 5.0
SKEW_NS_MAX = 1_000_000_000
"""Beyond it no order leaves (docs/architecture.md)."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the round trip.

    Attributes
    ----------
    is_ok : bool or None
        None: nothing is wrong, and nothing was found out.
    status : int
        Exit code for a step that failed.
    """

    name: str
    is_ok: bool | None
    ms: float
    message: str
    status: int = 0


class RoundTrip:
    """The steps so far, in order; `perform` adds one, whatever happens in it."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    @property
    def status(self) -> int:
        """Exit code of the first step that failed; 0 when none did."""
        return next((step.status for step in self.steps if step.is_ok is False), 0)

    async def perform(
        self,
        name: str,
        work: Callable[[], Awaitable[str]],
        timeout_s: float = STEP_TIMEOUT_S,
        if_late: str = "",
    ) -> bool:
        """Add the step that `work` is, and return whether it succeeded; its text is the finding.

        Parameters
        ----------
        if_late : str
            What it means that no answer comes, where that is no failure.
        """
        began = time.perf_counter()
        is_ok: bool | None = True
        status = int(ExitCode.OK)
        try:
            async with asyncio.timeout(timeout_s):
                message = await work()
        except TimeoutError:
            message = if_late or f"no answer within {timeout_s:g} s"
            is_ok = None if if_late else False
            status = ExitCode.OK if if_late else ExitCode.VENUE_UNREACHABLE
        except TradingError as error:
            message, is_ok, status = masked(str(error)), False, _status(error)
        ms = round(1_000 * (time.perf_counter() - began), 1)
        step = Step(name=name, is_ok=is_ok, ms=ms, message=message, status=int(status))
        self.steps.append(step)
        return is_ok is True

    def note(self, name: str, message: str) -> None:
        """Add a step in which nothing could be found out."""
        self.steps.append(Step(name=name, is_ok=None, ms=0.0, message=message))


def _status(error: TradingError) -> int:
    """A question without a usable answer leaves nothing behind: that is a venue out of reach."""
    return VenueUnreachable.exit_status if isinstance(error, OutcomeUnknown) else error.exit_status


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What is checked.

    Attributes
    ----------
    open_settings : function
        From the credentials to the settings of a connection.
    variables : dict
        Where the credentials are looked up.
    symbol : str
        What market data is asked for; empty: none.
    """

    venue: str
    profile: VenueProfile
    open_settings: Callable[[dict[str, str]], VenueSettings]
    variables: dict[str, str]
    symbol: str = ""


async def check_venue(checked: Checked) -> RoundTrip:
    """Go through all steps; those behind one that everything rests on are left out when it fails."""
    trip = RoundTrip()
    profile = checked.profile
    found: list[VenueSettings] = []

    async def library() -> str:
        profile.require_library()
        return profile.library or "none needed"

    async def credentials() -> str:
        values = collect_credentials(profile, checked.venue, checked.variables)
        found.append(checked.open_settings(values))
        return ", ".join(values) or "none needed"

    is_ready = await trip.perform("library", library)
    is_ready = is_ready and await trip.perform("credentials", credentials)
    if is_ready and await _execution(trip, profile, found[0]):
        await _market_data(trip, checked, found[0])
    return trip


async def _execution(trip: RoundTrip, profile: VenueProfile, settings: VenueSettings) -> bool:
    """Ask what an account can be asked; return whether the session came up at all."""
    news = VenueNews()
    opened: list[VenuePort] = []

    async def connect() -> str:
        opened.append(profile.open_execution(settings))
        await opened[0].connect(news)
        await _connected(news)
        return "live" if settings.is_live else "paper"

    account_id = settings.account_id
    async with _closing(opened):
        if not await trip.perform("connect", connect):
            return False
        port = opened[0]

        async def account() -> str:
            found = await port.account(account_id)
            equity = "" if found.equity is None else f", equity {found.equity:,f}"
            return f"{account_id}: cash {found.cash:,f} {found.currency}{equity}"

        async def positions() -> str:
            return f"{len(await port.positions(account_id))} positions"

        async def open_orders() -> str:
            return f"{len(await port.open_orders(account_id))} open orders"

        await trip.perform("account", account)
        await trip.perform("positions", positions)
        await trip.perform("open orders", open_orders)
        await _clock(trip, news)
    return True


async def _connected(news: VenueNews) -> None:
    """Wait for the session, and say why it did not come up in time."""
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S - 1):
            await news.connected()
    except TimeoutError:
        raise VenueUnreachable(news.loss or "the session does not come up") from None


async def _clock(trip: RoundTrip, news: VenueNews) -> None:
    async def clock() -> str:
        while news.skew_ns is None:
            await news.change()
        words = f"the venue's clock is {news.skew_ns / 1e6:+,.0f} ms from ours"
        if abs(news.skew_ns) > SKEW_NS_MAX:
            raise TradingError(f"{words}; beyond 1 s no order leaves: correct the clock (NTP)")
        return words

    await trip.perform("clock", clock, CLOCK_TIMEOUT_S, "the venue does not tell its time")


async def _market_data(trip: RoundTrip, checked: Checked, settings: VenueSettings) -> None:
    profile = checked.profile
    if profile.open_market_data is None:
        trip.note("market data", f"{profile.title} has none")
        return
    if not checked.symbol:
        trip.note("market data", "name an instrument with --symbol to try it")
        return
    news = VenueNews()
    opened: list[MarketDataPort] = []
    instruments: list[Instrument] = []

    async def instrument() -> str:
        assert profile.open_market_data is not None
        opened.append(profile.open_market_data(settings))
        await opened[0].connect(news)
        ask = opened[0].instruments
        instruments.extend(await patiently(lambda: ask((checked.symbol,)), news))
        (one,) = instruments
        return (
            f"{one.instrument_id}: {one.asset_class}, tick {one.tick_size}, lot {one.lot_size}, "
            f"{one.currency}"
        )

    async with _closing(opened):
        if await trip.perform("instrument", instrument):
            await _prices(trip, profile, opened[0], news, instruments[0].instrument_id)


async def _prices(
    trip: RoundTrip,
    profile: VenueProfile,
    port: MarketDataPort,
    news: VenueNews,
    key: InstrumentId,
) -> None:
    async def quote() -> str:
        await port.subscribe((Subscription(key, DataKind.QUOTES),))
        while True:
            for tick in news.messages:
                if isinstance(tick, QuoteTick) and tick.instrument_id == key:
                    return f"bid {tick.bid_px:,g}, ask {tick.ask_px:,g}"
            news.require_admission()
            await news.change()

    async def book() -> str:
        found = await port.book(key)
        return f"{len(found.bids)} bids, {len(found.asks)} asks"

    streams = profile.capabilities.streams
    if not streams or DataKind.QUOTES in streams:  # without any, the adapter knows when it is asked
        late = f"none within {QUOTE_TIMEOUT_S:g} s: is the market open?"
        await trip.perform("quote", quote, QUOTE_TIMEOUT_S, late)
    elif DataKind.BOOKS in streams:
        await trip.perform("book", book)


@asynccontextmanager
async def _closing(opened: Sequence[VenuePort | MarketDataPort]) -> AsyncIterator[None]:
    """Close what was opened, and do not wait for ever for that either."""
    try:
        yield
    finally:
        for port in opened:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await port.disconnect()
