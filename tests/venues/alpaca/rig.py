"""Alpaca for the conformance suite."""

import asyncio
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from actors.venues.alpaca.profile import ALPACA
from actors.venues.profile import VenueSettings
from tests.venues.alpaca.records import rfc3339
from tests.venues.alpaca.simulator import KEY, SECRET, AlpacaSimulator
from tests.venues.desk import ACCOUNT, Desk
from tests.venues.faults import Fault, Faults
from trading.identifiers import InstrumentId, Venue
from trading.instruments import Instrument
from trading.ports import MarketDataPort, VenuePort
from trading.values import AssetClass, OptionRight

AAPL = Instrument(instrument_id=InstrumentId("AAPL.XNAS"))
KO = Instrument(
    instrument_id=InstrumentId("KO.XNYS"), lot_size=Decimal("0.001"), min_quantity=Decimal("0.001")
)
BTC = Instrument(
    instrument_id=InstrumentId("BTC/USD.ALPACA"),
    asset_class=AssetClass.CRYPTO,
    lot_size=Decimal("0.0001"),
    min_quantity=Decimal("0.0001"),
)
CALL, PUT = (
    Instrument(
        instrument_id=InstrumentId(f"AAPL270115{right[0]}00100000.OPRA"),
        asset_class=AssetClass.OPTION,
        multiplier=Decimal(100),
        lot_size=Decimal(100),
        min_quantity=Decimal(100),
        underlying="AAPL",
        expiry="2027-01-15",
        strike=Decimal(100),
        right=right,
    )
    for right in (OptionRight.CALL, OptionRight.PUT)
)
MINUTE_NS = 60 * 10**9
PRICES = {
    AAPL.instrument_id: 100.0,
    KO.instrument_id: 60.0,
    BTC.instrument_id: 50_000.0,
    CALL.instrument_id: 5.0,
    PUT.instrument_id: 4.0,
}
QUICK = {
    "request_timeout_s": 2.0,
    "stream_timeout_s": 1.8,
    "requests_per_min": 100_000,
    "data_requests_per_min": 100_000,
}
PATIENT = {"request_timeout_s": 30.0, "stream_timeout_s": 30.0}
"""Nothing is given up because a thread had to wait for the processor: a test that wants it says so."""


class AlpacaRig:
    name = "alpaca"
    profile = ALPACA
    traded = AAPL.instrument_id
    lot = Decimal(10)
    understands = frozenset(Fault)

    def __init__(self) -> None:
        self.desk = Desk((AAPL, KO, BTC, CALL, PUT), PRICES)
        self.faults = Faults()
        self.simulator = AlpacaSimulator(self.desk, self.faults)
        self.simulator.market.history["bars", "AAPL"] = _minutes(time.time_ns())
        self.options: dict[str, Any] = {**self.simulator.options, **QUICK}
        self.instruments: tuple[Instrument, ...] = (AAPL,)
        self.credentials = {"ALPACA_API_KEY": KEY, "ALPACA_SECRET_KEY": SECRET}

    @property
    def settings(self) -> VenueSettings:
        return VenueSettings(
            venue=Venue("alpaca"),
            account_id=ACCOUNT,
            options=self.options,
            credentials=self.credentials,
            instruments=self.instruments,
        )

    def open_port(self) -> VenuePort:
        return ALPACA.open_execution(self.settings)

    def open_feed(self) -> MarketDataPort:
        assert ALPACA.open_market_data is not None
        return ALPACA.open_market_data(self.settings)

    async def quote(self, bid: float, ask: float) -> None:
        tick = {
            "T": "q",
            "S": "AAPL",
            "bp": bid,
            "ap": ask,
            "bs": 100,
            "as": 200,
            "t": time.time_ns(),
        }
        await self.in_simulator(lambda: self.simulator.market.publish("/v2/iex", tick))

    async def cut(self) -> None:
        await asyncio.to_thread(self.simulator.cut)

    async def release(self) -> None:
        await asyncio.to_thread(self.simulator.release)

    async def close(self) -> None:
        await asyncio.to_thread(self.simulator.close)

    async def in_simulator(self, function: Any) -> Any:
        return await asyncio.to_thread(self.simulator.call, function)


def _minutes(now: int) -> list[dict[str, Any]]:
    """Return the bars of the last two hours; the last minute is not over yet."""
    last = now // MINUTE_NS * MINUTE_NS
    prices = {"o": 100, "h": 101.5, "l": 99, "c": 100.5, "v": 1_000}
    return [{"t": rfc3339(last - i * MINUTE_NS), **prices} for i in range(120, -1, -1)]


async def open_rig(folder: Path) -> AlpacaRig:
    """Return a running simulator; `folder` is not needed."""
    return await asyncio.to_thread(AlpacaRig)
