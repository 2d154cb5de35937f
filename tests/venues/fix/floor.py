"""The business behind a simulated FIX venue: orders in, execution reports out, over whichever engine.

It knows nothing of sequence numbers and sockets. `say(fields, how)` sends a message; `how` names what goes
wrong on the way.
"""

import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto

from tests.venues.desk import Desk
from tests.venues.faults import Fault, Faults
from tests.venues.fix.venue_messages import (
    GARBAGE,
    STATES,
    TIMES,
    TYPES,
    Fields,
    business_rejection,
    cancel_rejection,
    collateral_report,
    fill_report,
    mass_cancel_report,
    no_orders,
    order_report,
    position_report,
    positions_ack,
    rejection,
    unknown_order,
)
from trading.commands import CancelAllOrders, CancelOrder, ReplaceOrder, SubmitOrder
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId
from trading.outcomes import CancelAcknowledged, ReplaceAcknowledged, SubmitAcknowledged
from trading.reports import FillReport, OrderStatusReport
from trading.values import OrderSide, OrderStatus


class How(Enum):
    """What happens to a message on its way."""

    PLAIN = auto()
    HALF = auto()
    """Numbered, but half of its bytes arrive; then the connection breaks."""
    LOST = auto()
    """Numbered, but the connection breaks before its first byte."""
    AGAIN = auto()
    """Followed by itself with PossDup, and once more with PossResend."""


@dataclass
class Line:
    """What the venue knows of an order besides what the desk knows."""

    desk_id: str
    chain: list[str] = field(default_factory=list)
    filled: Decimal = Decimal(0)
    echo: str = ""
    is_told: bool = False
    is_muted: bool = False


