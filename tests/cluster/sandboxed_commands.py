"""The commands of sandboxes and agents, on a real local rung whose copies stay between tests."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from cluster import sandboxes
from cluster.cli import agent, main, sandbox
from cluster.sandboxes import SandboxChoice
from sandboxes.sandbox import SandboxBackend
from tests.sandboxes.local.home import any_backend

STRATEGY = """
import numpy as np

LOOKBACK = 50


def targets(bars, *, days=50, size=0.5):
    weights = np.zeros(bars.close.shape)
    if len(bars) >= days:
        newest = bars.close[days - 1 :]
        mean = np.lib.stride_tricks.sliding_window_view(bars.close, days, axis=0).mean(axis=-1)
        weights[days - 1 :] = np.where(newest > mean, size, 0.0)
    return weights
"""
SPAN = ("--symbols", "AAPL,KO", "--from", "2011", "--to", "2016", "--walk-forward", "12m/6m")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[SandboxChoice]:
    """Backends that were asked for; each is the weakest local rung."""
    found: list[SandboxChoice] = []

    def opened(choice: SandboxChoice) -> SandboxBackend:
        found.append(choice)
        return any_backend()

    monkeypatch.delenv(sandboxes.KEY, raising=False)
    monkeypatch.setattr(sandboxes, "open_backend", opened)
    # What is not about time must not end because the machine is busy.
    monkeypatch.setattr(sandboxes, "EXAMINED", replace(sandboxes.EXAMINED, call_timeout_s=60.0))
    return found


@pytest.fixture
def commands(trader: Callable[..., Any], asked: list[SandboxChoice]) -> Callable[..., Any]:
    """`trader`, with both groups of commands."""
    known = {each.name for each in main.app.registered_groups}
    for name, app in (("sandbox", sandbox.app), ("agent", agent.app)):
        if name not in known:
            main.app.add_typer(app, name=name)
    return trader
