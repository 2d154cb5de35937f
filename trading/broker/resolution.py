"""Doubt is ended by asking the venue, again and again, and never by sending again."""

from enum import IntEnum

import msgspec

from trading.broker.reports import Reports
from trading.broker.state import BrokerState
from trading.commands import QueryOrder
from trading.effects import CallVenue, Effect, SetTimer
from trading.events import OrderDenied
from trading.identifiers import ClientOrderId
from trading.order import Order
from trading.outcomes import OrderQueried
from trading.refusals import RefusalCode
from trading.values import OrderStatus

TIMER_PREFIX = "query:"


class Until(IntEnum):
    """How long to ask for an order.

    KNOWN: until we know whether the venue has it; ANSWERED: until the venue has described it once;
    CLOSED: until it is closed.
    """

    KNOWN = 1
    ANSWERED = 2
    CLOSED = 3


class _Watch(msgspec.Struct):
    until: Until
    attempt: int = 0
    not_found_count: int = 0


class Resolution:
    """Asks for single orders until the question is answered.

    Every question sets the timer of the next one, so an answer that never comes costs time only.
    """

    def __init__(self, state: BrokerState, reports: Reports) -> None:
        self._state = state
        self._reports = reports
        self._watches: dict[ClientOrderId, _Watch] = {}

    def watch(self, key: ClientOrderId, until: Until, now: int, delay: int = 0) -> list[Effect]:
        """Begin to ask for an order after `delay` ns; one that is asked for already stays so."""
        watch = self._watches.get(key)
        if watch is not None:
            watch.until = max(watch.until, until)
            return []
        self._watches[key] = _Watch(until)
        if delay > 0:
            return [SetTimer(TIMER_PREFIX + key, now + delay)]
        return self._ask(key, now)

    def timer(self, key: ClientOrderId, now: int) -> list[Effect]:
        watch = self._watches.get(key)
        order = self._state.order(key)
        if watch is None or order is None or _is_settled(order, watch):
            self._watches.pop(key, None)
            return []
        return self._ask(key, now)

    def queried(self, message: OrderQueried, now: int) -> list[Effect]:
        """Take the venue's answer: facts from a report; enough denials end a doubtful order."""
        key = message.client_order_id
        effects: list[Effect] = []
        if message.report is not None:
            effects += self._reports.status(message.report, now)
        watch = self._watches.get(key)
        order = self._state.order(key)
        if watch is None or order is None:
            return effects
        if message.report is None:
            watch.not_found_count += 1
            if self._is_never_sent(order, watch, now):
                effects.append(self._state.fact(self._never_sent(order, message, now)))
        elif watch.until is Until.ANSWERED:
            del self._watches[key]
            return effects
        if _is_settled(order, watch):
            del self._watches[key]
            return effects
        delay = self._state.config.delay(watch.attempt)
        return [*effects, SetTimer(TIMER_PREFIX + key, now + delay)]

    def forget(self) -> None:
        """Drop all questions: the account is about to be compared as a whole."""
        self._watches.clear()

    def view(self) -> list[dict[str, object]]:
        return [
            {
                "client_order_id": key,
                "until": watch.until.name,
                "questions": watch.attempt,
                "not_found": watch.not_found_count,
            }
            for key, watch in self._watches.items()
        ]

    def _ask(self, key: ClientOrderId, now: int) -> list[Effect]:
        config = self._state.config
        watch = self._watches[key]
        watch.attempt += 1
        at = now + config.query_timeout_ns + config.delay(watch.attempt)
        if self._state.is_given_up:
            return [SetTimer(TIMER_PREFIX + key, at)]
        query = QueryOrder(
            ts_init=now,
            causation_id=key,
            client_order_id=key,
            account_id=config.account_id,
        )
        return [CallVenue(query, config.query_timeout_ns), SetTimer(TIMER_PREFIX + key, at)]

    def _is_never_sent(self, order: Order, watch: _Watch, now: int) -> bool:
        """A submission under way (SUBMITTED) may still arrive; only a doubtful one can be missing."""
        config = self._state.config
        return (
            order.status is OrderStatus.AMBIGUOUS
            and watch.not_found_count >= config.not_found_confirmations
            and now - order.ts_last >= config.settle_ns
        )

    def _never_sent(self, order: Order, message: OrderQueried, now: int) -> OrderDenied:
        code = RefusalCode.ORDER_NEVER_SENT
        return OrderDenied(
            **self._state.origin(order, message, now), code=code, reason=code.meaning
        )


def _is_settled(order: Order, watch: _Watch) -> bool:
    if not order.is_open:
        return True
    return watch.until is Until.KNOWN and not order.is_in_flight
