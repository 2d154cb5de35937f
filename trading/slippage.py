"""What executions cost against the price at which they were decided on: a pure report over the journals.

For a buy of q units at prices p, decided on when the market was at a (the arrival price) and sent when it was at m:

    shortfall = sum q * (p - a) = sum q * (m - a)  +  sum q * (p - m)
                                  delay cost          spread cost

A sale has the signs turned: positive is always a cost. Fees stand beside it. What was never filled costs
nothing here.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from trading.algorithms.facts import ChildPlanned, ExecutionStarted
from trading.algorithms.parameters import ChildRole, name_of
from trading.commands import ExecuteOrder, SubmitOrder
from trading.events import Event, OrderFilled, OrderSubmitted
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId, TradeId, Venue
from trading.position import average_price
from trading.values import NANOS_PER_SECOND, ZERO, OrderSide

DIRECT = "direct"
"""The algorithm of an order that was sent as it is."""
_BPS = Decimal(10_000)


class GroupBy(StrEnum):
    """What the rows of a summary have in common."""

    STRATEGY = "strategy"
    VENUE = "venue"
    INSTRUMENT = "instrument"
    ALGORITHM = "algorithm"


class SlippageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One order at one venue: a parent with all its parts there, or an order that was sent as it is.

    Attributes
    ----------
    order_id : ClientOrderId
        Of the parent, if there is one. The exits of a bracket count each by itself.
    started_at : int
        Host time of the decision (ns UTC).
    arrival_px : Decimal
        The price that it was decided on.
    filled_qty, avg_px : Decimal
        Units, and what they cost on average.
    shortfall, fees : Decimal
        In `currency`; positive is a cost.
    delay_cost, spread_cost : Decimal or None
        The two parts of the shortfall; None when an order does not say what the market was when it was sent.
    delay_ns : int
        From the decision to the first fill (host time).
    """

    order_id: ClientOrderId
    strategy_id: StrategyId
    algorithm: str
    venue: Venue
    instrument_id: InstrumentId
    side: OrderSide
    currency: str
    started_at: int
    arrival_px: Decimal
    filled_qty: Decimal
    avg_px: Decimal
    shortfall: Decimal
    fees: Decimal
    delay_cost: Decimal | None
    spread_cost: Decimal | None
    delay_ns: int

    @property
    def arrival_value(self) -> Decimal:
        """What the fills would have cost at the arrival price."""
        return self.arrival_px * self.filled_qty

    @property
    def shortfall_bps(self) -> Decimal:
        """The shortfall in basis points of the arrival value."""
        return self.shortfall / self.arrival_value * _BPS

    def in_group(self, by: GroupBy) -> str:
        """Return the name of the group that the row belongs to."""
        match by:
            case GroupBy.STRATEGY:
                return self.strategy_id
            case GroupBy.VENUE:
                return self.venue
            case GroupBy.INSTRUMENT:
                return self.instrument_id
            case GroupBy.ALGORITHM:
                return self.algorithm


class SlippageGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that have something, and the currency, in common.

    Attributes
    ----------
    orders : int
        Parents and orders of their own.
    shortfall_bps : Decimal
        Of all together, weighted by value.
    median_bps, p90_bps, worst_bps : Decimal
        Over the orders, each counted once.
    mean_delay_s : Decimal
        Over the orders.
    """

    name: str
    currency: str
    orders: int
    arrival_value: Decimal
    shortfall: Decimal
    shortfall_bps: Decimal
    median_bps: Decimal
    p90_bps: Decimal
    worst_bps: Decimal
    fees: Decimal
    delay_cost: Decimal | None
    spread_cost: Decimal | None
    mean_delay_s: Decimal


class SlippageReport(msgspec.Struct, frozen=True):
    """All orders with fills, in the order of their decisions.

    Attributes
    ----------
    unmeasured : int
        Orders with fills that nobody gave an arrival price (orders from elsewhere, or without a book).
    """

    rows: tuple[SlippageRow, ...]
    unmeasured: int


class _Tally:
    """What is known of one row while its fills are counted."""

    def __init__(self, order: SubmitOrder, venue: Venue, parent: ExecutionStarted | None) -> None:
        self.order = order
        self.venue = venue
        self.parent = parent
        self.quantity = self.value = self.fees = self.drift = ZERO
        self.is_drift_known = True
        self.currency = ""
        self.first_fill_at = 0

    @property
    def arrival_px(self) -> Decimal | None:
        return self.order.arrival_px if self.parent is None else self.parent.arrival_px

    @property
    def started_at(self) -> int:
        if self.parent is not None:
            return self.parent.ts_init
        return self.order.ts_signal or self.order.ts_init

    def add(self, fill: OrderFilled, sent_px: Decimal | None) -> None:
        self.quantity += fill.last_qty
        self.value += fill.last_qty * fill.last_px
        self.fees += fill.commission + fill.commission_qty * fill.last_px
        self.currency = fill.currency
        self.first_fill_at = min(self.first_fill_at or fill.ts_init, fill.ts_init)
        if sent_px is None or self.arrival_px is None:
            self.is_drift_known = False
        else:
            self.drift += fill.last_qty * (sent_px - self.arrival_px)

    def row(self, arrival_px: Decimal, algorithm: str) -> SlippageRow:
        sign = self.order.side.sign
        shortfall = sign * (self.value - self.quantity * arrival_px)
        delay_cost = sign * self.drift if self.is_drift_known else None
        return SlippageRow(
            order_id=self.order_id,
            strategy_id=self.order.strategy_id,
            algorithm=algorithm,
            venue=self.venue,
            instrument_id=self.order.instrument_id,
            side=self.order.side,
            currency=self.currency,
            started_at=self.started_at,
            arrival_px=arrival_px,
            filled_qty=self.quantity,
            avg_px=average_price(self.value, self.quantity),
            shortfall=shortfall,
            fees=self.fees,
            delay_cost=delay_cost,
            spread_cost=None if delay_cost is None else shortfall - delay_cost,
            delay_ns=max(self.first_fill_at - self.started_at, 0),
        )

    @property
    def order_id(self) -> ClientOrderId:
        return self.order.client_order_id if self.parent is None else self.parent.parent_order_id


def slippage_report(
    executions: Iterable[Event], accounts: Iterable[tuple[Venue, Iterable[Event]]]
) -> SlippageReport:
    """Measure every order that was filled.

    Parameters
    ----------
    executions : iterable of Event
        The streams of the execution desks.
    accounts : iterable of (venue, events)
        The streams of the accounts, each from its beginning.
    """
    started: dict[ClientOrderId, ExecutionStarted] = {}
    parts: dict[ClientOrderId, ExecutionStarted] = {}
    algorithms: dict[ClientOrderId, str] = {}
    for event in executions:
        if isinstance(event, ExecutionStarted):
            started[event.parent_order_id] = event
        elif isinstance(event, ChildPlanned) and event.parent_order_id in started:
            parent = started[event.parent_order_id]
            algorithms[event.order.client_order_id] = _algorithm(parent.order)
            if event.role is ChildRole.PART:
                parts[event.order.client_order_id] = parent
    tallies = _tallies(accounts, parts)
    rows, unmeasured = [], set()
    for tally in tallies:
        arrival_px = tally.arrival_px
        if arrival_px is None or arrival_px <= 0:
            unmeasured.add(tally.order_id)
        else:
            name = algorithms.get(tally.order.client_order_id, DIRECT)
            rows.append(tally.row(arrival_px, name))
    rows.sort(key=lambda row: (row.started_at, row.order_id, row.venue))
    return SlippageReport(tuple(rows), len(unmeasured))


def _algorithm(order: ExecuteOrder) -> str:
    return name_of(order.algorithm)


def _tallies(
    accounts: Iterable[tuple[Venue, Iterable[Event]]],
    parts: dict[ClientOrderId, ExecutionStarted],
) -> list[_Tally]:
    """Count the fills of each order, those of the parts of one parent at one venue together."""
    tallies: dict[tuple[ClientOrderId, Venue, InstrumentId], _Tally] = {}
    for venue, events in accounts:
        orders: dict[ClientOrderId, SubmitOrder] = {}
        seen: set[TradeId] = set()
        for event in events:
            if isinstance(event, OrderSubmitted):
                orders[event.client_order_id] = event.order
            elif isinstance(event, OrderFilled) and event.trade_id not in seen:
                seen.add(event.trade_id)
                order = orders.get(event.client_order_id)
                if order is None:
                    continue
                parent = parts.get(event.client_order_id)
                key = order.client_order_id if parent is None else parent.parent_order_id
                tally = tallies.setdefault(
                    (key, venue, order.instrument_id), _Tally(order, venue, parent)
                )
                tally.add(event, order.arrival_px)
    return list(tallies.values())


def summarize(rows: Iterable[SlippageRow], by: GroupBy) -> tuple[SlippageGroup, ...]:
    """Return one group for each name and currency, the most expensive first."""
    groups: dict[tuple[str, str], list[SlippageRow]] = {}
    for row in rows:
        groups.setdefault((row.in_group(by), row.currency), []).append(row)
    found = [_group(name, currency, members) for (name, currency), members in groups.items()]
    return tuple(sorted(found, key=lambda group: (-group.shortfall, group.name, group.currency)))


def _group(name: str, currency: str, rows: Sequence[SlippageRow]) -> SlippageGroup:
    orders: dict[ClientOrderId, list[SlippageRow]] = {}
    for row in rows:
        orders.setdefault(row.order_id, []).append(row)
    costs = sorted(_bps(members) for members in orders.values())
    delays = [min(row.delay_ns for row in members) for members in orders.values()]
    delay_costs = [row.delay_cost for row in rows if row.delay_cost is not None]
    spread_costs = [row.spread_cost for row in rows if row.spread_cost is not None]
    is_known = len(delay_costs) == len(rows)
    return SlippageGroup(
        name=name,
        currency=currency,
        orders=len(orders),
        arrival_value=sum((row.arrival_value for row in rows), ZERO),
        shortfall=sum((row.shortfall for row in rows), ZERO),
        shortfall_bps=_bps(rows),
        median_bps=quantile(costs, Decimal("0.5")),
        p90_bps=quantile(costs, Decimal("0.9")),
        worst_bps=costs[-1],
        fees=sum((row.fees for row in rows), ZERO),
        delay_cost=sum(delay_costs, ZERO) if is_known else None,
        spread_cost=sum(spread_costs, ZERO) if is_known else None,
        mean_delay_s=Decimal(sum(delays)) / len(delays) / NANOS_PER_SECOND,
    )


def _bps(rows: Sequence[SlippageRow]) -> Decimal:
    value = sum((row.arrival_value for row in rows), ZERO)
    return sum((row.shortfall for row in rows), ZERO) / value * _BPS


def quantile(ordered: Sequence[Decimal], level: Decimal) -> Decimal:
    """Return the quantile of sorted numbers, linear between its neighbours.

    Parameters
    ----------
    ordered : sequence of Decimal
        Rising, not empty.
    level : Decimal
        From 0 to 1.
    """
    place = level * (len(ordered) - 1)
    index = int(place)
    above = ordered[min(index + 1, len(ordered) - 1)]
    return ordered[index] + (above - ordered[index]) * (place - index)
