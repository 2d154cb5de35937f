"""A venue that misbehaves on the outside, by seed. What it did inside stays true and recorded.

`FaultyExchange` stands where the network and the gateway of a real venue stand: it loses requests
and answers, and repeats, delays and reorders execution messages. Facts pass untouched.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from trading.commands import (
    CancelOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
    VenueRequest,
)
from trading.data import MarketSlice
from trading.effects import Append, Effect, Publish, Reply, SetTimer
from trading.events import Event
from trading.exchange.exchange import SimulatedExchange
from trading.exchange.splitmix64 import SplitMix64
from trading.identifiers import MachineName, StreamName
from trading.messages import Message
from trading.outcomes import (
    CancelOutcomeUnknown,
    Outcome,
    QueryFailed,
    ReplaceOutcomeUnknown,
    SubmitListNotSent,
    SubmitListOutcomeUnknown,
    SubmitNotSent,
    SubmitOutcomeUnknown,
    TimerFired,
)
from trading.reports import FillReport

RELEASE_TIMER = "faults"


class RequestFault(StrEnum):
    """What can go wrong with one request; at most one does."""

    DROP_REQUEST = "drop_request"
    """Lost on the way: the venue never saw it."""
    REFUSE_429 = "refuse_429"
    """Turned away by the rate limit before it reached the venue."""
    ERROR_5XX = "error_5xx"
    """The gateway failed before the venue saw the request; the sender cannot tell."""
    DROP_RESPONSE = "drop_response"
    """Executed, and the answer is lost."""
    RESET = "reset"
    """Executed, and the connection is reset instead of an answer."""
    ERROR_5XX_EXECUTED = "error_5xx_executed"
    """Executed, and answered with a 5xx."""
    DELAY = "delay"
    """Executed, and answered `delay_ns` later."""


_NEVER_REACHES_THE_VENUE = frozenset(
    {RequestFault.DROP_REQUEST, RequestFault.REFUSE_429, RequestFault.ERROR_5XX}
)


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong, how often, from which seed. The same plan gives the same faults.

    Attributes
    ----------
    seed : int
        Of the generator; a restarted venue starts from it again.
    requests : mapping of RequestFault to its probability per request
    schedule : mapping of request number to RequestFault
        The n-th request of this life (counted from 1) suffers this, whatever the seed says.
    duplicate_fills : float
        Probability that a fill is told 2 to 5 times.
    reorder_fills : float
        Probability that a fill is held back until later execution messages have passed.
    fills_before_reply : float
        Probability that execution messages overtake the answer that belongs to them.
    mute : float
        Probability, per slice, that the venue goes mute: nothing is published for `mute_ns`.
    hold_ns, delay_ns, mute_ns : int
        Longest time a fill is held back, delay of an answer, length of a mute time (host ns).
    """

    seed: int = 0
    requests: Mapping[RequestFault, float] = {}
    schedule: Mapping[int, RequestFault] = {}
    duplicate_fills: float = 0.0
    reorder_fills: float = 0.0
    fills_before_reply: float = 0.0
    mute: float = 0.0
    hold_ns: int = 50_000_000
    delay_ns: int = 50_000_000
    mute_ns: int = 500_000_000

    def __post_init__(self) -> None:
        probabilities = (
            *self.requests.values(),
            sum(self.requests.values()),
            self.duplicate_fills,
            self.reorder_fills,
            self.fills_before_reply,
            self.mute,
        )
        if not all(0 <= probability <= 1 for probability in probabilities):
            raise ValueError("probabilities of faults, and their sum per request, lie in [0, 1]")
        if min(self.hold_ns, self.delay_ns, self.mute_ns) < 0:
            raise ValueError("times of faults must not be negative")


