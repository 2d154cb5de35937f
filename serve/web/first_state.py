"""What the page shows before its script has said a word."""

from dataclasses import dataclass, field

from serve.desk.answers import ClusterStanding, Fill, Order, Portfolio, RiskStanding
from serve.desk.front_desk import FrontDesk
from serve.desk.order_rows import fills_of, orders_of
from serve.desk.portfolio import portfolio_of
from serve.desk.standing import cluster_of, risk_of
from trading.errors import ClusterUnreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstState:
    """One look at the cluster.

    Attributes
    ----------
    mode : str
        `paper` or `live`: known from the configuration, also while the cluster does not answer.
    problem : str
        Why there is nothing else; empty when there is.
    """

    mode: str
    problem: str = ""
    cluster: ClusterStanding | None = None
    portfolio: Portfolio | None = None
    risk: RiskStanding | None = None
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)


def first_state(desk: FrontDesk) -> FirstState:
    """Look once; a cluster that does not answer is a state of the page too."""
    trading = desk.trading
    try:
        snapshot = trading.snapshot()
        return FirstState(
            mode=trading.mode,
            cluster=cluster_of(snapshot),
            portfolio=portfolio_of(snapshot),
            risk=risk_of(snapshot, trading.limits()),
            orders=orders_of(snapshot),
            fills=fills_of(snapshot),
        )
    except ClusterUnreachable as error:
        return FirstState(mode=trading.mode, problem=str(error))
