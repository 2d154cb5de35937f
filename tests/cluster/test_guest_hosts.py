"""Strategies of agents have processes of their own; nobody else moves."""

from decimal import Decimal

from actors.blueprint import StrategyPlan
from cluster.guest_hosts import with_guests_apart
from cluster.topology import FUSED, place
from tests.cluster.test_topology import MACHINES
from trading.identifiers import StrategyId


def plan(name: str, kind: str) -> StrategyPlan:
    return StrategyPlan(strategy_id=StrategyId(name), kind=kind, capital=Decimal("0.1"))


def homes(*plans: StrategyPlan) -> dict[str, set[str]]:
    placed = place(MACHINES, with_guests_apart(FUSED, plans))
    return {each.name: set(each.machines) for each in placed}


def test_guest_has_a_host_of_its_own_and_the_others_stay_in_the_lane() -> None:
    found = homes(plan("a", "momentum"), plan("b", "agent"))
    assert found["guest-b"] == {"strategy:b"}
    assert found["lane"] == {"feed:paper", "book:paper", "strategy:a", "risk:D"}


def test_guests_do_not_share_a_host() -> None:
    found = homes(plan("a", "agent"), plan("b", "agent"))
    assert found["guest-a"] == {"strategy:a"}
    assert found["guest-b"] == {"strategy:b"}
    assert found["lane"] == {"feed:paper", "book:paper", "risk:D"}


def test_without_guests_nothing_changes() -> None:
    assert with_guests_apart(FUSED, [plan("a", "momentum"), plan("b", "pairs")]) is FUSED
