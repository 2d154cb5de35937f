"""One running simulator of an exchange, and the real adapter in front of it."""

import asyncio
from dataclasses import replace
from decimal import Decimal

from actors.venues.ccxt.execution import open_execution
from actors.venues.ccxt.market_data import open_market_data
from actors.venues.ccxt.profile import CCXT
from actors.venues.profile import VenueSettings
from tests.venues.ccxt.binance import Binance
from tests.venues.ccxt.bybit import Bybit, BybitLinear
from tests.venues.ccxt.kraken import Kraken
from tests.venues.desk import Desk
from tests.venues.faults import Fault, Faults
from trading.exchange.fees import Fees
from trading.identifiers import InstrumentId, Venue
from trading.instruments import Instrument
from trading.values import AssetClass

START = 100.0
ALL_FAULTS = frozenset(Fault)


def instrument(name, currency):
    is_perpetual = "-PERP" in name
    return Instrument(
        instrument_id=InstrumentId(name),
        tick_size=Decimal("0.01"),
        lot_size=Decimal("0.0001"),
        min_quantity=Decimal("0.0001"),
        min_notional=Decimal(5),
        currency=currency,
        asset_class=AssetClass.PERPETUAL if is_perpetual else AssetClass.CRYPTO,
        is_margined=is_perpetual,
    )


class ExchangeRig:
    """One exchange of ccxt for the conformance suite."""

    def __init__(self, name, simulator, traded, *, options, is_live, fees):
        self.name = name
        self.traded = InstrumentId(traded)
        self.lot = Decimal("0.5")
        self.understands = ALL_FAULTS
        currency = traded.partition("/")[2].partition(".")[0].removesuffix("-PERP")
        self.instrument = instrument(traded, currency)
        self.desk = Desk((self.instrument,), {self.traded: START}, fees=fees)
        self.faults = Faults()
        self.simulator = simulator(self.desk, self.faults)
        self.options = {
            "base_url": self.simulator.url,
            # Long: none of them may run out because a thread of a busy machine has to wait.
            "request_timeout_s": 20.0,
            "stream_timeout_s": 20.0,
            "data_timeout_s": 30.0,
            "options": {"recvWindow": 60_000},
            **options,
        }
        self.is_live = is_live
        capabilities = open_execution(self.settings()).capabilities
        self.profile = replace(CCXT, capabilities=capabilities)

    def settings(self, **options):
        variable = self.name.upper()
        return VenueSettings(
            venue=Venue(self.name),
            account_id=self.desk.account_id,
            is_live=self.is_live,
            options={**self.options, **options},
            credentials={
                f"{variable}_API_KEY": self.simulator.key,
                f"{variable}_SECRET": self.simulator.secret,
            },
            instruments=(self.instrument,),
        )

    def open_port(self, **options):
        return open_execution(self.settings(**options))

    def open_feed(self, **options):
        return open_market_data(self.settings(**options))

    async def quote(self, bid, ask):
        await asyncio.to_thread(self.simulator.quote, bid, ask)

    async def cut(self):
        await asyncio.to_thread(self.simulator.cut)

    async def release(self):
        self.simulator.release()
        await asyncio.sleep(0)

    async def close(self):
        await asyncio.to_thread(self.simulator.close)


async def open_rig(folder):
    """Binance spot, its test environment; fees in the quote currency."""
    fees = Fees(maker_bps=Decimal(10), taker_bps=Decimal(10), increment=Decimal("0.00000001"))
    return ExchangeRig("binance", Binance, "BTC/USDT.BINANCE", options={}, is_live=False, fees=fees)


async def open_kraken(folder):
    """Kraken spot, which has no test environment."""
    fees = Fees(maker_bps=Decimal(16), taker_bps=Decimal(26), increment=Decimal("0.00001"))
    return ExchangeRig(
        "kraken",
        Kraken,
        "BTC/USD.KRAKEN",
        options={"rate_limit_ms": 10.0},
        is_live=True,
        fees=fees,
    )


async def open_bybit(folder):
    """Bybit spot, its test environment; it takes its fees on buys in the coin, so here there are none."""
    return ExchangeRig("bybit", Bybit, "BTC/USDT.BYBIT", options={}, is_live=False, fees=Fees())


async def open_bybit_linear(folder):
    """Bybit's perpetual on the same pair."""
    options = {"default_type": "swap"}
    traded = "BTC/USDT-PERP.BYBIT"
    return ExchangeRig("bybit", BybitLinear, traded, options=options, is_live=False, fees=Fees())
