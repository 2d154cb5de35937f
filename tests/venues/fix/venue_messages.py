"""What a simulated FIX venue writes: pairs of tag and value, group members in order. Pure, but for `stamp`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

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
GARBAGE: Fields = [(0, "garbage")]
"""Stands for bytes that are no message."""


def stamp(ns: int | None = None, ahead_s: float = 0.0) -> str:
    at = datetime.now(UTC).timestamp() if ns is None else ns / 1e9
    return datetime.fromtimestamp(at + ahead_s, UTC).strftime("%Y%m%d-%H:%M:%S.%f")


# -- execution reports


def order_report(
    report: OrderStatusReport, kind: str, state: str, *, cl_ord_id: str, exec_id: str, symbol: str
) -> Fields:
    """Return a report (8) on the state of an order; `kind` and `state` are ExecType and OrdStatus."""
    closed = state in "48C"
    found = [
        (35, "8"),
        (37, report.venue_order_id or "NONE"),
        (11, cl_ord_id),
        (17, exec_id),
        (150, kind),
        (39, state),
        (55, symbol),
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
    return found


def fill_report(of_order: Fields, fill: FillReport, filled: Decimal, leaves: Decimal) -> Fields:
    """Return a report (8) on an execution, made from that on the state of its order."""
    return [
        *((tag, value) for tag, value in of_order if tag not in (14, 151, 17, 60)),
        (17, fill.trade_id),
        (14, f"{filled:f}"),
        (151, f"{leaves:f}"),
        (32, f"{fill.last_qty:f}"),
        (31, f"{fill.last_px:f}"),
        (12, f"{fill.commission:f}"),
        (13, "3"),
        (15, fill.currency),
        (60, stamp(fill.ts_event)),
        (851, "1" if fill.liquidity_side is LiquiditySide.MAKER else "2"),
    ]


def unknown_order(asked: Mapping[int, str]) -> Fields:
    return [
        (35, "8"),
        (37, "NONE"),
        (11, asked[11]),
        (17, "0"),
        (150, "I"),
        (39, "8"),
        (103, "5"),
        (790, asked[790]),
        (55, asked.get(55, "[N/A]")),
        (54, asked.get(54, "1")),
        (151, "0"),
        (14, "0"),
        (6, "0"),
        (58, "unknown order"),
    ]


def no_orders(asked: Mapping[int, str]) -> Fields:
    return [
        (35, "8"),
        (37, "NONE"),
        (17, "0"),
        (150, "I"),
        (39, "8"),
        (584, asked[584]),
        (911, "0"),
        (912, "Y"),
        (55, "[N/A]"),
        (54, "1"),
        (151, "0"),
        (14, "0"),
        (6, "0"),
        (58, "no orders"),
    ]


# -- refusals


def rejection(asked: Mapping[int, str], exec_id: str, code: str, reason: str) -> Fields:
    """Return the refusal (8) of a new order."""
    return [
        (35, "8"),
        (37, "NONE"),
        (11, asked[11]),
        (17, exec_id),
        (150, "8"),
        (39, "8"),
        (103, REASONS.get(code, "99")),
        (58, reason),
        (55, asked[55]),
        (54, asked[54]),
        (38, asked[38]),
        (151, "0"),
        (14, "0"),
        (6, "0"),
        (60, stamp()),
    ]


def cancel_rejection(
    asked: Mapping[int, str], reason: str, text: str, to: str, report: OrderStatusReport | None
) -> Fields:
    """Return the refusal (9) of a cancel (`to` "1") or a replacement ("2")."""
    return [
        (35, "9"),
        (37, report.venue_order_id if report else "NONE"),
        (11, asked[11]),
        (41, asked[41]),
        (39, STATES[report.status] if report else "8"),
        (434, to),
        (102, reason),
        (58, text),
    ]


def business_rejection(asked: Mapping[int, str], reason: str, text: str) -> Fields:
    return [
        (35, "j"),
        (45, asked[34]),
        (372, asked[35]),
        (379, asked.get(11, "")),
        (380, reason),
        (58, text),
    ]


# -- the other answers


def mass_cancel_report(
    asked: Mapping[int, str], number: int, orders: list[tuple[str, str]]
) -> Fields:
    """Return the report (r) on a mass cancel; `orders` are ClOrdIDs and ids of the venue."""
    group = [pair for ours, theirs in orders for pair in ((41, ours), (535, theirs))]
    return [
        (35, "r"),
        (11, asked[11]),
        (37, f"M{number}"),
        (530, "7"),
        (531, "7"),
        (533, str(len(orders))),
        (534, str(len(orders))),
        *group,
    ]


def positions_ack(asked: Mapping[int, str], number: int, count: int) -> Fields:
    return [(35, "AO"), (721, f"P{number}"), (729, "0"), *_of_positions(asked, count)]


def position_report(
    asked: Mapping[int, str], number: int, count: int, symbol: str, quantity: Decimal
) -> Fields:
    """Return one of `count` positions (AP)."""
    return [
        (35, "AP"),
        (721, f"P{number}"),
        *_of_positions(asked, count),
        (55, symbol),
        (702, "1"),
        (703, "TQ"),
        (704 if quantity > 0 else 705, f"{abs(quantity):f}"),
    ]


def collateral_report(asked: Mapping[int, str], number: int, cash: Decimal) -> Fields:
    return [
        (35, "BA"),
        (908, f"C{number}"),
        (909, asked[909]),
        (910, "3"),
        (1, asked[1]),
        (15, "USD"),
        (901, f"{cash:f}"),
    ]


def _of_positions(asked: Mapping[int, str], count: int) -> Fields:
    return [(710, asked[710]), (727, str(count)), (728, "0" if count else "2"), (1, asked[1])]
