"""The business behind a simulated FIX venue: orders in, execution reports out, over whichever engine.

It knows nothing of sequence numbers and sockets. `say(fields, how)` sends a message; `how` names what goes
wrong on the way.
"""

import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, auto

from tests.venues.desk import Desk
from tests.venues.faults import Fault, Faults
from trading.commands import CancelAllOrders, CancelOrder, ReplaceOrder, SubmitOrder
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId
from trading.outcomes import CancelAcknowledged, ReplaceAcknowledged, SubmitAcknowledged
from trading.reports import FillReport, OrderStatusReport
from trading.values import LiquiditySide, OrderSide, OrderStatus, OrderType, TimeInForce

Fields = list[tuple[int, str]]
TYPES = {
    "1": OrderType.MARKET,
    "2": OrderType.LIMIT,
    "3": OrderType.STOP_MARKET,
    "4": OrderType.STOP_LIMIT,
}
TIMES = {"0": TimeInForce.DAY, "1": TimeInForce.GTC, "3": TimeInForce.IOC, "4": TimeInForce.FOK}
STATES = {
    OrderStatus.ACCEPTED: "0",
    OrderStatus.PARTIALLY_FILLED: "1",
    OrderStatus.FILLED: "2",
    OrderStatus.CANCELED: "4",
    OrderStatus.REJECTED: "8",
    OrderStatus.EXPIRED: "C",
}
REASONS = {
    "DUPLICATE_CLIENT_ORDER_ID": "6",
    "UNKNOWN_INSTRUMENT": "1",
    "BAD_QUANTITY": "13",
    "INSUFFICIENT_CASH": "3",
}


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
            self.say(
                [
                    (35, "8"),
                    (37, "NONE"),
                    (11, fields[11]),
                    (17, "0"),
                    (150, "I"),
                    (39, "8"),
                    (103, "5"),
                    (790, fields[790]),
                    (55, fields.get(55, "[N/A]")),
                    (54, fields.get(54, "1")),
                    (151, "0"),
                    (14, "0"),
                    (6, "0"),
                    (58, "unknown order"),
                ],
                How.PLAIN,
            )
            return
        report = self.desk.order(line.desk_id)
        self._say_report(line, report, "I", STATES[report.status], [(790, fields[790])])

    def _mass_status(self, fields: dict[int, str]) -> None:
        reports = self.desk.mass_status().open_orders
        if not reports:
            self.say(
                [
                    (35, "8"),
                    (37, "NONE"),
                    (17, "0"),
                    (150, "I"),
                    (39, "8"),
                    (584, fields[584]),
                    (911, "0"),
                    (912, "Y"),
                    (55, "[N/A]"),
                    (54, "1"),
                    (151, "0"),
                    (14, "0"),
                    (6, "0"),
                    (58, "no orders"),
                ],
                How.PLAIN,
            )
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
        group = [
            pair
            for line in lines
            for pair in ((41, line.chain[-1]), (535, f"V-{line.desk_id}"[:40]))
        ]
        self.say(
            [
                (35, "r"),
                (11, fields[11]),
                (37, f"M{next(self._numbers)}"),
                (530, "7"),
                (531, "7"),
                (533, str(len(lines))),
                (534, str(len(lines))),
                *group,
            ],
            How.PLAIN,
        )

    def _positions(self, fields: dict[int, str]) -> None:
        held = {key: quantity for key, quantity in self.desk.positions.items() if quantity}
        common = [
            (710, fields[710]),
            (727, str(len(held))),
            (728, "0" if held else "2"),
            (1, fields[1]),
        ]
        self.say([(35, "AO"), (721, f"P{next(self._numbers)}"), (729, "0"), *common], How.PLAIN)
        for key, quantity in held.items():
            sizes = [(703, "TQ"), (704 if quantity > 0 else 705, f"{abs(quantity):f}")]
            symbol = self.desk.instruments[key].venue_symbol or key.rpartition(".")[0]
            self.say(
                [
                    (35, "AP"),
                    (721, f"P{next(self._numbers)}"),
                    *common,
                    (55, symbol),
                    (702, "1"),
                    *sizes,
                ],
                How.PLAIN,
            )

    def _cash(self, fields: dict[int, str]) -> None:
        self.say(
            [
                (35, "BA"),
                (908, f"C{next(self._numbers)}"),
                (909, fields[909]),
                (910, "3"),
                (1, fields[1]),
                (15, "USD"),
                (901, f"{self.desk.cash:f}"),
            ],
            How.PLAIN,
        )

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
        is_done = line.filled >= order.quantity
        fields = self._report_fields(line, order, "F", "2" if is_done else "1", line.chain[-1])
        fields = [(tag, value) for tag, value in fields if tag not in (14, 151, 17, 60)]
        fields += [
            (17, report.trade_id),
            (14, f"{line.filled:f}"),
            (151, f"{max(order.quantity - line.filled, Decimal(0)):f}"),
            (32, f"{report.last_qty:f}"),
            (31, f"{report.last_px:f}"),
            (12, f"{report.commission:f}"),
            (13, "3"),
            (15, report.currency),
            (60, stamp(report.ts_event)),
            (851, "1" if report.liquidity_side is LiquiditySide.MAKER else "2"),
        ]
        self._malformed()
        if self.faults.happens(Fault.REORDER_FILLS):
            self._held.append(fields)
            return
        if how is How.PLAIN and self.faults.happens(Fault.DUPLICATE_FILLS):
            how = How.AGAIN
        self.say(fields, how)

    def _malformed(self) -> None:
        if self.faults.happens(Fault.MALFORMED):
            self.say([(0, "garbage")], How.PLAIN)
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
        symbol = self.desk.instruments[report.instrument_id].venue_symbol
        closed = state in "48C"
        found = [
            (35, "8"),
            (37, report.venue_order_id or "NONE"),
            (11, cl_ord_id),
            (17, "0" if kind == "I" else f"X{next(self._numbers)}"),
            (150, kind),
            (39, state),
            (55, symbol or report.instrument_id.rpartition(".")[0]),
            (54, "1" if report.side is OrderSide.BUY else "2"),
            (38, f"{report.quantity:f}"),
            (40, next(code for code, each in TYPES.items() if each is report.order_type)),
            (59, next(code for code, each in TIMES.items() if each is report.time_in_force)),
            (14, f"{report.filled_qty:f}"),
            (151, "0" if closed else f"{report.leaves_qty:f}"),
            (6, "0"),
            (60, stamp(report.ts_event)),
        ]
        found += [(44, f"{report.price:f}")] if report.price is not None else []
        found += [(99, f"{report.trigger_price:f}")] if report.trigger_price is not None else []
        found += [(self._echo_tag, line.echo)] if line.echo else []
        return found

    def _reject(self, fields: dict[int, str], code: str, reason: str) -> None:
        echo = fields.get(self._echo_tag)
        self.say(
            [
                (35, "8"),
                (37, "NONE"),
                (11, fields[11]),
                (17, f"X{next(self._numbers)}"),
                (150, "8"),
                (39, "8"),
                (103, REASONS.get(code, "99")),
                (58, reason),
                (55, fields[55]),
                (54, fields[54]),
                (38, fields[38]),
                (151, "0"),
                (14, "0"),
                (6, "0"),
                (60, stamp()),
                *([(self._echo_tag, echo)] if echo else []),
            ],
            How.PLAIN,
        )

    def _cancel_reject(
        self, fields, reason: str, text: str, to: str, line: Line | None = None
    ) -> None:
        report = None if line is None else self.desk.order(line.desk_id)
        self.say(
            [
                (35, "9"),
                (37, report.venue_order_id if report else "NONE"),
                (11, fields[11]),
                (41, fields[41]),
                (39, STATES[report.status] if report else "8"),
                (434, to),
                (102, reason),
                (58, text),
            ],
            How.PLAIN,
        )

    def _business_reject(self, fields: dict[int, str], reason: str, text: str) -> None:
        self.say(
            [
                (35, "j"),
                (45, fields[34]),
                (372, fields[35]),
                (379, fields.get(11, "")),
                (380, reason),
                (58, text),
            ],
            How.PLAIN,
        )

    # -- names

    def _find(self, fields: dict[int, str]) -> Line | None:
        return self._lines.get(self._ids.get(fields.get(41, ""), ""))

    def _line(self, desk_id: str) -> Line:
        """Return the line of an order; one that somebody else sent gets one now."""
        if desk_id not in self._lines:
            self._lines[desk_id] = Line(desk_id, [desk_id])
            self._ids[desk_id] = desk_id
        return self._lines[desk_id]

    def _instrument(self, symbol: str) -> InstrumentId:
        for key, each in self.desk.instruments.items():
            if symbol == (each.venue_symbol or key.rpartition(".")[0]):
                return key
        return InstrumentId(f"{symbol}.XNAS")


def stamp(ns: int | None = None, ahead_s: float = 0.0) -> str:
    at = datetime.now(UTC).timestamp() if ns is None else ns / 1e9
    return datetime.fromtimestamp(at + ahead_s, UTC).strftime("%Y%m%d-%H:%M:%S.%f")
