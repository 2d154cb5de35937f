"""The machine that works parent orders: `execution:<name>`."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from trading.algorithms.book_questions import BookQuestions
from trading.algorithms.child import Child
from trading.algorithms.child_order import child_order
from trading.algorithms.decide import decide
from trading.algorithms.delivery import Delivery
from trading.algorithms.desk_config import ExecutionDeskConfig
from trading.algorithms.desk_market import DeskMarket
from trading.algorithms.desk_view import parent_view
from trading.algorithms.facts import (
    ChildCancelPlanned,
    ChildPlanned,
    ExecutionCancelRequested,
    ExecutionEnded,
    ExecutionEvent,
    ExecutionRefused,
    ExecutionStarted,
    StopLossTriggered,
)
from trading.algorithms.holdings import Holdings, selling
from trading.algorithms.objections import objection
from trading.algorithms.parameters import Listing
from trading.algorithms.parent import ParentOrder
from trading.algorithms.plan import Plan, WantedChild, earliest
from trading.codec import digest_of
from trading.commands import CancelExecution, ExecuteOrder
from trading.data import BookSnapshot, BookTop
from trading.effects import Append, CancelTimer, Effect, SetTimer
from trading.events import Event, OrderEvent
from trading.identifiers import (
    ClientOrderId,
    MachineName,
    StreamName,
    account_stream,
    machine_name,
)
from trading.messages import Message
from trading.outcomes import (
    JournalRecovered,
    JournalUnavailable,
    LinkDown,
    LinkUp,
    Started,
    TimerFired,
)
from trading.routing.quotes import VenueQuote, middle_of
from trading.values import ZERO, OrderSide

STEP_NS_MIN = 1_000_000
"""Two looks at one parent by the clock are at least this far apart."""


class ExecutionDesk:
    """Works parent orders over several accounts.

    The order of things: `ExecutionStarted` is durable, then for each child `ChildPlanned`, then the
    child goes to `risk:<account>`; what becomes of it is read in the journals of account and risk. A
    child that no journal names is sent again with the same id. While the journal cannot be written,
    nothing is decided and commands wait.

    Two kinds of state: `parents` and what the accounts hold are the fold of the own stream and of all account
    streams; the market, the books that were asked for, the links and the times of sending are of the moment.
    """

    def __init__(self, config: ExecutionDeskConfig) -> None:
        self.config = config
        self.parents: dict[ClientOrderId, ParentOrder] = {}
        self._refused: dict[ClientOrderId, ExecutionRefused] = {}
        self._parent_of: dict[ClientOrderId, ParentOrder] = {}
        self._market = DeskMarket(config)
        self._questions = BookQuestions(self.name, config.book_wait_ns)
        self._holdings = Holdings(config)
        self._delivery = Delivery()
        self._instruments = config.instruments
        self._watching: dict[Listing, dict[ClientOrderId, None]] = {}
        self._wakes: dict[ClientOrderId, int] = {}
        self._waiting: list[ExecuteOrder | CancelExecution] = []
        self._is_journal_up = True
        self._now = 0
        self._handlers: dict[type[Message], Callable[[Any, int], list[Effect]]] = {
            ExecuteOrder: self._command,
            CancelExecution: self._command,
            BookTop: self._on_top,
            BookSnapshot: self._on_book,
            TimerFired: self._on_timer,
            Started: self._on_started,
            LinkUp: self._on_link,
            LinkDown: self._on_link,
            JournalUnavailable: self._on_journal_unavailable,
            JournalRecovered: self._on_journal_recovered,
        }

    @property
    def name(self) -> MachineName:
        return machine_name("execution", self.config.name)

    @property
    def stream(self) -> StreamName:
        return StreamName(self.name)

    @property
    def follows(self) -> tuple[StreamName, ...]:
        accounts = self.config.accounts
        own = (account_stream(one.venue, one.account_id) for one in accounts)
        risk = (StreamName(f"risk:{one.account_id}") for one in accounts)
        return tuple(dict.fromkeys((*own, *risk)))

    @property
    def subscribes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f"book.{one.venue}." for one in self.config.accounts))

    def handle(self, message: Message, now: int) -> list[Effect]:
        self._now = now
        handler = self._handlers.get(type(message))
        if handler is not None:
            return handler(message, now)
        return self._on_fact(message, now) if isinstance(message, Event) else []

    def apply(self, event: Event) -> None:
        """Fold one fact: of the own stream, of an account, or of a risk manager."""
        self._holdings.apply(event)
        match event:
            case ExecutionStarted():
                self.parents[event.parent_order_id] = ParentOrder(event)
            case ExecutionRefused():
                self._refused[event.parent_order_id] = event
            case ExecutionEvent():
                parent = self.parents[event.parent_order_id]
                parent.apply(event)
                if isinstance(event, ChildPlanned):
                    self._parent_of[event.order.client_order_id] = parent
            case OrderEvent():
                owner = self._parent_of.get(event.client_order_id)
                if owner is not None:
                    owner.children[event.client_order_id].apply(event)
            case _:
                pass

    def view(self) -> Mapping[str, Any]:
        running = [each for each in self.parents.values() if each.ended is None]
        ended = [each for each in self.parents.values() if each.ended is not None]
        return {
            "running": [parent_view(each) for each in running],
            "ended": [parent_view(each) for each in ended[-20:]],
            "refused": {key: fact.reason for key, fact in list(self._refused.items())[-20:]},
            "left_out": self._market.view(self._now),
            "waiting": len(self._waiting),
        }

    def state_hash(self) -> str:
        parents = {key: parent.durable() for key, parent in self.parents.items()}
        return digest_of((parents, sorted(self._refused), self._holdings.durable()))

    def validate(self) -> None:
        for parent in self.parents.values():
            parent.validate()
        assert not self.parents.keys() & self._refused.keys(), "refused and worked"

    # -- commands

    def _command(self, command: ExecuteOrder | CancelExecution, now: int) -> list[Effect]:
        if not self._is_journal_up:
            self._waiting.append(command)
            return []
        if isinstance(command, CancelExecution):
            return self._cancel(command, now)
        return self._execute(command, now)

    def _execute(self, order: ExecuteOrder, now: int) -> list[Effect]:
        """Take an order, or refuse it by name; an id is used up by either."""
        key = order.client_order_id
        if key in self.parents or key in self._refused:
            return []
        stamps: dict[str, Any] = {
            "ts_event": self._market.market_time or now,
            "ts_init": now,
            "correlation_id": order.correlation_id,
            "causation_id": order.causation_id,
            "parent_order_id": key,
            "order": order,
        }
        reason = objection(order, self._instruments, now)
        if reason is not None:
            return [self._fact(ExecutionRefused(**stamps, reason=reason))]
        arrival_px = middle_of(self._market.quotes(order.listings, now))
        started = self._fact(ExecutionStarted(**stamps, arrival_px=arrival_px))
        return [started, *self._work(self.parents[key], now)]

    def _cancel(self, command: CancelExecution, now: int) -> list[Effect]:
        parent = self.parents.get(command.client_order_id)
        if parent is None or parent.ended is not None or parent.cancel_reason is not None:
            return []
        asked = ExecutionCancelRequested(**self._stamps(parent, now), reason=command.reason)
        return [self._fact(asked), *self._work(parent, now)]

    # -- what changes

    def _on_top(self, top: BookTop, now: int) -> list[Effect]:
        watchers: dict[ClientOrderId, None] = {}
        for listing in self._market.take(top):
            watchers.update(self._watching.get(listing, {}))
        return self._work_all([self.parents[key] for key in watchers], now)

    def _on_book(self, book: BookSnapshot, now: int) -> list[Effect]:
        """Take the answer of a book; one that nobody waits for, or that makes no sense, changes nothing."""
        key = self._questions.book_of(book.causation_id)
        if key is None or key[1] != book.instrument_id:
            return []
        sides = self._market.take_book(key[0], book)
        if sides is None:
            return []
        ready = self._questions.answer(key, sides)
        return self._work_all([self.parents[each] for each in ready], now)

    def _on_timer(self, timer: TimerFired, now: int) -> list[Effect]:
        key = ClientOrderId(timer.key)
        self._wakes.pop(key, None)
        parent = self.parents.get(key)
        return [] if parent is None else self._work_all([parent], now)

    def _on_fact(self, event: Event, now: int) -> list[Effect]:
        self.apply(event)
        key = event.client_order_id if isinstance(event, OrderEvent) else ClientOrderId("")
        parent = self._parent_of.get(key)
        return [] if parent is None else self._work_all([parent], now)

    def _on_link(self, link: LinkUp | LinkDown, now: int) -> list[Effect]:
        self._market.link(link.peer, is_up=isinstance(link, LinkUp))
        return self._resume(now) if isinstance(link, LinkUp) else []

    def _on_started(self, _: Started, now: int) -> list[Effect]:
        return self._resume(now)

    def _on_journal_unavailable(self, _: JournalUnavailable, now: int) -> list[Effect]:
        self._is_journal_up = False
        self._questions.close_all()
        return []

    def _on_journal_recovered(self, _: JournalRecovered, now: int) -> list[Effect]:
        self._is_journal_up = True
        effects = self._resume(now)
        waiting, self._waiting = self._waiting, []
        for command in waiting:
            effects += self._command(command, now)
        return effects

    # -- work

    def _resume(self, now: int) -> list[Effect]:
        """Look at everything that is not over; after a restart this sends again what may be lost."""
        return self._work_all(list(self.parents.values()), now)

    def _work_all(self, parents: list[ParentOrder], now: int) -> list[Effect]:
        if not self._is_journal_up:
            return []
        return [effect for parent in parents for effect in self._work(parent, now)]

    def _work(self, parent: ParentOrder, now: int) -> list[Effect]:
        """Do what the algorithm wants, and send again what nobody confirmed."""
        if parent.ended is not None and not parent.open_children():
            return []
        effects: list[Effect] = []
        plan = self._decide(parent, now)
        if plan.stop_loss_px is not None:
            stamps = self._stamps(parent, now)
            effects.append(self._fact(StopLossTriggered(**stamps, price=plan.stop_loss_px)))
            plan = self._decide(parent, now)
        effects += self._perform(parent, plan, now)
        repeats, repeat_at = self._delivery.repeat(parent.open_children(), now)
        self._watch(parent, is_watching=plan.is_watching)
        requests, late_at = self._ask(parent, plan, now)
        wake_at = earliest(plan.wake_at, repeat_at, late_at)
        return [*effects, *repeats, *requests, *self._alarm(parent, wake_at, now)]

    def _decide(self, parent: ParentOrder, now: int) -> Plan:
        quotes = [self._quote(parent, listing, now) for listing in parent.order.listings]
        return decide(parent, quotes, now, self.config.settle_ns)

    def _quote(self, parent: ParentOrder, listing: Listing, now: int) -> VenueQuote:
        """Return what this parent sees of a venue: its top, the levels that it asked for, and its limit."""
        sides = self._questions.sides(parent.key, listing)
        may_answer = self._questions.may_answer(parent.key, listing, now)
        return msgspec.structs.replace(
            self._market.quote(listing, now, sides or ((), ())),
            max_quantity=self._sellable(parent, listing, now),
            may_be_deeper=may_answer and self._market.is_reachable(listing),
        )

    def _sellable(self, parent: ParentOrder, listing: Listing, now: int) -> Decimal | None:
        """Return what a part may sell where nothing can be sold short: what is held and not being sold."""
        held = self._holdings.held(listing)
        if held is None or parent.order.side is OrderSide.BUY:
            return None
        running = (each for each in self.parents.values() if each.ended is None)
        return max(held - selling(running, listing, now, self.config.settle_ns), ZERO)

    def _ask(self, parent: ParentOrder, plan: Plan, now: int) -> tuple[list[Effect], int]:
        """Ask for the books that the plan waits for; a plan that waits for none has used the answers."""
        if plan.books:
            return self._questions.ask(parent.key, plan.books, now)
        self._questions.close(parent.key)
        return [], 0

    def _perform(self, parent: ParentOrder, plan: Plan, now: int) -> list[Effect]:
        effects: list[Effect] = []
        for key, reason in plan.cancels:
            planned = ChildCancelPlanned(
                **self._stamps(parent, now), client_order_id=key, reason=reason
            )
            effects.append(self._fact(planned))
            child = parent.children[key]
            if child.is_seen:
                effects.append(self._delivery.cancel(child, reason, now))
        for wanted in plan.children:
            effects += self._send(parent, wanted, now)
        if plan.ending is not None:
            ended = ExecutionEnded(
                **self._stamps(parent, now),
                code=plan.ending.code,
                reason=plan.ending.reason,
                filled_qty=parent.filled(),
            )
            effects.append(self._fact(ended))
        return effects

    def _send(self, parent: ParentOrder, wanted: WantedChild, now: int) -> list[Effect]:
        order = child_order(parent, wanted, self._market, now, self.config.order_ttl_ns)
        planned = ChildPlanned(
            **self._stamps(parent, now),
            order=order,
            venue=wanted.quote.listing.venue,
            role=wanted.role,
            step=wanted.step,
        )
        effects: list[Effect] = [self._fact(planned)]
        child: Child = parent.children[order.client_order_id]
        return [*effects, self._delivery.submit(child, now)]

    def _watch(self, parent: ParentOrder, *, is_watching: bool) -> None:
        for listing in parent.order.listings:
            watchers = self._watching.setdefault(listing, {})
            if is_watching:
                watchers[parent.key] = None
            else:
                watchers.pop(parent.key, None)

    def _alarm(self, parent: ParentOrder, at: int, now: int) -> list[Effect]:
        """Set, move or take back the timer of a parent; silent when it stands already."""
        if not at:
            return [CancelTimer(parent.key)] if self._wakes.pop(parent.key, None) else []
        at = max(at, now + STEP_NS_MIN)
        if self._wakes.get(parent.key) == at:
            return []
        self._wakes[parent.key] = at
        return [SetTimer(parent.key, at)]

    # -- facts

    def _fact(self, event: Event) -> Effect:
        self.apply(event)
        return Append(event)

    def _stamps(self, parent: ParentOrder, now: int) -> dict[str, Any]:
        return {
            "ts_event": self._market.market_time or now,
            "ts_init": now,
            "correlation_id": parent.order.correlation_id,
            "causation_id": parent.key,
            "parent_order_id": parent.key,
        }
