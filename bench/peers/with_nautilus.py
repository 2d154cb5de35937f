"""EMA cross in nautilus_trader: its engine, its indicators, its risk engine and simulated exchange.

    python with_nautilus.py FOLDER    ->  one JSON line; see bench/environments.py for both

An order is filled at the close of the bar that it was decided on, for that is where its exchange stands
then. The clock covers `BacktestEngine.run`; objects for bars are made before. Logging is off.
"""

import json
import sys
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

FOLDER = Path(sys.argv[1])
WORK = json.loads((FOLDER / "work.json").read_text(encoding="utf-8"))
COLUMNS = {name: np.load(FOLDER / f"{name}.npy") for name in ("open", "high", "low", "close")}
INDEX = pd.to_datetime(np.load(FOLDER / "ts.npy"), utc=True)
VENUE = Venue("SIM")
LEADS = 1.0 + WORK["lead"]
ROOM = 1e10
"""Units in each bar: more than any order, for nobody here pays for size."""


def instrument(symbol: int) -> Equity:
    name = f"S{symbol}"
    return Equity(
        instrument_id=InstrumentId(Symbol(name), VENUE),
        raw_symbol=Symbol(name),
        currency=USD,
        price_precision=4,
        price_increment=Price(0.0001, 4),
        lot_size=Quantity.from_int(1),
        maker_fee=Decimal(str(WORK["fee"])),
        taker_fee=Decimal(str(WORK["fee"])),
        ts_event=0,
        ts_init=0,
    )


def bar_type(traded: Equity) -> BarType:
    return BarType.from_str(f"{traded.id}-1-MINUTE-LAST-EXTERNAL")


class EmaCrossConfig(StrategyConfig, frozen=True):
    instrument_id: InstrumentId
    bar_type: BarType
    fast: int
    slow: int
    warm_up: int


class EmaCross(Strategy):
    def __init__(self, config: EmaCrossConfig) -> None:
        super().__init__(config)
        self.quick = ExponentialMovingAverage(config.fast)
        self.calm = ExponentialMovingAverage(config.slow)
        self.seen = 0

    def on_start(self) -> None:
        self.traded = self.cache.instrument(self.config.instrument_id)
        self.register_indicator_for_bars(self.config.bar_type, self.quick)
        self.register_indicator_for_bars(self.config.bar_type, self.calm)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        if self.seen <= self.config.warm_up:
            return
        name = self.config.instrument_id
        if self.quick.value > self.calm.value * LEADS:
            if self.portfolio.is_flat(name):
                self.buy(WORK["stake"] / bar.close.as_double())
        elif self.portfolio.is_net_long(name):
            self.close_all_positions(name)

    def buy(self, units: float) -> None:
        quantity = Quantity.from_int(int(units))
        name = self.config.instrument_id
        self.submit_order(self.order_factory.market(name, OrderSide.BUY, quantity))


def prepared() -> BacktestEngine:
    fast, slow = WORK["pairs"][0]
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.CASH, [Money(WORK["cash"], USD)], USD)
    for symbol in range(COLUMNS["close"].shape[1]):
        traded = instrument(symbol)
        frame = pd.DataFrame({name: prices[:, symbol] for name, prices in COLUMNS.items()})
        frame = frame.set_index(INDEX).assign(volume=ROOM)
        engine.add_instrument(traded)
        engine.add_data(BarDataWrangler(bar_type(traded), traded).process(frame))
        config = EmaCrossConfig(
            strategy_id=f"EMA-{symbol}",
            instrument_id=traded.id,
            bar_type=bar_type(traded),
            fast=fast,
            slow=slow,
            warm_up=WORK["warm_up"][str(slow)],
        )
        engine.add_strategy(EmaCross(config))
    return engine


def equity_of(engine: BacktestEngine) -> float:
    total = engine.portfolio.account(VENUE).balance_total(USD).as_double()
    for symbol, last in enumerate(COLUMNS["close"][-1].tolist()):
        total += float(engine.portfolio.net_position(instrument(symbol).id)) * last
    return float(total)


seconds: list[float] = []
while len(seconds) < WORK["repeats"] and sum(seconds) < WORK["budget_s"]:
    engine = prepared()
    begin = perf_counter()
    engine.run()
    seconds.append(perf_counter() - begin)
    equity, orders = [equity_of(engine)], engine.cache.orders_total_count()
    engine.dispose()
subject = f"nautilus_trader {version('nautilus_trader')}"
note = f"{orders:,} orders, filled at the decision's close"
print(json.dumps({"subject": subject, "seconds": seconds, "equity": equity, "note": note}))