class FaultyExchange:
    """`SimulatedExchange` behind a bad gateway; itself a `Machine` of the same name and stream."""

    def __init__(self, exchange: SimulatedExchange, plan: FaultPlan) -> None:
        self.exchange = exchange
        self.plan = plan
        self.faults: Counter[str] = Counter()
        self._random = SplitMix64(plan.seed)
        self._request_count = 0
        self._verdicts: dict[str, RequestFault] = {}
        self._held: list[tuple[int, Publish | Reply]] = []
        self._mute_until = 0

    @property
    def name(self) -> MachineName:
        return self.exchange.name

    @property
    def stream(self) -> StreamName:
        return self.exchange.stream

    @property
    def follows(self) -> tuple[StreamName, ...]:
        return self.exchange.follows

    @property
    def subscribes(self) -> tuple[str, ...]:
        return self.exchange.subscribes

    def apply(self, event: Event) -> None:
        self.exchange.apply(event)

    def state_hash(self) -> str:
        return self.exchange.state_hash()

    def validate(self) -> None:
        self.exchange.validate()

    def view(self) -> dict[str, Any]:
        return {**self.exchange.view(), "faults": dict(self.faults)}

    def handle(self, message: Message, now: int) -> list[Effect]:
        """Let the venue react, and spoil what comes out."""
        match message:
            case TimerFired(key=key) if key == RELEASE_TIMER:
                return self._release(now)
            case VenueRequest():
                return self._request(message, now)
            case MarketSlice() if self._happens("mute", self.plan.mute):
                self._mute_until = now + self.plan.mute_ns
        return self._spoil(self.exchange.handle(message, now), now)

    # -- requests

    def _request(self, request: VenueRequest, now: int) -> list[Effect]:
        fault = self._draw()
        if fault is None:
            return self._spoil(self.exchange.handle(request, now), now)
        self.faults[fault.value] += 1
        if fault in _NEVER_REACHES_THE_VENUE:
            return [] if fault is RequestFault.DROP_REQUEST else [_failure(fault, request, now)]
        self._verdicts[request.request_id] = fault
        return self._spoil(self.exchange.handle(request, now), now)

    def _draw(self) -> RequestFault | None:
        self._request_count += 1
        point = self._random.uniform()  # drawn in any case: a schedule does not shift the rest
        planned = self.plan.schedule.get(self._request_count)
        if planned is not None:
            return planned
        for fault in RequestFault:
            point -= self.plan.requests.get(fault, 0.0)
            if point < 0:
                return fault
        return None

    # -- what comes out

    def _spoil(self, effects: list[Effect], now: int) -> list[Effect]:
        held_before = len(self._held)
        spoiled: list[Effect] = []
        for effect in effects:
            match effect:
                case Reply():
                    spoiled += self._spoil_reply(effect, now)
                case Publish():
                    spoiled += self._spoil_publish(effect, now)
                case _:
                    spoiled.append(effect)
        if any(map(_is_execution, spoiled)):
            spoiled += self._let_pass(held_before)
        if self._overtakes(spoiled):
            spoiled = _execution_messages_first(spoiled)
        return spoiled + self._alarm()

    def _let_pass(self, count: int) -> list[Effect]:
        """Release the fills among the first `count` held effects: something has overtaken them."""
        earlier, later = self._held[:count], self._held[count:]
        self._held = [item for item in earlier if isinstance(item[1], Reply)] + later
        return [effect for _, effect in earlier if isinstance(effect, Publish)]

    def _spoil_reply(self, reply: Reply, now: int) -> list[Effect]:
        fault = self._verdicts.pop(reply.request.request_id, None)
        match fault:
            case None:
                return [reply]
            case RequestFault.DROP_RESPONSE:
                return []
            case RequestFault.DELAY:
                self._held.append((now + self.plan.delay_ns, reply))
                return []
            case _:
                return [_failure(fault, reply.request, now)]

    def _spoil_publish(self, publish: Publish, now: int) -> list[Effect]:
        if now < self._mute_until:
            self.faults["muted"] += 1
            return []
        if not isinstance(publish.message, FillReport):
            return [publish]
        is_repeated = self._happens("duplicate_fills", self.plan.duplicate_fills)
        told: list[Effect] = []
        for _ in range(2 + self._random.below(4) if is_repeated else 1):
            if self._happens("reorder_fills", self.plan.reorder_fills):
                self._held.append((now + self.plan.hold_ns, publish))
            else:
                told.append(publish)
        return told

    def _release(self, now: int) -> list[Effect]:
        due = [effect for at, effect in self._held if at <= now]
        self._held = [item for item in self._held if item[0] > now]
        if now < self._mute_until:
            self.faults["muted"] += sum(isinstance(effect, Publish) for effect in due)
            due = [effect for effect in due if isinstance(effect, Reply)]
        return [*due, *self._alarm()]

    def _alarm(self) -> list[Effect]:
        return [SetTimer(RELEASE_TIMER, min(at for at, _ in self._held))] if self._held else []

    def _overtakes(self, effects: list[Effect]) -> bool:
        has_reply = any(isinstance(effect, Reply) for effect in effects)
        return (
            has_reply
            and any(map(_is_execution, effects))
            and self._happens("fills_before_reply", self.plan.fills_before_reply)
        )

    def _happens(self, fault: str, probability: float) -> bool:
        """Draw, but only for a fault that is planned: the others leave the numbers alone."""
        if probability <= 0 or self._random.uniform() >= probability:
            return False
        self.faults[fault] += 1
        return True


def _is_execution(effect: Effect) -> bool:
    return isinstance(effect, Publish) and effect.topic.startswith("exec.")


def _execution_messages_first(effects: list[Effect]) -> list[Effect]:
    """Return the facts, then execution messages, then the rest: no message precedes its fact."""
    facts = [effect for effect in effects if isinstance(effect, Append)]
    messages = [effect for effect in effects if _is_execution(effect)]
    rest = [e for e in effects if not isinstance(e, Append) and not _is_execution(e)]
    return [*facts, *messages, *rest]


def _failure(fault: RequestFault, request: VenueRequest, now: int) -> Reply:
    """Return the answer that the sender's adapter would make of the failure."""
    reason = {
        RequestFault.REFUSE_429: "429 Too Many Requests",
        RequestFault.RESET: "connection reset by the venue",
    }.get(fault, "503 Service Unavailable")
    stamps: dict[str, Any] = {"ts_init": now, "causation_id": request.request_id, "reason": reason}
    body = request.body
    answer: Outcome
    match body:
        case SubmitOrder() if fault is RequestFault.REFUSE_429:
            answer = SubmitNotSent(**stamps, client_order_id=body.client_order_id)
        case SubmitOrder():
            answer = SubmitOutcomeUnknown(**stamps, client_order_id=body.client_order_id)
        case SubmitOrderList():
            kind = (
                SubmitListNotSent if fault is RequestFault.REFUSE_429 else SubmitListOutcomeUnknown
            )
            keys = tuple(order.client_order_id for order in body.orders)
            answer = kind(**stamps, client_order_ids=keys)
        case CancelOrder():
            answer = CancelOutcomeUnknown(**stamps, client_order_id=body.client_order_id)
        case ReplaceOrder():
            answer = ReplaceOutcomeUnknown(**stamps, client_order_id=body.client_order_id)
        case _:
            answer = QueryFailed(**stamps, query=type(body).__name__)
    return Reply(request, answer)
