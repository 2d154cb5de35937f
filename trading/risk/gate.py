"""The risk manager: nothing goes to the broker but through this gate."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from trading.codec import digest
from trading.commands import (
    CancelOrder,
    ReplaceOrder,
    RequestBars,
    RiskAcknowledged,
    SetTradingState,
    SubmitOrder,
    SubmitOrderList,
    Watermark,
)
from trading.data import BarsHistory, BarSlice, BookTop
from trading.effects import Append, AppendShared, Effect, Send
from trading.events import (
    DayOpened,
    Event,
    KillSwitchTripped,
    LimitChanged,
    OrderDenied,
    OrderEvent,
    OrderFilled,
    OrderUpdateRejected,
    RiskWarned,
    StrategyHalted,
    TradingStateChanged,
)
from trading.identifiers import (
    MachineName,
    StreamName,
    account_stream,
    kill_stream,
    machine_name,
)
from trading.messages import Message
from trading.outcomes import JournalUnavailable, LinkUp, Started
from trading.refusals import RefusalCode
from trading.risk.answers import Signer, amended, order_denied, update_rejected
from trading.risk.breakers import has_recovered, next_hold, trips
from trading.risk.checks import check, check_replace
from trading.risk.config import RiskConfig
from trading.risk.exits import Exits
from trading.risk.handshake import Handshake
from trading.risk.ladder import strategy_halts, warnings
from trading.risk.limit_changes import LimitBook, limits_stream
from trading.risk.order_lists import check_list
from trading.risk.reservations import WorkingOrder
from trading.risk.standing import OPERATOR, Hold
from trading.risk.state import RiskState
from trading.risk.verdicts import Approved, Denied, deny
from trading.risk.view import view_of
from trading.risk.watermarks import Watermarks
from trading.values import TradingState

STOP_BARS = 500
"""How far back the best price since an entry is looked for, in bars."""
WAITING_MAX = 10_000
"""Requests kept while the gate is not ready; one more is refused with RISK_NOT_READY."""

Request = SubmitOrder | SubmitOrderList | ReplaceOrder | Watermark


class RiskGate:
    """The machine `risk:<account>`.

    Life: `Started(epoch)` -> announces itself to the broker -> `RiskAcknowledged(account_seq)` -> folds
    the account's stream up to there -> ready. What arrives earlier waits, in order. An order is
    decided once: a repeat of its `client_order_id` is ignored. A refusal is appended to the own
    stream and sent to nobody; permission goes to the broker, signed.
    """

    def __init__(self, config: RiskConfig) -> None:
        account_id, limits = config.account_id, config.limits
        self._name = machine_name("risk", account_id)
        self.state = RiskState(config)
        self.exits = Exits(config, self.state.holdings)
        self._limit_book = LimitBook(limits)
        self._history = config.history
        self._account_id = account_id
        self._venue = config.venue
        self._broker = machine_name("broker", config.venue, account_id)
        self._kill_stream = kill_stream(account_id)
        self._signer = Signer(config.key, config.permit_ttl_ns)
        self._handshake = Handshake(self.name)
        self._waiting: deque[Request] = deque()
        self._watermarks = Watermarks(machine_name("strategy", name) for name in config.strategies)
        self._handlers: dict[type[Message], Callable[[Any, int], list[Effect]]] = {
            SubmitOrder: self._on_request,
            SubmitOrderList: self._on_request,
            ReplaceOrder: self._on_request,
            Watermark: self._on_request,
            BookTop: self._on_top,
            BarSlice: self._on_slice,
            BarsHistory: self._on_history,
            LimitChanged: self._on_limit_changed,
            RiskAcknowledged: self._on_acknowledged,
            SetTradingState: self._on_set_state,
            Started: self._on_started,
            LinkUp: self._on_link_up,
            JournalUnavailable: self._on_journal_unavailable,
        }

    @property
    def name(self) -> MachineName:
        return self._name

    @property
    def stream(self) -> StreamName:
        return StreamName(f"risk:{self._account_id}")

    @property
    def follows(self) -> tuple[StreamName, ...]:
        return (account_stream(self._venue, self._account_id), limits_stream(self._account_id))

    @property
    def subscribes(self) -> tuple[str, ...]:
        return (f"book.{self._venue}.",)

    @property
    def is_ready(self) -> bool:
        """True when the broker obeys this epoch and all that it knew then is folded."""
        return self._handshake.is_done

    def handle(self, message: Message, now: int) -> list[Effect]:
        handler = self._handlers.get(type(message))
        if handler is not None:
            return handler(message, now)
        return self._on_account_event(message, now) if isinstance(message, Event) else []

    def apply(self, event: Event) -> None:
        if isinstance(event, LimitChanged):
            if self._limit_book.apply(event):
                self.state.obey(self._limit_book.limits)
                self.exits.stops.obey(self._limit_book.limits)
        elif self._is_own(event):
            self.state.standing.apply(event)
        else:
            self.state.fold(event)

    def view(self) -> Mapping[str, Any]:
        return {
            "ready": self.is_ready,
            "epoch": self._handshake.epoch,
            "waiting": len(self._waiting),
            **view_of(self.state),
            "stops": self.exits.stops.armed(),
            "limit_changes": self._limit_book.view(),
        }

    def state_hash(self) -> str:
        return self.state.state_hash()

    def validate(self) -> None:
        self.state.validate()
        assert len(self._waiting) <= WAITING_MAX
        assert not (self.is_ready and self._waiting), "a ready gate keeps nobody waiting"

    # -- becoming ready

    def _on_started(self, started: Started, now: int) -> list[Effect]:
        return [
            Send(self._broker, self._handshake.begin(started.epoch, now)),
            *self._ask_for_history(now),
        ]

    def _ask_for_history(self, now: int) -> list[Effect]:
        """Bars for what no journal knows: the variance, and the best price since each entry."""
        variance = self.state.desk.variance
        positions = self.state.holdings.opened_at
        if self._history is None or (variance is None and not positions):
            return []
        count = STOP_BARS if variance is None else max(STOP_BARS, variance.bars_wanted)
        request = RequestBars(ts_init=now, count=count, reply_to=self.name)
        return [Send(self._history, request)]

    def _on_history(self, history: BarsHistory, now: int) -> list[Effect]:
        for slice_ in history.slices:
            self.state.desk.learn(slice_)
        self.exits.recall(history.slices)
        return []

    def _on_limit_changed(self, change: LimitChanged, now: int) -> list[Effect]:
        had_variance = self.state.desk.variance
        self.apply(change)
        effects = self._review(change, now) if self.is_ready else []
        is_new = self.state.desk.variance is not had_variance
        return [*effects, *self._ask_for_history(now)] if is_new else effects

    def _on_link_up(self, link: LinkUp, now: int) -> list[Effect]:
        # A broker that was away may never have got what was in flight: its answer tells.
        if link.peer != self._broker or not self._handshake.epoch:
            return []
        return [Send(self._broker, self._handshake.announcement(now))]

    def _on_journal_unavailable(self, _failed: JournalUnavailable, now: int) -> list[Effect]:
        # A refusal must be journalled, so requests wait; `Started` comes when the journal is back.
        self._handshake.begin(0, now)
        return []

    def _on_acknowledged(self, answer: RiskAcknowledged, now: int) -> list[Effect]:
        epoch = self._handshake.epoch
        if epoch and not answer.risk_epoch:  # a broker that started anew: it knows no epoch yet
            return [Send(self._broker, self._handshake.begin(epoch, now))]
        self._handshake.acknowledge(answer)
        return self._catch_up(answer, now)

    def _catch_up(self, cause: Message, now: int) -> list[Effect]:
        """Become ready when the account's stream is folded as far as the broker said."""
        if not self._handshake.complete(self.state.holdings.sequence):
            return []
        effects = self._end_void(now) + self._review(cause, now)
        while self._waiting:
            effects += self._decide(self._waiting.popleft(), now)
        return effects

    def _end_void(self, now: int) -> list[Effect]:
        """Refuse orders whose permit had ended when the broker still had not recorded them."""
        reservations = self.state.holdings.reservations
        effects: list[Effect] = []
        for working in list(reservations.in_flight()):
            if working.permit_until <= self._handshake.announced_at:
                reservations.close(working.order.client_order_id)
                lost = deny(RefusalCode.RISK_PERMIT_EXPIRED, permit_until=working.permit_until)
                effects += self._deny(working.order, lost, now)
        return effects

    # -- requests

    def _on_request(self, request: Request, now: int) -> list[Effect]:
        if self.is_ready:
            return self._decide(request, now)
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append(request)
        elif isinstance(request, SubmitOrder | SubmitOrderList):
            return self._deny_new(
                request, deny(RefusalCode.RISK_NOT_READY, waiting=WAITING_MAX), now
            )
        return []

    def _decide(self, request: Request, now: int) -> list[Effect]:
        match request:
            case SubmitOrder():
                return self._decide_order(request, now)
            case SubmitOrderList():
                return self._decide_list(request, now)
            case ReplaceOrder():
                return self._decide_replace(request, now)
            case Watermark():
                return self._pass_watermark(request, now)

    def _decide_order(self, order: SubmitOrder, now: int) -> list[Effect]:
        if self.state.is_known(order):
            return []
        verdict = check(order, self.state.situation(order, now), self.state.limits, now)
        if isinstance(verdict, Denied):
            return self._deny(order, verdict, now)
        return self._permit(verdict, now)

    def _decide_list(self, order_list: SubmitOrderList, now: int) -> list[Effect]:
        if any(self.state.is_known(order) for order in order_list.orders):
            return []
        verdict = check_list(order_list, self.state, self.state.limits, now)
        if isinstance(verdict, Denied):
            return self._deny_new(order_list, verdict, now)
        message = self._signer.order_list(verdict, self._handshake.epoch, now)
        self.state.throttle.take(now)
        for order in order_list.orders:
            self.state.holdings.reservations.open(order, message.permit.expires_at, order_list.kind)
        return [Send(self._broker, message)]

    def _deny_new(
        self, request: SubmitOrder | SubmitOrderList, denied: Denied, now: int
    ) -> list[Effect]:
        """Refuse an order, or every order of a list, that nothing was decided about yet."""
        orders = request.orders if isinstance(request, SubmitOrderList) else (request,)
        fresh = [order for order in orders if not self.state.is_known(order)]
        return [effect for order in fresh for effect in self._deny(order, denied, now)]

    def _permit(self, approved: Approved[SubmitOrder], now: int) -> list[Effect]:
        message = self._signer.order(approved, self._handshake.epoch, now)
        self.state.throttle.take(now)
        self.state.holdings.reservations.open(approved.order, message.permit.expires_at)
        return [Send(self._broker, message)]

    def _deny(self, order: SubmitOrder, denied: Denied, now: int) -> list[Effect]:
        return self._journal(order_denied(order, denied, self.name, now))

    def _decide_replace(self, replace: ReplaceOrder, now: int) -> list[Effect]:
        working = self.state.holdings.reservations.get(replace.client_order_id)
        decision = digest(replace)
        if working is None or decision in working.replaces:
            return []  # ended (its own events say so), or decided already
        working.replaces.add(decision)
        order = amended(working, replace)
        situation = self.state.situation(order, now, replaced=working)
        verdict = check_replace(replace, order, situation, self.state.limits, now)
        if isinstance(verdict, Denied):
            return self._journal(update_rejected(working, replace, verdict, self.name, now))
        return self._permit_replace(working, verdict, now)

    def _permit_replace(
        self, working: WorkingOrder, approved: Approved[ReplaceOrder], now: int
    ) -> list[Effect]:
        message = self._signer.replace(approved, self._handshake.epoch, now)
        self.state.throttle.take(now)
        self.state.holdings.reservations.expect(working, approved.order.quantity)
        return [Send(self._broker, message)]

    def _pass_watermark(self, mark: Watermark, now: int) -> list[Effect]:
        """Tell the broker once all strategies are done with a slice; behind their orders."""
        done = self._watermarks.advance(mark.sender, mark.sequence)
        if done is None:
            return []
        passed = Watermark(
            ts_event=mark.ts_event,
            ts_init=now,
            correlation_id=mark.correlation_id,
            causation_id=mark.causation_id,
            sequence=done,
            sender=self.name,
        )
        return [Send(self._broker, passed)]

    # -- market data

    def _on_top(self, top: BookTop, now: int) -> list[Effect]:
        if not self.state.quote(top) or not self._may_exit:
            return []
        return self._ask(self.exits.on_top(top, now), now)

    @property
    def _may_exit(self) -> bool:
        # With the kill switch latched the broker flattens by itself, if asked to.
        return self.is_ready and self.state.holdings.kill_reason is None

    def _ask(self, wanted: list[SubmitOrder | CancelOrder], now: int) -> list[Effect]:
        effects: list[Effect] = []
        for one in wanted:
            if isinstance(one, CancelOrder):
                effects.append(Send(self._broker, one))
            else:
                effects += self._decide_order(one, now)
        return effects

    def _on_slice(self, bars: BarSlice, now: int) -> list[Effect]:
        self.state.advance(bars.ts_event)
        self.state.desk.learn(bars)
        if not self.is_ready:
            return []
        effects = self._stamp(self.state.read_equity(), bars, now)
        return effects + self._climb(bars, now) + self._review(bars, now)

    def _climb(self, bars: BarSlice, now: int) -> list[Effect]:
        """Take an equity reading to the ladder: warn, halt strategies, trip the kill switch."""
        state, standing = self.state, self.state.standing
        limits, counters = state.limits, state.counters()
        state.ladder.read(limits, counters)
        facts: list[Event] = [*warnings(limits, counters, standing.warned, standing.day or 0)]
        facts += strategy_halts(
            limits, state.daily_losses(), standing.halts, state.market_time, state.tomorrow
        )
        effects = self._stamp(facts, bars, now)
        if state.ladder.must_kill(limits) and state.holdings.kill_reason is None:
            effects.append(AppendShared(self._kill_stream, self._trip(bars, now)))
        return effects

    def _trip(self, cause: Message, now: int) -> KillSwitchTripped:
        return KillSwitchTripped(
            ts_event=now,
            ts_init=now,
            correlation_id=cause.correlation_id,
            causation_id=cause.causation_id,
            actor=self.name,
            reason=f"A loss reached kill_at = {self.state.limits.kill_at} times its limit.",
            flatten=True,
        )

    # -- trading state

    def _on_set_state(self, command: SetTradingState, now: int) -> list[Effect]:
        reason = f"{command.actor}: {command.reason}"
        hold = Hold(command.state, OPERATOR, reason)
        if hold == self.state.standing.hold:
            return []
        effects = self._change(hold, command, now)
        if command.state is TradingState.ACTIVE:
            effects += self._stamp(self.state.restart_peak(), command, now)
        return effects + (self._review(command, now) if self.is_ready else [])

    def _review(self, cause: Message, now: int) -> list[Effect]:
        """Change the trading state when a breaker tripped or ended."""
        standing, counters = self.state.standing, self.state.counters()
        market_time = self.state.market_time
        hold = next_hold(
            standing.hold,
            standing.operator,
            trips(self.state.limits, counters, market_time, self.state.tomorrow),
            market_time,
            has_recovered=has_recovered(self.state.limits, counters),
        )
        self.exits.is_flattening = (hold or standing.hold).code == RefusalCode.RISK_FLATTEN
        return [] if hold is None else self._change(hold, cause, now)

    def _change(self, hold: Hold, cause: Message, now: int) -> list[Effect]:
        event = TradingStateChanged(
            state=hold.state, code=hold.code, reason=hold.reason, until=hold.until
        )
        return self._stamp([event], cause, now)

    def _stamp(self, facts: Sequence[Event], cause: Message, now: int) -> list[Effect]:
        """Journal facts that market time and `cause` brought about."""
        if not facts:
            return []
        header = {
            "ts_event": self.state.market_time,
            "ts_init": now,
            "correlation_id": cause.correlation_id,
            "causation_id": cause.causation_id,
        }
        return [
            effect
            for fact in facts
            for effect in self._journal(msgspec.structs.replace(fact, **header))
        ]

    # -- facts

    def _on_account_event(self, event: Event, now: int) -> list[Effect]:
        self.apply(event)
        if isinstance(event, OrderFilled):
            self.exits.on_fill(event)
        if not self.is_ready:
            return self._catch_up(event, now)
        if not isinstance(event, OrderEvent):
            return []
        effects = self._review(event, now)
        if self._may_exit:
            effects += self._ask(self.exits.on_event(event, now), now)
        return effects

    def _journal(self, event: Event) -> list[Effect]:
        self.apply(event)
        return [Append(event)]

    def _is_own(self, event: Event) -> bool:
        """True for the facts of the own stream; all others are the account's."""
        match event:
            case TradingStateChanged() | DayOpened() | StrategyHalted() | RiskWarned():
                return True
            case OrderDenied() | OrderUpdateRejected():
                return event.causation_id == self.name  # the broker refuses orders as well
            case _:
                return False
