"""Which tools are shown: an agent reads every description that it is given, so it is given few."""

import difflib
from collections.abc import Iterable
from enum import StrEnum

from trading.errors import UsageError


class Toolset(StrEnum):
    """A group of tools. `core` is drawn from all others."""

    CORE = "core"
    PORTFOLIO = "portfolio"
    TRADING = "trading"
    STRATEGY = "strategy"
    RISK = "risk"
    NEURAL = "neural"
    CLUSTER = "cluster"
    AGENT = "agent"
    DATA = "data"
    JOBS = "jobs"


ALL = "all"
VARIABLE = "TOOLSETS"
DEFAULT = frozenset({Toolset.CORE})
ABOUT = {
    Toolset.CORE: "What most work needs, drawn from all others; shown by default.",
    Toolset.PORTFOLIO: "Accounts, positions, performance, the system.",
    Toolset.TRADING: "Simulate and place orders, change and cancel them, pause, kill.",
    Toolset.STRATEGY: "Strategies: compare, backtest, optimise, choose, switch.",
    Toolset.RISK: "Value at risk, correlation, Kelly, limits.",
    Toolset.NEURAL: "Forecasting models: forecast, train, judge, search.",
    Toolset.CLUSTER: "Several models that answer together, and training by several workers.",
    Toolset.AGENT: "Strategies that agents write: judge, promote, run in isolation.",
    Toolset.DATA: "Symbols and bars.",
    Toolset.JOBS: "Long work: look, wait, cancel.",
}


def toolsets_of(text: str) -> frozenset[Toolset]:
    """Read `portfolio,neural`, `all`, or nothing for the default.

    Raises
    ------
    UsageError
        If there is no such toolset.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    if ALL in names:
        return frozenset(Toolset)
    return frozenset(_toolset(name) for name in names) or DEFAULT


def _toolset(name: str) -> Toolset:
    known: Iterable[str] = [*Toolset, ALL]
    try:
        return Toolset(name)
    except ValueError:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
        raise UsageError(f"There is no toolset {name!r}; {hint}") from None
