"""The parts of a blueprint, as plain data: strategies, forecasts, venues, what is replayed or streamed."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from trading.exchange.buying_power import BuyingPower
from trading.exchange.faults import FaultPlan
from trading.exchange.fees import Fees
from trading.exchange.latency import Latency
from trading.exchange.liquidity import Liquidity
from trading.exchange.slippage import Slippage
from trading.forecasting.registry import DEFAULT
from trading.forecasting.watch import Expectations
from trading.identifiers import StrategyId, Venue
from trading.strategies.switch import OnFailure
from trading.values import DataKind


class StrategyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One running strategy.

    Attributes
    ----------
    capital : Decimal
        Fraction of the blueprint's budget.
    forecaster : str
        Name of the forecaster of a strategy that needs forecasts: an installed one, or a model `nhits@3`.
    signals : mapping of kind to source
        Published facts that it reads, see `trading.forecasting.informed.live_strategy`.
    on_failure : OnFailure
        What becomes of its positions when it is switched off.
    """

    strategy_id: StrategyId
    kind: str
    capital: Decimal
    params: Mapping[str, Any] = {}
    forecaster: str = DEFAULT
    signals: Mapping[str, str] = {}
    on_failure: OnFailure = OnFailure.FLATTEN


class ForecastPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One source of forecasts; its facts go to `signals:<name>`.

    Attributes
    ----------
    model : str
        `nhits@3`; for a service also `nhits@champion`.
    url : str
        Forecasting service to ask; empty runs the model beside the source.
    input_size : int
        Bars that the model reads.
    trained_until : int
        Close of the last bar that the model was trained on (ns UTC).
    expected : Expectations
        What its training lets expect of it, see `actors.models.in_service`.
    """

    name: str
    model: str
    input_size: int
    trained_until: int = 0
    url: str = ""
    horizon_bars: int = 5
    valid_bars: int = 1
    timeout_ns: int = 1_000_000_000
    expected: Expectations = Expectations()


class ReplayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is replayed: the last `days` slices of `source`, `pace_ns` apart (0: no waiting)."""

    source: str
    symbols: tuple[str, ...]
    days: int
    pace_ns: int
    settle_timeout_ns: int


class VenuePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a venue is reached. Holds no secret, only the path of the file with the credentials.

    Attributes
    ----------
    adapter : str
        Name of the profile, see `actors.venues.opening.venue_profile`.
    options : mapping
        `[venues.<name>]` of the configuration.
    """

    adapter: str
    options: Mapping[str, Any] = {}
    credentials_file: str = ""


class FeedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Market data of a real venue.

    Attributes
    ----------
    venue : Venue
        Whose data it is; need not be the one that is traded at.
    bars_from : DataKind
        What bars are made of: the venue's own bars, or trades, or quotes.
    history_bars : int
        Bars that are fetched at a start, for whoever looks back.
    """

    venue: Venue
    kinds: frozenset[DataKind]
    bar_interval_ns: int
    bars_from: DataKind = DataKind.BARS
    history_bars: int = 500


class ExecutionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A desk that works large orders over time; the machine `execution:<name>`."""

    name: str


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the simulated exchange assumes."""

    liquidity: Liquidity = Liquidity()
    fees: Fees = Fees()
    slippage: Slippage = Slippage()
    latency: Latency = Latency()
    buying_power: BuyingPower = BuyingPower()
    faults: FaultPlan | None = None
