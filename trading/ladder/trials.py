"""How many strategies were tried, and how far their Sharpe ratios lie apart: what a good one must beat."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from trading.events import AgentEvent, AgentStageJudged
from trading.ladder.standing import Stage

SHARPE = "sharpe_per_bar"


class Trials(NamedTuple):
    """All that were tried.

    Attributes
    ----------
    tried : int
        Distinct sources and parameters (>= 1).
    variance : float
        Of their Sharpe ratios per bar; 0 for one alone.
    """

    tried: int
    variance: float


def tried(facts: Iterable[AgentEvent]) -> dict[tuple[str, str], float]:
    """Return the Sharpe ratio per bar of every source and parameters that were ever backtested."""
    found: dict[tuple[str, str], float] = {}
    for fact in facts:
        if isinstance(fact, AgentStageJudged) and fact.stage is Stage.BACKTEST:
            figures = dict(fact.figures)
            if SHARPE in figures:
                key = (fact.source_sha256, dict(fact.inputs).get("parameters", ""))
                found[key] = float(figures[SHARPE])
    return found


def trials_of(ratios: Iterable[float]) -> Trials:
    """Return what these Sharpe ratios amount to; each is one trial."""
    values = np.array(list(ratios), dtype=np.float64)
    variance = float(values.var(ddof=1)) if values.size > 1 else 0.0
    return Trials(max(1, int(values.size)), variance)
