"""The simulated venue as a machine: requests in, facts first, then answers and execution messages.

Whatever is durable is in `VenueState`, a fold over the stream `exchange:<venue>`. Prices, ladders
and requests that wait for the latency are of the moment: after a restart the prices are asked
for again, and a request that was not acted on yet never will be.
"""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from trading.codec import encode
from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    QueryMassStatus,
    QueryOrder,
    ReplaceOrder,
    RequestBars,
    RequestBook,
    SubmitOrder,
    SubmitOrderList,
    VenueRequest,
)
from trading.data import Bar, BarsHistory, BarSlice, MarketEvents, MarketSlice, TradeTick
from trading.effects import Effect, Publish, Reply, Send, SetTimer
from trading.events import Event, OrderExpired, VenueRequestReceived
from trading.exchange.buying_power import BuyingPower
from trading.exchange.enquiries import account_view, mass_status
from trading.exchange.fees import Fees
from trading.exchange.latency import Latency
from trading.exchange.liquidity import Liquidity
from trading.exchange.market import Market
from trading.exchange.matching import MatchingEngine
from trading.exchange.order_entry import OrderEntry
from trading.exchange.publication import Publication
from trading.exchange.sessions import Sessions
from trading.exchange.slippage import Slippage
from trading.exchange.turn import Turn
from trading.exchange.venue_state import VenueState, subject_of
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    MachineName,
    StreamName,
    Venue,
    machine_name,
)
from trading.instruments import Instrument
from trading.market_hours import ALWAYS_OPEN, MarketHours
from trading.messages import Message
from trading.outcomes import (
    MassStatusReceived,
    OrderQueried,
    Outcome,
    QueryFailed,
    Started,
    TimerFired,
)
from trading.ports import FeeModel
from trading.reports import FillReport, OrderStatusReport
from trading.values import TimeInForce

