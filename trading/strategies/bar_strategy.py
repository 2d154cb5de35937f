"""The machine that runs a bar strategy live: window, decision, orders, watermark."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from trading.codec import digest_of
from trading.commands import RequestBars, SubmitOrder, Watermark
from trading.data import BarsHistory, BarSlice
from trading.effects import Append, Effect, Send
from trading.events import Event, OrderDenied, SignalPublished
from trading.execution import Occasion, PlannerConfig, plan
from trading.identifiers import (
    AccountId,
    InstrumentId,
    MachineName,
    StrategyId,
    StreamName,
    Venue,
    account_stream,
    machine_name,
)
from trading.instruments import Instrument
from trading.messages import Message
from trading.outcomes import LinkDown, LinkUp, Started
from trading.refusals import RefusalCode
from trading.strategies.own_orders import OwnOrders
from trading.strategies.published import PublishedSignals
from trading.strategies.strategy import Bars, Strategy, Undecided
from trading.strategies.switch import OnFailure, Switch
from trading.strategies.window import Window

WEIGHT_MAX = 10.0
"""A weight beyond this is a mistake, not a leverage."""


class BarStrategyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bar strategy trades, and with how much.

    Attributes
    ----------
    capital : Decimal
        What a weight of 1 is worth, in account currency.
    history : MachineName
        Who answers `RequestBars`.
    signals : mapping of kind to source
        What the strategy reads of what is published (`trading.strategies.published`).
    forecaster : str
        Who forecasts beside it, with the version of a model; empty for nobody.
    on_failure : OnFailure
        What becomes of its positions when it is switched off.
    """

    strategy_id: StrategyId
    venue: Venue
    account_id: AccountId
    capital: Decimal
    instruments: tuple[Instrument, ...]
    history: MachineName
    signals: Mapping[str, str] = {}
    forecaster: str = ""
    on_failure: OnFailure = OnFailure.FLATTEN


