"""Placement: every machine has exactly one home, and who listens starts before who speaks."""

import pytest

from cluster.topology import FUSED, place
from trading.errors import ConfigError
from trading.identifiers import MachineName

MACHINES = tuple(
    MachineName(name)
    for name in (
        "replay:prices",
        "exchange:paper",
        "feed:paper",
        "book:paper",
        "strategy:a",
        "strategy:b",
        "risk:D",
        "broker:paper:D",
        "ledger:D",
    )
)


def test_fused_puts_the_lane_into_one_host_and_starts_the_replay_last() -> None:
    plans = place(MACHINES, FUSED)
    lane = next(plan for plan in plans if plan.name == "lane")
    assert set(lane.machines) == {"feed:paper", "book:paper", "strategy:a", "strategy:b", "risk:D"}
    assert "replay:prices" in plans[-1].machines


def test_spread_gives_every_machine_a_host_of_its_own() -> None:
    plans = place(MACHINES, None)
    assert sorted(m for plan in plans for m in plan.machines) == sorted(MACHINES)
    assert all(len(plan.machines) == 1 for plan in plans)
    assert plans[0].machines == ("exchange:paper",)


def test_single_machines_and_kinds_can_be_placed_by_hand() -> None:
    groups = {
        "fast": ("strategy:a", "book", "feed", "risk"),
        "rest": ("strategy:b", "replay", "exchange", "broker", "ledger"),
    }
    homes = {plan.name: plan.machines for plan in place(MACHINES, groups)}
    assert "strategy:a" in homes["fast"]
    assert "strategy:b" in homes["rest"]


def test_labels_reach_the_plan() -> None:
    plans = place(MACHINES, FUSED, {"lane": {"room": "trading"}})
    assert next(p for p in plans if p.name == "lane").labels == {"room": "trading"}


@pytest.mark.parametrize("extra", [(), ("broker",)])
def test_machine_without_or_with_two_homes_is_refused_by_name(extra: tuple[str, ...]) -> None:
    groups = {name: kinds for name, kinds in FUSED.items() if name != "broker"}
    if extra:
        groups |= {"one": extra, "two": extra}
    with pytest.raises(ConfigError, match="broker:paper:D"):
        place(MACHINES, groups)