LATENCY_TIMER = "latency"


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What one simulated venue is.

    Attributes
    ----------
    accounts : mapping of account_id to initial cash
    replay : MachineName or None
        Who is asked for the current prices after a start.
    hours : MarketHours
        Sessions; without any it is always open, and each day of UTC has its auctions.
    """

    venue: Venue
    accounts: Mapping[AccountId, Decimal]
    instruments: tuple[Instrument, ...]
    replay: MachineName | None = None
    liquidity: Liquidity = Liquidity()
    fees: FeeModel = Fees()
    latency: Latency = Latency()
    slippage: Slippage = Slippage()
    buying_power: BuyingPower = BuyingPower()
    hours: MarketHours = ALWAYS_OPEN


class SimulatedExchange:
    """One venue: `Machine`, and the ground truth that everybody's books are checked against."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self._settings = settings
        self._venue = settings.venue
        self._name = machine_name("exchange", settings.venue)
        instruments = {each.instrument_id: each for each in settings.instruments}
        self._sessions = sessions = Sessions(settings.hours)
        self._state = VenueState(settings.venue, settings.accounts, sessions)
        self._market = Market(instruments, settings.liquidity)
        self._engine = MatchingEngine(
            self._state, self._market, instruments, settings.fees, settings.slippage, sessions
        )
        self._entry = OrderEntry(
            self._state, self._market, self._engine, instruments, settings.buying_power, sessions
        )
        self._sequence: int | None = None
        self._market_time = 0
        self._day: int | None = None
        self._events_sequence = 0
        self._publication = Publication(self._venue, self._state, self._market)
        self._slice_topic = f"market.{self._venue}.slice"
        self._pending: deque[tuple[int, VenueRequest]] = deque()
        self._busy_until = 0
        self._handlers: dict[type[Message], Callable[[Any, int], list[Effect]]] = {
            VenueRequest: self._receive,
            MarketSlice: self._take_slice,
            MarketEvents: self._take_events,
            TimerFired: self._timer_fired,
            RequestBook: self._show_book,
            BarsHistory: self._take_history,
            Started: self._start,
        }

    # -- machine

    @property
    def name(self) -> MachineName:
        return self._name

    @property
    def stream(self) -> StreamName:
        return StreamName(f"exchange:{self._venue}")

    @property
    def follows(self) -> tuple[StreamName, ...]:
        return ()

    @property
    def subscribes(self) -> tuple[str, ...]:
        return ()

    def handle(self, message: Message, now: int) -> list[Effect]:
        """React to one message. What is none of the venue's business has no effect."""
        handler = self._handlers.get(type(message))
        return [] if handler is None else handler(message, now)

    def apply(self, event: Event) -> None:
        self._state.apply(event)

    def state_hash(self) -> str:
        return self._state.state_hash()

    def validate(self) -> None:
        self._state.validate()

    def view(self) -> dict[str, Any]:
        state = self._state
        return {
            "sequence": self._sequence,
            "market_time": self._now_in_market,
            "requests": dict(state.request_counts),
            "refused": dict(state.refusals),
            "duplicates_refused": state.refusals["DUPLICATE_CLIENT_ORDER_ID"],
            "orders": len(state.orders),
            "open_orders": sum(map(len, state.open_orders.values())),
            "ignored_bars": self._market.ignored_bars,
            "ignored_events": self._market.ignored_events,
            "accounts": {key: account_view(acct) for key, acct in state.accounts.items()},
        }

    # -- ground truth

    def requests_for(self, client_order_id: ClientOrderId) -> tuple[VenueRequestReceived, ...]:
        """Return every request ever received about one order, in order of receipt."""
        return tuple(self._state.requests_by_order.get(client_order_id, ()))

    def orders(self, account_id: AccountId) -> tuple[OrderStatusReport, ...]:
        """Return every order of the account, refused and closed ones too."""
        turn = self._turn(now=0, causation_id=self.name)
        orders = self._state.orders.values()
        return tuple(turn.status(o) for o in orders if o.request.account_id == account_id)

    def fills(self, account_id: AccountId) -> tuple[FillReport, ...]:
        return tuple(self._state.accounts[account_id].fills)

    def positions(self, account_id: AccountId) -> dict[InstrumentId, Decimal]:
        """Return the signed units of each position that is not flat."""
        positions = self._state.accounts[account_id].open_positions()
        return {key: position.quantity for key, position in positions.items()}

    def cash(self, account_id: AccountId) -> Decimal:
        return self._state.accounts[account_id].cash

    # -- start

    def _start(self, started: Started, now: int) -> list[Effect]:
        self._entry.epoch = started.epoch
        self._sessions.time = self._now_in_market
        turn = self._turn(now, f"{self.name}/start")
        self._engine.resume(turn)
        if self._settings.replay is None:
            return turn.effects()
        ask = RequestBars(**turn.stamps, count=1, reply_to=self.name)
        return turn.effects(Send(self._settings.replay, ask))

    def _take_history(self, history: BarsHistory, now: int) -> list[Effect]:
        """Learn the prices of the last slice; the slice itself may still come and is then taken."""
        if self._sequence is not None or not history.slices:
            return []
        last = history.slices[-1]
        return self._move_market(last.bars, last.ts_event, last.sequence, now)[1].effects()

    # -- market

    def _take_slice(self, message: MarketSlice, now: int) -> list[Effect]:
        if self._sequence is not None and message.sequence <= self._sequence:
            return []
        self._sequence = message.sequence
        bars, turn = self._move_market(message.bars, message.ts_event, message.sequence, now)
        whole = BarSlice(
            ts_event=message.ts_event,
            ts_init=now,
            correlation_id=message.correlation_id,
            causation_id=turn.causation_id,
            sequence=message.sequence,
            bars=bars,
        )
        books = [
            self._publication.synthetic(bar.instrument_id, turn)
            for bar in bars
            if self._market.has_synthetic(bar.instrument_id)
        ]
        return [*turn.effects(), *books, Publish(self._slice_topic, whole)]

    def _take_events(self, message: MarketEvents, now: int) -> list[Effect]:
        """Change the historic books event by event; then fill, trigger, and publish what happened."""
        if message.sequence <= self._events_sequence:
            return []
        self._events_sequence = message.sequence
        ts_event = max(self._market_time, message.ts_event)
        turn = self._advance(ts_event, now, f"{self.name}/events/{message.sequence}")
        touched: dict[InstrumentId, None] = {}
        published: list[Effect] = []
        for event in message.events:
            historic = self._market.record(event)
            if historic is None:
                continue
            key = event.instrument_id
            if key not in touched:
                touched[key] = None
                self._engine.line_up(key)
            if isinstance(event, TradeTick):
                self._engine.work_off(event, turn)
            else:
                historic.apply(event)
            published.append(self._publication.event(event, turn))
        followed = [key for key in touched if self._market.follow(key)]
        self._engine.begin(turn)
        for key in followed:
            self._engine.cross(key, turn)
            self._engine.trigger(key, turn)
        self._engine.enter_released(turn)
        return turn.effects(*published)

    def _show_book(self, request: RequestBook, now: int) -> list[Effect]:
        turn = self._turn(now, f"{self.name}/{self._sequence}")
        return self._publication.books((request.instrument_id,), turn)

    def _move_market(
        self, bars: tuple[Bar, ...], ts_event: int, sequence: int, now: int
    ) -> tuple[tuple[Bar, ...], Turn]:
        """Expire, rebuild the ladders, fill what rests and is reached, then trigger stops."""
        turn = self._advance(ts_event, now, f"{self.name}/{sequence}")
        good = self._market.update(bars)
        if self._state.has_open:
            self._engine.begin(turn)
            for bar in good:
                self._engine.cross(bar.instrument_id, turn)
            for bar in good:
                self._engine.trigger(bar.instrument_id, turn)
            self._engine.enter_released(turn)
        return good, turn

    def _advance(self, ts_event: int, now: int, causation_id: str) -> Turn:
        """Let the market time go on: auctions that are over trade at the last prices, days end."""
        self._market_time = self._sessions.time = ts_event
        turn = self._turn(now, causation_id)
        self._engine.close_auctions(turn)
        self._expire_day_orders(turn)
        return turn

    def _expire_day_orders(self, turn: Turn) -> None:
        day = self._sessions.day_of(turn.ts_event)
        if day == self._day:
            return
        self._day = day
        for order in list(self._state.all_open()):
            is_day_order = order.request.time_in_force is TimeInForce.DAY
            if is_day_order and order.day < day and order.is_open:
                turn.record_change(OrderExpired, order, reason="the trading day is over")

    # -- requests

    def _receive(self, request: VenueRequest, now: int) -> list[Effect]:
        """Record the request as it came; act on it now, or when the latency is over."""
        turn = self._turn(now, request.request_id)
        turn.record(
            VenueRequestReceived(
                **turn.stamps,
                correlation_id=request.body.correlation_id,
                request_id=request.request_id,
                kind=type(request.body).__name__,
                client_order_id=subject_of(request.body),
                payload=encode(request.body),
            )
        )
        self._busy_until = self._settings.latency.effective_at(now, self._busy_until)
        if self._busy_until <= now and not self._pending:
            outcome = self._answer(request, turn)
            return turn.effects(Reply(request, outcome))
        self._pending.append((self._busy_until, request))
        return turn.effects(SetTimer(LATENCY_TIMER, self._pending[0][0]))

    def _timer_fired(self, timer: TimerFired, now: int) -> list[Effect]:
        return self._work_off(now) if timer.key == LATENCY_TIMER else []

    def _work_off(self, now: int) -> list[Effect]:
        effects: list[Effect] = []
        while self._pending and self._pending[0][0] <= now:
            _, request = self._pending.popleft()
            turn = self._turn(now, request.request_id)
            outcome = self._answer(request, turn)
            effects += turn.effects(Reply(request, outcome))
        if self._pending:
            effects.append(SetTimer(LATENCY_TIMER, self._pending[0][0]))
        return effects

    def _answer(self, request: VenueRequest, turn: Turn) -> Outcome:
        outcome = self._perform(request, turn)
        self._engine.enter_released(turn)
        return outcome

    def _perform(self, request: VenueRequest, turn: Turn) -> Outcome:
        match request.body:
            case SubmitOrder() as body:
                return self._entry.submit(body, turn)
            case SubmitOrderList() as body:
                return self._entry.submit_list(body, turn)
            case CancelOrder() as body:
                return self._entry.cancel(body, turn)
            case ReplaceOrder() as body:
                return self._entry.replace(body, turn)
            case CancelAllOrders() as body:
                return self._entry.cancel_all(body, turn)
            case QueryOrder() as body:
                return self._query_order(body, turn)
            case QueryMassStatus() as body:
                return self._query_mass_status(body, turn)

    def _query_order(self, query: QueryOrder, turn: Turn) -> OrderQueried:
        order = self._state.orders.get(query.client_order_id)
        is_known = order is not None and order.request.account_id == query.account_id
        return OrderQueried(
            **turn.stamps,
            client_order_id=query.client_order_id,
            report=turn.status(order) if order is not None and is_known else None,
        )

    def _query_mass_status(
        self, query: QueryMassStatus, turn: Turn
    ) -> MassStatusReceived | QueryFailed:
        if query.account_id not in self._state.accounts:
            reason = f"no account {query.account_id} here"
            return QueryFailed(**turn.stamps, query="QueryMassStatus", reason=reason)
        status = mass_status(self._state, query, turn)
        return MassStatusReceived(**turn.stamps, mass_status=status)

    # -- time

    @property
    def _now_in_market(self) -> int:
        return self._market_time or self._state.last_ts_event

    def _turn(self, now: int, causation_id: str) -> Turn:
        return Turn(
            self._venue,
            self._state,
            now=now,
            ts_event=self._now_in_market,
            causation_id=causation_id,
        )
