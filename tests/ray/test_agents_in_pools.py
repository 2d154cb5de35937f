"""Sandboxes of strategies that trade in a cluster, and whoever is killed beside them."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.feeds.sources import load_prices
from cluster.client import namespace_of
from sandboxes.attacks.hostile import HONEST
from sandboxes.local.survivors import survivors
from tests.ray.agents_on_paper import ROOMY, UNHURRIED, cluster_section, put_on_paper, settled
from tests.ray.test_sandbox_pool import (
    GONE_WITHIN_S,
    assert_ends_with_its_driver,
    described,
    none_left,
    offering,
    steady,
    wait,
)

__all__ = ["offering"]
Cluster = Any

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]
NAME, DAYS = "guest", 20
STRATEGIES = {
    "momentum": {"kind": "momentum", "capital": 0.1},
    NAME: {"kind": "agent", "capital": 0.2},
}
SLOW = {"days": 120, "pace_slices_per_s": 8.0}


DRIVER = """
import sys, time
from pathlib import Path
from cluster import launch
from cluster.config import load_config
from sandboxes.attacks.hostile import HONEST
from tests.ray.agents_on_paper import UNHURRIED, cluster_section, put_on_paper
from tests.ray.test_agents_in_pools import DAYS, NAME, SLOW, STRATEGIES, view_in

folder = Path(sys.argv[1])
put_on_paper(folder, NAME, HONEST, days=DAYS)
about = {"name": "killed", "state_dir": str(folder), "dashboard": False, **cluster_section(folder)}
sections = {"cluster": about, "data": SLOW, "strategies": STRATEGIES, "sandbox": UNHURRIED}
view = launch.start(load_config(None, sections))
while not view_in(snapshot := view.snapshot())["targets"]:
    time.sleep(0.1)
print(*(actor.pid for actor in snapshot.actors if actor.name == f"guest-{NAME}"), flush=True)
time.sleep(600)
"""


def trading(make_cluster: Callable[..., Cluster], folder: Path, **sandbox: Any) -> Cluster:
    """Return a cluster in which a strategy of an agent has decided something."""
    put_on_paper(folder, NAME, HONEST, days=DAYS)
    cluster: Cluster = make_cluster(
        cluster=cluster_section(folder),
        data=SLOW,
        risk=ROOMY,
        strategies=STRATEGIES,
        sandbox=UNHURRIED | sandbox,
    )
    cluster.wait(lambda s: view_in(s)["targets"], "weights of the agent's strategy")
    return cluster


def view_in(snapshot: Any) -> dict[str, Any]:
    """Return what the strategy says of itself; while its host is down, that it has decided nothing."""
    found: dict[str, Any] = snapshot.machines.get(f"strategy:{NAME}", {"targets": {}, "decided": 0})
    return found


def decides_on(cluster: Cluster) -> None:
    """Wait until the strategy has decided at a later bar than now, which it does only with a sandbox."""
    now = view_in(cluster.snapshot())
    cluster.wait(
        lambda s: (
            view_in(s)["decided"] > now["decided"] and view_in(s)["undecided"] == now["undecided"]
        ),
        "a decision",
    )


def finished_as_undisturbed(cluster: Cluster) -> None:
    """The last weights are those that the source gives in this process for the last bars."""
    view = view_in(settled(cluster))
    assert view["disabled"] == ""
    table = load_prices("sp500", cluster.config.data.symbols)
    last = table.close[-DAYS:]
    is_above = last[-1] > last.mean(axis=0)
    expected = dict.fromkeys(np.array(table.instrument_ids)[is_above].tolist(), 0.25)
    assert view["targets"] == expected
    assert expected, "these bars prove nothing"


def holders(pool: Any) -> Mapping[str, int]:
    """Return who holds sandboxes; nobody while the pool itself is started again."""
    from ray.exceptions import RayActorError

    try:
        return described(pool)[1].holders
    except RayActorError:
        return {}


def test_strategy_borrows_from_the_pool_and_outlives_its_end(
    offering: Any, make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    from sandboxes.pool.actor import find_pools

    cluster = trading(make_cluster, tmp_path, places=2, warm={"base": 1})
    (pool,) = find_pools(namespace_of(cluster.config)).actors.values()
    old = steady(pool)
    assert described(pool)[1].holders == {NAME: 1}
    assert survivors(str(old))
    assert survivors(str(cluster.pid_of(f"guest-{NAME}"))) == []

    os.kill(old, signal.SIGKILL)

    none_left(old)
    wait(lambda: holders(pool) == {NAME: 1}, "another sandbox of the pool")
    finished_as_undisturbed(cluster)


def test_sandbox_goes_with_its_host_and_stays_when_the_supervisor_is_killed(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    """The hosts of a dead supervisor trade on, and its successor takes them as they are."""
    cluster = trading(make_cluster, tmp_path)
    guest, supervisor = cluster.pid_of(f"guest-{NAME}"), cluster.pid_of("supervisor")
    before = survivors(str(guest))
    assert before

    os.kill(supervisor, signal.SIGKILL)

    cluster.successor("supervisor", supervisor)
    decides_on(cluster)
    assert cluster.pid_of(f"guest-{NAME}") == guest
    assert survivors(str(guest)) == before

    os.kill(guest, signal.SIGKILL)

    wait(lambda: not survivors(str(guest)), "the end of its sandbox", GONE_WITHIN_S)
    cluster.successor(f"guest-{NAME}", guest)
    finished_as_undisturbed(cluster)


def test_nothing_lives_on_when_the_driver_of_a_cluster_is_killed(tmp_path: Path) -> None:
    assert_ends_with_its_driver(DRIVER, tmp_path)
