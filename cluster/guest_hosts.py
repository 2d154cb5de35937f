"""A process of its own for every strategy of an agent: one that is slow holds up nobody but itself."""

from collections.abc import Mapping, Sequence

from actors.blueprint import StrategyPlan
from cluster.agent_strategy import KIND
from trading.identifiers import machine_name


def with_guests_apart(
    groups: Mapping[str, tuple[str, ...]], strategies: Sequence[StrategyPlan]
) -> Mapping[str, tuple[str, ...]]:
    """Return the placement with a host `guest-NAME` for each strategy of an agent.

    Parameters
    ----------
    groups : mapping of host name to machine kinds
        Where `strategy` stands, the other strategies stay.
    """
    guests = [plan.strategy_id for plan in strategies if plan.kind == KIND]
    if not guests:
        return groups
    others = [plan.strategy_id for plan in strategies if plan.kind != KIND]
    stay = tuple(machine_name("strategy", each) for each in others)
    apart = {f"guest-{each}": (machine_name("strategy", each),) for each in guests}
    return {host: _instead(kinds, stay) for host, kinds in groups.items()} | apart


def _instead(kinds: tuple[str, ...], stay: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for kind in kinds for name in (stay if kind == "strategy" else (kind,)))
