"""What a trading system consists of, as plain data, and how each machine is made from it.

The same blueprint builds the machines of the cluster, of the simulator and of a backtest.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec

from actors.feeds.guard import DataGuard
from actors.feeds.replay import Replay
from actors.feeds.sources import PriceTable, load_prices
from trading.book.shard import BookShard
from trading.broker.broker import Broker
from trading.broker.config import BrokerConfig
from trading.exchange.buying_power import BuyingPower
from trading.exchange.exchange import ExchangeSettings, SimulatedExchange
from trading.exchange.faults import FaultPlan, FaultyExchange
from trading.exchange.fees import Fees
from trading.exchange.latency import Latency
from trading.exchange.liquidity import Liquidity
from trading.exchange.slippage import Slippage
from trading.execution import PlannerConfig
from trading.identifiers import (
    AccountId,
    InstrumentId,
    MachineName,
    StrategyId,
    Venue,
    instrument_id,
    machine_kind,
    machine_name,
)
from trading.instruments import Instrument
from trading.ledger import Ledger, LedgerConfig
from trading.machine import Machine
from trading.risk.gate import RiskGate
from trading.risk.limits import RiskLimits
from trading.strategies.bar_strategy import BarStrategy, BarStrategyConfig
from trading.strategies.registry import make_strategy

LISTING = "XNAS"
"""Where the replayed stocks are said to be listed: the second part of their instrument ids."""


class StrategyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One running strategy. `capital` is a fraction of the account's initial cash."""

    strategy_id: StrategyId
    kind: str
    capital: Decimal
    params: Mapping[str, Any] = {}


class ReplayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is replayed: the last `days` slices of `source`, `pace_ns` apart (0: no waiting)."""

    source: str
    symbols: tuple[str, ...]
    days: int
    pace_ns: int
    settle_timeout_ns: int


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the simulated exchange assumes."""

    liquidity: Liquidity = Liquidity()
    fees: Fees = Fees()
    slippage: Slippage = Slippage()
    latency: Latency = Latency()
    buying_power: BuyingPower = BuyingPower()
    faults: FaultPlan | None = None


class Blueprint(msgspec.Struct, frozen=True, kw_only=True):
    """One account at the paper venue, trading a replay with some strategies."""

    account_id: AccountId
    initial_cash: Decimal
    replay: ReplayPlan
    strategies: tuple[StrategyPlan, ...]
    limits: RiskLimits = RiskLimits()
    assumptions: Assumptions = Assumptions()
    venue: Venue = Venue("paper")
    reconcile_interval_ns: int = 5_000_000_000

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return tuple(
            Instrument(instrument_id=instrument_id(symbol, LISTING)) for symbol in self.replay.symbols
        )

    @property
    def instruments_by_id(self) -> dict[InstrumentId, Instrument]:
        return {each.instrument_id: each for each in self.instruments}

    def name(self, kind: str) -> MachineName:
        """Return the address of the only machine of `kind` (not for strategies)."""
        match kind:
            case "replay":
                return machine_name("replay", "prices")
            case "broker":
                return machine_name("broker", self.venue, self.account_id)
            case "risk" | "ledger":
                return machine_name(kind, self.account_id)
            case _:
                return machine_name(kind, self.venue)

    def machines(self) -> tuple[MachineName, ...]:
        """Return the addresses of all machines."""
        kinds = ("exchange", "ledger", "broker", "risk", "book", "feed", "replay")
        single = tuple(self.name(kind) for kind in kinds)
        return single + tuple(machine_name("strategy", s.strategy_id) for s in self.strategies)


def risk_key(secret: bytes) -> bytes:
    """Return the key under which permits are signed, derived from the cluster secret."""
    return blake2b(secret, person=b"risk permits", digest_size=32).digest()
