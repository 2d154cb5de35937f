"""What the live stream tells, topic by topic."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from pydantic import BaseModel

from serve.api.watch import Content, Wanted
from serve.desk.answers import AccountCurve, Answer, Fill, LogLine, Order
from serve.desk.order_rows import fills_of, orders_of
from serve.desk.port import TradingDesk
from serve.desk.portfolio import portfolio_of
from serve.desk.standing import cluster_of, risk_of
from serve.desk.view import ClusterSnapshot

ORDERS_MAX = 200
FILLS_MAX = 200
POINTS = 300
LINES = 200


class Topic(StrEnum):
    PORTFOLIO = "portfolio"
    ORDERS = "orders"
    FILLS = "fills"
    RISK = "risk"
    CLUSTER = "cluster"
    EQUITY = "equity"
    LOG = "log"


class OrderRows(Answer):
    orders: list[Order]


class FillRows(Answer):
    fills: list[Fill]


class EquityCurves(Answer):
    curves: list[AccountCurve]


class LogLines(Answer):
    lines: list[LogLine]


def contents_of(desk: TradingDesk, wanted: Wanted) -> Mapping[str, Content]:
    """Return what the wanted topics say now; all of those that can are of one snapshot."""
    topics = [Topic(name) for name in sorted(wanted)]
    is_needed = any(topic in _OF_SNAPSHOT for topic in topics)
    snapshot = desk.snapshot() if is_needed else ClusterSnapshot()
    return {
        topic: _OF_SNAPSHOT[topic](snapshot, desk)
        if topic in _OF_SNAPSHOT
        else _OTHERS[topic](desk)
        for topic in topics
    }


def fill_number(fill: Fill) -> int:
    """Return a number that rises from fill to fill (ns UTC); several of one moment share it."""
    return int(fill.filled_at.timestamp() * 1e6) * 1_000


def _fills(snapshot: ClusterSnapshot, _: TradingDesk) -> Content:
    fills = fills_of(snapshot)[:FILLS_MAX]
    body = FillRows(fills=fills).model_dump_json().encode()
    if not fills:
        return Content(body=body)
    return Content(body=body, newest=fill_number(fills[0]), oldest=fill_number(fills[-1]))


def _content(answer: BaseModel) -> Content:
    return Content(body=answer.model_dump_json().encode())


_OF_SNAPSHOT: Mapping[Topic, Callable[[ClusterSnapshot, TradingDesk], Content]] = {
    Topic.PORTFOLIO: lambda snapshot, _: _content(portfolio_of(snapshot)),
    Topic.ORDERS: lambda snapshot, _: _content(OrderRows(orders=orders_of(snapshot)[:ORDERS_MAX])),
    Topic.FILLS: _fills,
    Topic.RISK: lambda snapshot, desk: _content(risk_of(snapshot, desk.limits())),
    Topic.CLUSTER: lambda snapshot, _: _content(cluster_of(snapshot)),
}
_OTHERS: Mapping[Topic, Callable[[TradingDesk], Content]] = {
    Topic.EQUITY: lambda desk: _content(EquityCurves(curves=desk.equity(POINTS))),
    Topic.LOG: lambda desk: _content(LogLines(lines=desk.log_tail(LINES))),
}
