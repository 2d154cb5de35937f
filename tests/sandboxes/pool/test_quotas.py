"""What owners have used: facts and a time in, an answer out."""

import pytest

from sandboxes.pool.facts import CpuUsed, RunStarted, SourceKilled
from sandboxes.pool.quotas import Quotas
from sandboxes.pool.settings import Quota

QUOTA = Quota(runs=3, cpu_s=10.0, window_s=100.0)


@pytest.fixture
def quotas() -> Quotas:
    return Quotas(QUOTA)


def test_runs_are_counted_by_owner_until_they_leave_the_window(quotas: Quotas) -> None:
    for at_s in (0.0, 10.0, 20.0):
        assert quotas.objection("ann", at_s) == ""
        quotas.note(RunStarted(at_s=at_s, owner="ann"))
    said = quotas.objection("ann", 30.0)
    assert said == "'ann' has used up its 3 runs of 100 s; some are free again in 70 s."
    assert quotas.cpu_objection("ann", 30.0) == ""
    assert quotas.objection("bob", 30.0) == ""
    assert quotas.objection("ann", 100.0) == ""
    assert quotas.used("ann", 100.0) == (2, 0.0)
    assert quotas.used("ann", 1000.0) == (0, 0.0)


def test_processor_time_is_added_up(quotas: Quotas) -> None:
    quotas.note(CpuUsed(at_s=0.0, owner="ann", cpu_s=6.0))
    assert quotas.objection("ann", 1.0) == ""
    quotas.note(CpuUsed(at_s=1.0, owner="ann", cpu_s=4.0))
    assert "10 s of processor time" in quotas.objection("ann", 2.0)
    assert quotas.objection("ann", 2.0) == quotas.cpu_objection("ann", 2.0)
    assert quotas.objection("ann", 100.5) == ""


def test_kills_are_no_use(quotas: Quotas) -> None:
    quotas.note(SourceKilled(at_s=0.0, source="f", owner="ann", cause="SANDBOX_TIMEOUT"))
    assert quotas.used("ann", 1.0) == (0, 0.0)
