"""A strategy of an agent that breaks its budget goes down while the cluster runs, without anybody looking."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.journal.open import open_journal
from cluster.agent_results import NOTHING
from tests.ray.agents_on_paper import (
    ROOMY,
    UNHURRIED,
    cluster_section,
    ladder_in,
    put_on_paper,
    settled,
)
from trading.codec import decode
from trading.events import LimitChanged
from trading.identifiers import StreamName
from trading.ladder.standing import MoveCode, Standing
from trading.refusals import RefusalCode

Cluster = Any

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]
NAME = "churner"
CHURNS = """
LOOKBACK = 2
calls = 0


def targets(bars):
    global calls
    calls += 1
    return bars.close * 0 + (0.25 if calls % 2 else -0.25)
"""


def standing(folder: Path) -> tuple[Standing, str]:
    with ladder_in(folder) as ladder:
        record = ladder.record(NAME)
    return record.standing, record.since.code if record.since else ""


def limits_of(cluster: Cluster) -> list[LimitChanged]:
    journal = open_journal(cluster.config.cluster.journal)
    found = [decode(each.payload) for each in journal.read(StreamName("limits:DEMO"))]
    journal.close()
    assert all(isinstance(each, LimitChanged) for each in found)
    return found  # type: ignore[return-value]


def test_strategy_that_loses_its_budget_goes_down_while_the_cluster_runs(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    put_on_paper(tmp_path, NAME, CHURNS)
    cluster = make_cluster(
        cluster=cluster_section(tmp_path),
        data={"days": 150, "pace_slices_per_s": 8.0},
        exchange={"fee_bps": "100"},
        risk=ROOMY,
        sandbox=UNHURRIED,
        strategies={
            "momentum": {"kind": "momentum", "capital": 0.1},
            NAME: {"kind": "agent", "capital": 0.2},
        },
    )

    def is_refused(snapshot: Any) -> bool:
        own = snapshot.machines.get(f"strategy:{NAME}", {})
        return RefusalCode.RISK_MAX_STRATEGY_EXPOSURE in own.get("denials", {})

    snapshot = cluster.wait(is_refused, "a refusal of what it would open")

    assert not snapshot.finished
    assert standing(tmp_path) == (Standing.CANDIDATE, MoveCode.LOSS_BUDGET)
    (change,) = limits_of(cluster)
    assert (change.name, change.value) == (f"max_strategy_exposure.{NAME}", NOTHING)
    settled(cluster)