class BarStrategy:
    """Decides once per bar slice.

    The window is filled from history at a start and after a gap, by the same request. History alone
    never leads to a decision: only a slice that has just closed does. While the link to risk is
    down, each order is refused here and now, by name.

    A strategy that raises or returns nonsense is switched off with the reason. It then only passes
    watermarks on and closes its positions, or leaves them to the stops of risk (`trading.strategies.switch`).
    """

    def __init__(self, config: BarStrategyConfig, strategy: Strategy) -> None:
        self.config = config
        self._strategy = strategy
        self._instruments = {each.instrument_id: each for each in config.instruments}
        self._planner = PlannerConfig(
            account_id=config.account_id,
            strategy_id=config.strategy_id,
            capital=config.capital,
        )
        self._risk = machine_name("risk", config.account_id)
        self._orders = OwnOrders(config.strategy_id)
        self._window = Window(tuple(self._instruments), strategy.lookback)
        self._published = PublishedSignals(config.signals, tuple(self._instruments))
        self._waiting: BarSlice | None = None
        self._is_risk_up = False
        self._targets: dict[InstrumentId, float] = {}
        self._decided = 0
        self._decided_at = 0
        self._sent = 0
        self._ignored = self._undecided = 0
        self._switch = Switch(config.on_failure)

    @property
    def name(self) -> MachineName:
        return machine_name("strategy", self.config.strategy_id)

    @property
    def stream(self) -> StreamName:
        return StreamName(f"strategy:{self.config.strategy_id}")

    @property
    def follows(self) -> tuple[StreamName, ...]:
        config = self.config
        account = account_stream(config.venue, config.account_id)
        return (account, StreamName(f"risk:{config.account_id}"), *self._published.streams)

    @property
    def subscribes(self) -> tuple[str, ...]:
        return (f"book.{self.config.venue}.slice",)

    def handle(self, message: Message, now: int) -> list[Effect]:
        match message:
            case BarSlice():
                return self._take_slice(message, now)
            case BarsHistory():
                return self._take_history(message, now)
            case Started():
                return [self._request_history(now)]
            case LinkUp() | LinkDown() if message.peer == self._risk:
                self._is_risk_up = isinstance(message, LinkUp)
            case Event():
                self.apply(message)
            case _:
                pass
        return []

    def apply(self, event: Event) -> None:
        if isinstance(event, SignalPublished):
            self._published.apply(event, self._decided_at)
        else:
            self._orders.apply(event)

    def view(self) -> Mapping[str, Any]:
        return {
            "window": min(self._window.count, self._window.length),
            "lookback": self._window.length,
            "sequence": self._window.last_sequence,
            "decided": self._decided,
            "is_risk_up": self._is_risk_up,
            "disabled": self._switch.reason,
            "switch": str(self._switch.state(self._orders.positions)),
            "forecaster": self.config.forecaster,
            "positions": {str(k): v for k, v in sorted(self._orders.positions.items()) if v},
            "open_orders": len(self._orders.open_orders),
            "in_flight": self._orders.in_flight_count,
            "stopped": {str(k): v for k, v in sorted(self._orders.stopped.items())},
            "orders_sent": self._sent,
            "denials": dict(sorted(self._orders.denials.items())),
            "targets": {str(k): v for k, v in sorted(self._targets.items()) if v},
            "ignored_slices": self._ignored,
            "undecided": self._undecided,
            "published": self._published.view(),
        }

    def state_hash(self) -> str:
        return digest_of(self._orders.durable())

    def validate(self) -> None:
        assert all(order.is_open for order in self._orders.open_orders.values())
        assert self._decided <= self._window.last_sequence or not self._window.count

    # -- bars

    def _take_slice(self, slice_: BarSlice, now: int) -> list[Effect]:
        window = self._window
        if window.count and slice_.sequence <= window.last_sequence:
            if slice_.sequence == window.last_sequence > self._decided:
                return self._decide(slice_, now)  # history was faster and holds it already
            self._ignored += 1
            return []
        if window.count and slice_.sequence == window.last_sequence + 1:
            window.add(slice_)
            return self._decide(slice_, now)
        self._waiting = slice_
        return [self._request_history(now)]

    def _take_history(self, history: BarsHistory, now: int) -> list[Effect]:
        window = self._window
        if history.sequence < window.last_sequence:
            return []  # older than what we have
        waiting, self._waiting = self._waiting, None
        window.clear()
        for slice_ in history.slices:
            window.add(slice_)
        if waiting is None:
            return []
        if waiting.sequence == window.last_sequence + 1:
            window.add(waiting)
        if waiting.sequence == window.last_sequence and waiting.sequence > self._decided:
            return self._decide(waiting, now)
        return []

    def _request_history(self, now: int) -> Effect:
        count = self._window.length
        if self.config.signals:
            count += 1  # the bar before the window dates what is published
        return Send(self.config.history, RequestBars(ts_init=now, count=count, reply_to=self.name))

    # -- decisions

    def _decide(self, slice_: BarSlice, now: int) -> list[Effect]:
        """Send the orders that this slice calls for, and the watermark behind them."""
        self._decided, self._decided_at = slice_.sequence, slice_.ts_event
        self._orders.forget_expired(now)
        weights = self._weights(slice_)
        if weights is not None:
            self._targets = weights
            effects = self._act(self._without_stopped(weights), self._orders.held(), slice_, now)
        else:
            effects = self._close(slice_, now)
        done = Watermark(
            ts_event=slice_.ts_event,
            ts_init=now,
            correlation_id=slice_.correlation_id,
            sequence=slice_.sequence,
            sender=self.name,
        )
        return [*effects, Send(self._risk, done)]

    def _weights(self, slice_: BarSlice) -> dict[InstrumentId, float] | None:
        """Return the strategy's newest targets; None before there are enough bars, or without an answer."""
        if self._switch.is_off or not self._window.is_full:
            return None
        try:
            row = np.asarray(self._strategy.targets(self._bars()), dtype=float)[-1]
        except Undecided:
            self._undecided += 1
            return None
        except Exception as error:  # a strategy is a guest: whatever it raises stays here
            self._disable(f"raised {type(error).__name__}: {error}", slice_)
            return None
        problem = _problem(row, self._window.instrument_ids)
        if problem:
            self._disable(problem, slice_)
            return None
        return dict(zip(self._window.instrument_ids, row.tolist(), strict=True))

    def _bars(self) -> Bars:
        bars = self._window.bars()
        if not self.config.signals:
            return bars
        return replace(bars, signals=self._published.signals(bars.ts, self._window.ts_before))

    def _disable(self, reason: str, slice_: BarSlice) -> None:
        self._switch.switch_off(f"{self.config.strategy_id} at bar {slice_.sequence}: {reason}")
        self._targets = {}

    def _close(self, slice_: BarSlice, now: int) -> list[Effect]:
        """Take back what a strategy that was switched off still holds; again at each slice, until it is gone."""
        units = self._switch.to_close(self._orders.unreduced())
        return self._act(dict.fromkeys(units, 0.0), units, slice_, now)

    def _act(
        self,
        weights: Mapping[InstrumentId, float],
        held: Mapping[InstrumentId, Decimal],
        slice_: BarSlice,
        now: int,
    ) -> list[Effect]:
        prices = {bar.instrument_id: bar.close for bar in slice_.bars}
        occasion = Occasion(
            ts_event=slice_.ts_event,
            ts_signal=slice_.ts_init,
            correlation_id=slice_.correlation_id,
            causation_id=f"{self.name}/{slice_.sequence}",
            now=now,
        )
        orders = plan(
            weights,
            held,
            prices,
            self._instruments,
            self._planner,
            occasion,
        )
        effects: list[Effect] = []
        for order in orders:
            if self._orders.is_settled(order.client_order_id):
                continue  # decided on this very slice before a restart
            if self._is_risk_up:
                self._orders.sent(order)
                self._sent += 1
                effects.append(Send(self._risk, order))
            else:
                effects.append(self._deny(order, now))
        return effects

    def _without_stopped(self, weights: Mapping[InstrumentId, float]) -> dict[InstrumentId, float]:
        """Keep out of what a stop closed until the strategy has changed its mind."""
        stopped = self._orders.stopped
        for name in [n for n, sign in stopped.items() if weights.get(n, 0.0) * sign <= 0]:
            del stopped[name]
        return {name: 0.0 if name in stopped else weight for name, weight in weights.items()}

    def _deny(self, order: SubmitOrder, now: int) -> Effect:
        code = RefusalCode.RISK_UNAVAILABLE
        denied = OrderDenied(
            ts_event=order.ts_event,
            ts_init=now,
            correlation_id=order.correlation_id,
            causation_id=order.causation_id,
            client_order_id=order.client_order_id,
            strategy_id=order.strategy_id,
            instrument_id=order.instrument_id,
            code=str(code),
            reason=code.meaning,
            order=order,
        )
        self.apply(denied)
        return Append(denied)


def _problem(row: np.ndarray[Any, Any], instrument_ids: Sequence[InstrumentId]) -> str:
    """Return what is wrong with a row of weights, or an empty string."""
    if row.shape != (len(instrument_ids),):
        return f"returned weights of shape {row.shape} for {len(instrument_ids)} instruments"
    for name, weight in zip(instrument_ids, row.tolist(), strict=True):
        if not abs(weight) <= WEIGHT_MAX:  # not so for NaN either
            return f"returned the weight {weight} for {name}"
    return ""