class Floor:
    """Answers application messages. Its methods run in one thread; the market may move in any.

    Parameters
    ----------
    post : function
        Runs a function in the thread of the engine.
    """

    def __init__(self, desk: Desk, faults: Faults, echo_tag: int = 0) -> None:
        self.desk = desk
        self.faults = faults
        self.received: list[dict[int, str]] = []
        self.asked: Counter[str] = Counter()
        self.say: Callable[[Fields, How], None] = lambda fields, how: None
        self.post: Callable[..., None] = lambda function, *arguments: function(*arguments)
        self._echo_tag = echo_tag
        self._lines: dict[str, Line] = {}
        self._ids: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._collecting: list[object] | None = None
        self._thread = 0
        self._held: deque[Fields] = deque()
        desk.on_report(self._reported)

    # -- in

    def take(self, fields: dict[int, str]) -> None:
        """Act on one application message."""
        self._thread = threading.get_ident()
        self.received.append(fields)
        self.asked[fields[35]] += 1
        match fields[35]:
            case "D":
                self._new(fields)
            case "F":
                self._cancel(fields)
            case "G":
                self._replace(fields)
            case "H":
                self._status(fields)
            case "AF":
                self._mass_status(fields)
            case "q":
                self._mass_cancel(fields)
            case "AN":
                self._positions(fields)
            case "BB":
                self._cash(fields)
            case kind:
                self._business_reject(fields, "3", f"unsupported message type {kind}")

    def release(self) -> None:
        """Tell what `REORDER_FILLS` held back, last first."""
        while self._held:
            self.say(self._held.pop(), How.PLAIN)

    # -- orders

    def _new(self, fields: dict[int, str]) -> None:
        if self.faults.happens(Fault.DROP_REQUEST):
            return
        if self.faults.happens(Fault.ERROR_5XX):
            self._business_reject(fields, "4", "order gateway not available")
            return
        if self.faults.happens(Fault.RATE_LIMIT):
            self._business_reject(fields, "0", "throttle limit exceeded")
            return
        order = self._order_of(fields)
        line = Line(order.client_order_id, [fields[11]], echo=fields.get(self._echo_tag, ""))
        is_first = order.client_order_id not in self._lines
        if is_first:
            self._lines[line.desk_id] = line
            self._ids[fields[11]] = line.desk_id
        outcome, reports = self._ask(order)
        if not isinstance(outcome, SubmitAcknowledged):
            self._reject(fields, outcome.code, outcome.reason)
            return
        how = How.PLAIN
        if self.faults.happens(Fault.RESET_EXECUTED):
            how = How.LOST
        elif self.faults.happens(Fault.HALF_ANSWER):
            how = How.HALF
        if self.faults.happens(Fault.DROP_RESPONSE):
            line.is_told = True  # nobody hears of the acceptance
            reports = [each for each in reports if isinstance(each, FillReport)]
        if self.faults.happens(Fault.FILL_BEFORE_ACK):
            reports.sort(key=lambda each: isinstance(each, OrderStatusReport))
        for report in reports:
            self._tell(report, how=how)
            how = How.PLAIN
        if self.faults.happens(Fault.REJECT_AFTER_ACK):
            self._take_back(line)

    def _take_back(self, line: Line) -> None:
        line.is_muted = True
        self._ask(CancelOrder(client_order_id=line.desk_id, account_id=self.desk.account_id))
        report = self.desk.order(line.desk_id)
        self._say_report(line, report, "8", "8", [(103, "0"), (58, "the broker changed its mind")])

    def _order_of(self, fields: dict[int, str]) -> SubmitOrder:
        def price(tag: int) -> Decimal | None:
            return Decimal(fields[tag]) if tag in fields else None

        return SubmitOrder(
            client_order_id=ClientOrderId(fields.get(self._echo_tag) or fields[11]),
            account_id=self.desk.account_id,
            strategy_id=StrategyId("fix"),
            instrument_id=self._instrument(fields[55]),
            side=OrderSide.BUY if fields[54] == "1" else OrderSide.SELL,
            quantity=Decimal(fields[38]),
            order_type=TYPES[fields[40]],
            time_in_force=TIMES[fields[59]],
            price=price(44),
            trigger_price=price(99),
            post_only=fields.get(18) == "6",
        )

    def _cancel(self, fields: dict[int, str]) -> None:
        line = self._find(fields)
        if line is None:
            self._cancel_reject(fields, "1", "unknown order", "1")
            return
        report = self.desk.order(line.desk_id)
        self._ids[fields[11]] = line.desk_id
        extra = [(41, line.chain[-1])]
        self._say_report(line, report, "6", "6", extra, cl_ord_id=fields[11])
        line.is_muted = True
        cancel = CancelOrder(client_order_id=line.desk_id, account_id=self.desk.account_id)
        outcome, _ = self._ask(cancel)
        line.is_muted = False
        if isinstance(outcome, CancelAcknowledged):
            report = self.desk.order(line.desk_id)
            self._say_report(line, report, "4", "4", extra, cl_ord_id=fields[11])
        else:
            self._cancel_reject(fields, "0", outcome.reason, "1", line)

    def _replace(self, fields: dict[int, str]) -> None:
        line = self._find(fields)
        if line is None or line.chain[-1] != fields[41]:
            self._cancel_reject(fields, "1", "unknown order", "2")
            return
        before = self.desk.order(line.desk_id)
        wanted = {
            "quantity": (38, before.quantity),
            "price": (44, before.price),
            "trigger_price": (99, before.trigger_price),
        }
        changes = {
            name: Decimal(fields[tag])
            for name, (tag, old) in wanted.items()
            if tag in fields and Decimal(fields[tag]) != old
        }
        request = ReplaceOrder(
            client_order_id=line.desk_id, account_id=self.desk.account_id, **changes
        )
        outcome, reports = self._ask(request)
        if not isinstance(outcome, ReplaceAcknowledged):
            self._cancel_reject(fields, "2", outcome.reason, "2", line)
            return
        line.chain.append(fields[11])
        self._ids[fields[11]] = line.desk_id
        for number, report in enumerate(reports):
            self._tell(report, exec_type="5" if number == 0 else "", extra=[(41, fields[41])])

    # -- questions

    def _status(self, fields: dict[int, str]) -> None:
        line = self._find({41: fields[11], 37: fields.get(37, "")})
        if line is None or not self.desk.order(line.desk_id):
            self.say(unknown_order(fields), How.PLAIN)
            return
        report = self.desk.order(line.desk_id)
        self._say_report(line, report, "I", STATES[report.status], [(790, fields[790])])

    def _mass_status(self, fields: dict[int, str]) -> None:
        reports = self.desk.mass_status().open_orders
        if not reports:
            self.say(no_orders(fields), How.PLAIN)
        for number, report in enumerate(reports, start=1):
            line = self._line(report.client_order_id)
            extra = [(584, fields[584]), (911, str(len(reports)))]
            extra += [(912, "Y")] if number == len(reports) else []
            self._say_report(line, report, "I", STATES[report.status], extra)

    def _mass_cancel(self, fields: dict[int, str]) -> None:
        outcome, reports = self._ask(CancelAllOrders(account_id=self.desk.account_id))
        for report in reports:
            self._tell(report)
        lines = [self._line(key) for key in outcome.client_order_ids]
        orders = [(line.chain[-1], f"V-{line.desk_id}"[:40]) for line in lines]
        self.say(mass_cancel_report(fields, next(self._numbers), orders), How.PLAIN)

    def _positions(self, fields: dict[int, str]) -> None:
        held = {key: quantity for key, quantity in self.desk.positions.items() if quantity}
        self.say(positions_ack(fields, next(self._numbers), len(held)), How.PLAIN)
        for key, quantity in held.items():
            number, symbol = next(self._numbers), self._symbol(key)
            self.say(position_report(fields, number, len(held), symbol, quantity), How.PLAIN)

    def _cash(self, fields: dict[int, str]) -> None:
        self.say(collateral_report(fields, next(self._numbers), self.desk.cash), How.PLAIN)

    # -- out

    def _reported(self, report: object) -> None:
        if self._collecting is not None and threading.get_ident() == self._thread:
            self._collecting.append(report)
        else:
            self.post(self._tell, report)

    def _ask(self, body: object) -> tuple[object, list[object]]:
        self._collecting = []
        try:
            return self.desk.request(body), self._collecting
        finally:
            self._collecting = None

    def _tell(self, report, how: How = How.PLAIN, exec_type: str = "", extra: Fields = ()) -> None:
        line = self._line(report.client_order_id)
        if isinstance(report, FillReport):
            self._tell_fill(line, report, how)
            return
        if line.is_muted or report.status is OrderStatus.REJECTED:
            return
        kinds = {OrderStatus.CANCELED: "4", OrderStatus.EXPIRED: "C"}
        first = "D" if line.is_told else "0"
        line.is_told = True
        self._malformed()
        kind = exec_type or kinds.get(report.status, first)
        self._say_report(line, report, kind, STATES[report.status], list(extra), how=how)

    def _tell_fill(self, line: Line, report: FillReport, how: How) -> None:
        line.filled += report.last_qty
        order = self.desk.order(line.desk_id)
        leaves = max(order.quantity - line.filled, Decimal(0))
        of_order = self._report_fields(line, order, "F", "1" if leaves else "2", line.chain[-1])
        fields = fill_report(of_order, report, line.filled, leaves)
        self._malformed()
        if self.faults.happens(Fault.REORDER_FILLS):
            self._held.append(fields)
            return
        if how is How.PLAIN and self.faults.happens(Fault.DUPLICATE_FILLS):
            how = How.AGAIN
        self.say(fields, how)

    def _malformed(self) -> None:
        if self.faults.happens(Fault.MALFORMED):
            self.say(GARBAGE, How.PLAIN)
            self.say([(35, "U99"), (58, "whatever this is")], How.PLAIN)
            self.say(
                [(35, "8"), (37, "?"), (150, "F"), (31, "abc"), (55, "ZZZ"), (54, "1")], How.PLAIN
            )

    def _say_report(
        self,
        line: Line,
        report,
        kind: str,
        state: str,
        extra: Fields,
        *,
        cl_ord_id: str = "",
        how=How.PLAIN,
    ) -> None:
        fields = self._report_fields(line, report, kind, state, cl_ord_id or line.chain[-1])
        self.say([*fields, *extra], how)

    def _report_fields(self, line: Line, report, kind: str, state: str, cl_ord_id: str) -> Fields:
        found = order_report(
            report,
            kind,
            state,
            cl_ord_id=cl_ord_id,
            exec_id="0" if kind == "I" else f"X{next(self._numbers)}",
            symbol=self._symbol(report.instrument_id),
        )
        return found + ([(self._echo_tag, line.echo)] if line.echo else [])

    def _reject(self, fields: dict[int, str], code: str, reason: str) -> None:
        echo = fields.get(self._echo_tag)
        found = rejection(fields, f"X{next(self._numbers)}", code, reason)
        self.say(found + ([(self._echo_tag, echo)] if echo else []), How.PLAIN)

    def _cancel_reject(
        self, fields, reason: str, text: str, to: str, line: Line | None = None
    ) -> None:
        report = None if line is None else self.desk.order(line.desk_id)
        self.say(cancel_rejection(fields, reason, text, to, report), How.PLAIN)

    def _business_reject(self, fields: dict[int, str], reason: str, text: str) -> None:
        self.say(business_rejection(fields, reason, text), How.PLAIN)

    # -- names

    def _find(self, fields: dict[int, str]) -> Line | None:
        return self._lines.get(self._ids.get(fields.get(41, ""), ""))

    def _line(self, desk_id: str) -> Line:
        """Return the line of an order; one that somebody else sent gets one now."""
        if desk_id not in self._lines:
            self._lines[desk_id] = Line(desk_id, [desk_id])
            self._ids[desk_id] = desk_id
        return self._lines[desk_id]

    def _symbol(self, key: InstrumentId) -> str:
        return self.desk.instruments[key].venue_symbol or key.rpartition(".")[0]

    def _instrument(self, symbol: str) -> InstrumentId:
        found = (key for key in self.desk.instruments if self._symbol(key) == symbol)
        return next(found, InstrumentId(f"{symbol}.XNAS"))
