"""What single strategies hold, as their own machines count it."""

from decimal import Decimal

from serve.desk.accounts import accounts_of
from serve.desk.view import ClusterSnapshot
from serve.mcp.refusal import nearest
from trading.errors import NotFound
from trading.identifiers import InstrumentId


def running_strategies(snapshot: ClusterSnapshot) -> list[str]:
    """Return the ids of the strategies that this cluster runs, sorted."""
    return sorted(
        name.partition(":")[2]
        for account in accounts_of(snapshot)
        for name in account.machines
        if name.partition(":")[0] == "strategy"
    )


def require_running(snapshot: ClusterSnapshot, strategy: str) -> str:
    """Return the id of a strategy of this cluster.

    Raises
    ------
    NotFound
        Naming the nearest.
    """
    known = running_strategies(snapshot)
    if strategy not in known:
        raise NotFound(f"This cluster runs no strategy {strategy!r}; {nearest(strategy, known)}")
    return strategy


def holdings_of(snapshot: ClusterSnapshot, strategy: str) -> dict[InstrumentId, Decimal]:
    """Return the signed units that a strategy holds; nothing when its machine is down."""
    for account in accounts_of(snapshot):
        view = account.machines.get(f"strategy:{strategy}")
        if view is not None:
            return {InstrumentId(key): Decimal(units) for key, units in view["positions"].items()}
    return {}
