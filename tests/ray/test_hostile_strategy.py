"""Strategies of agents that turn hostile in a running cluster harm nobody but themselves."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.journal.open import open_journal
from sandboxes.attacks.hostile import TURNCOAT
from sandboxes.local.survivors import survivors
from tests.ray.agents_on_paper import (
    ROOMY,
    UNHURRIED,
    cluster_section,
    ladder_in,
    put_on_paper,
    settled,
)
from trading.codec import decode
from trading.commands import SubmitOrder
from trading.events import AgentSandboxKilled, OrderSubmitted

Cluster = Any

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]
GOOD_BARS = 20
ORDINARY = ("momentum", "mean_reversion", "pairs", "neural_trend")
ROOM = {"momentum": {"kind": "momentum", "capital": 0.1}}
"""The demo gives all of the capital away."""
HOSTILE = {
    "glutton": ("resources", "flatten", "SANDBOX_TIMEOUT"),
    "forger": ("garbage", "hold", "SANDBOX_PROTOCOL_VIOLATION"),
}
"""What each does, what becomes of its positions, and how it ends."""
DATA = {"days": 80}
NOISE_MS = 100.0
"""What a busy machine of two cores may add to a median of 20 ms, whoever runs on it."""


def tables() -> dict[str, Any]:
    return {
        name: {"kind": "agent", "capital": 0.1, "on_failure": policy}
        for name, (_, policy, _) in HOSTILE.items()
    }


def submitted_in(cluster: Cluster) -> list[OrderSubmitted]:
    journal = open_journal(cluster.config.cluster.journal)
    facts = [
        decode(record.payload)
        for stream in journal.streams()
        if stream.startswith("account:")
        for record in journal.read(stream)
    ]
    journal.close()
    return [each for each in facts if isinstance(each, OrderSubmitted)]


def tick_to_order_ms(submitted: list[OrderSubmitted]) -> tuple[float, float]:
    """Return median and p99 from the bar to the order's way out, of the ordinary strategies."""
    own = [each for each in submitted if each.strategy_id in ORDINARY]
    p50, p99 = np.percentile([each.ts_init - each.order.ts_signal for each in own], [50, 99])
    return float(p50) / 1e6, float(p99) / 1e6


def kills_told(folder: Path) -> dict[str, list[str]]:
    """Return the codes of the kills that the ladder knows."""
    with ladder_in(folder) as ladder:
        return {
            name: [each.code for each in ladder.facts(name) if isinstance(each, AgentSandboxKilled)]
            for name in HOSTILE
        }


def orders_since_kill(orders: list[SubmitOrder], view: Mapping[str, Any]) -> list[SubmitOrder]:
    """Return the orders in the name of a strategy from the bar on at which it was killed."""
    name, _, rest = view["disabled"].partition(" at bar ")
    bar = int(rest.partition(":")[0])
    own = [each for each in orders if each.strategy_id == name]
    assert own, "it never traded"
    return [each for each in own if int(each.causation_id.rpartition("/")[2]) >= bar]


def finish(cluster: Cluster) -> Any:
    snapshot = settled(cluster)
    assert {snapshot.machines[f"strategy:{name}"]["disabled"] for name in ORDINARY} == {""}
    return snapshot


def test_hostile_strategies_harm_only_themselves(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    calm = make_cluster(data=DATA, risk=ROOMY, strategies=ROOM)
    finish(calm)
    alone = tick_to_order_ms(submitted_in(calm))

    for name, (how, _, _) in HOSTILE.items():
        put_on_paper(tmp_path, name, TURNCOAT, after=GOOD_BARS, how=how)
    cluster = make_cluster(
        cluster=cluster_section(tmp_path),
        data=DATA,
        risk=ROOMY,
        sandbox=UNHURRIED,
        strategies=ROOM | tables(),
    )
    hosts = {name: cluster.pid_of(f"guest-{name}") for name in HOSTILE}
    snapshot = finish(cluster)

    assert kills_told(tmp_path) == {name: [code] for name, (_, _, code) in HOSTILE.items()}
    for name, pid in hosts.items():
        assert cluster.pid_of(f"guest-{name}") == pid, "its host was harmed"
        assert survivors(str(pid)) == []
    views = {name: snapshot.machines[f"strategy:{name}"] for name in HOSTILE}
    submitted = submitted_in(cluster)
    orders = [each.order for each in submitted]
    assert orders_since_kill(orders, views["forger"]) == []
    assert views["forger"]["switch"] == "holding"
    assert len(views["forger"]["positions"]) == len(cluster.config.data.symbols)
    closing = orders_since_kill(orders, views["glutton"])
    assert len(closing) == len(cluster.config.data.symbols)
    assert all(each.reduce_only for each in closing)
    assert (views["glutton"]["switch"], views["glutton"]["positions"]) == ("closed", {})

    beside = tick_to_order_ms(submitted)
    print(
        f"\ntick to order of the others, p50 and p99: {alone[0]:.1f} and {alone[1]:.1f} ms alone, "
        f"{beside[0]:.1f} and {beside[1]:.1f} ms beside the hostile ones (p99 x {beside[1] / alone[1]:.2f})"
    )
    assert beside[0] < 2 * alone[0] + NOISE_MS
