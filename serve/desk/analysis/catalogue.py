"""The strategies that are installed: what they are, what they can be told, which of them this cluster runs."""

import difflib
import inspect
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from pydantic import Field

from serve.desk.accounts import accounts_of
from serve.desk.answers import Answer, Provenance, Source
from serve.desk.front_desk import FrontDesk
from serve.desk.view import ClusterSnapshot
from trading.errors import ClusterUnreachable, NotFound
from trading.strategies.registry import build_strategy, known_strategies
from trading.strategies.search_space import Span

Scalar = bool | int | float | str | None

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "mirror_trading": "mirror",
        "mirror_trader": "mirror",
        "momentum_trading": "momentum",
        "momentum_trader": "momentum",
        "mean_reversion_trader": "mean_reversion",
        "mean_reversion_trading": "mean_reversion",
        "enhanced_momentum_trader": "enhanced_momentum",
        "neural_trend_trader": "neural_trend",
        "neural_sentiment_trader": "neural_sentiment",
        "neural_arbitrage_trader": "neural_arbitrage",
        "pairs_trading": "pairs",
        "pairs_trader": "pairs",
        "portfolio_optimization": "allocation",
    }
)
"""Names that other programs use for strategies of ours."""
OPTIMISED = ("_optimized", "_optimised")
"""Endings that name no other strategy: whether it was tuned is a matter of its parameters."""


class SearchRange(Answer):
    """Where a search looks for a parameter: between two numbers, or among a few values."""

    kind: Literal["span", "choice"]
    low: float | None = None
    high: float | None = None
    step: float | None = None
    is_log: bool = False
    choices: tuple[Scalar, ...] = ()


class Parameter(Answer):
    name: str
    type: str
    default: Any = Field(description="What it is when nothing is said.")
    description: str = ""
    search: SearchRange | None = Field(default=None, description="None: it is not searched.")


class StrategySummary(Answer):
    name: str
    summary: str
    risk_level: str
    needs: list[str] = Field(description="Signals that it cannot decide without.")
    needs_forecaster: bool
    is_running: bool | None = Field(
        description="In this cluster, under its own name; None when that is not known: no cluster answers, or it runs "
        "strategies by names of the operator's."
    )
    aliases: list[str]


class StrategyList(Provenance):
    strategies: list[StrategySummary]
    count: int
    running: list[str] | None = Field(
        description="Ids of the strategies in this cluster, also those of other kinds; None when it does not answer."
    )


class StrategyInfo(Provenance):
    name: str
    summary: str
    document: str = Field(description="What its authors say of it.")
    risk_level: str
    needs: list[str]
    needs_forecaster: bool
    lookback_bars: int = Field(description="Bars that a decision is made of.")
    parameters: list[Parameter]
    aliases: list[str]
    is_running: bool | None
    halt_reason: str = ""


def canonical(name: str) -> str:
    """Return the name under which a strategy is installed.

    Raises
    ------
    NotFound
        Naming the nearest.
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    for ending in OPTIMISED:
        plain = plain.removesuffix(ending)
    known = known_strategies()
    found = ALIASES.get(plain, plain)
    if found in known:
        return found
    near = difflib.get_close_matches(plain, [*known, *ALIASES], n=1)
    hint = f"did you mean {near[0]}? K" if near else "k"
    raise NotFound(f"There is no strategy {name!r}; {hint}nown are: {', '.join(known)}.")


def strategies(desk: FrontDesk) -> StrategyList:
    """Return all installed strategies."""
    snapshot = _snapshot(desk)
    running = None if snapshot is None else _running(snapshot)
    rows = [_summary(name, running) for name in known_strategies()]
    return StrategyList(
        source=Source.REGISTRY,
        as_of=datetime.now(UTC),
        strategies=rows,
        count=len(rows),
        running=None if running is None else sorted(running),
    )


def strategy(desk: FrontDesk, name: str) -> StrategyInfo:
    """Return what is known of one strategy. Raises `NotFound`."""
    own = canonical(name)
    snapshot = _snapshot(desk)
    running = None if snapshot is None else _running(snapshot)
    summary, built = _summary(own, running), _built(own)
    return StrategyInfo(
        source=Source.REGISTRY,
        as_of=datetime.now(UTC),
        name=own,
        summary=summary.summary,
        document=_document(own),
        risk_level=summary.risk_level,
        needs=summary.needs,
        needs_forecaster=summary.needs_forecaster,
        lookback_bars=built.lookback,
        parameters=_parameters(built),
        aliases=summary.aliases,
        is_running=summary.is_running,
        halt_reason=(running or {}).get(own, ""),
    )


def summaries() -> list[StrategySummary]:
    """Return all installed strategies, whoever runs them."""
    return [_summary(name, None) for name in known_strategies()]


def parameter_names(name: str) -> tuple[str, ...]:
    """Return what an installed strategy can be told."""
    return tuple(inspect.signature(type(_built(name))).parameters)


def short_names(name: str) -> tuple[str, ...]:
    """Return what a sweep may call some of its parameters."""
    return tuple(getattr(_built(name), "SHORT", ()))


def _snapshot(desk: FrontDesk) -> ClusterSnapshot | None:
    """Return None when no cluster answers: what is installed is known without one."""
    try:
        return desk.trading.snapshot()
    except ClusterUnreachable:
        return None


def _running(snapshot: ClusterSnapshot) -> dict[str, str]:
    """Return the ids of the running strategies, each with why it is halted."""
    found: dict[str, str] = {}
    for account in accounts_of(snapshot):
        halted = account.of("risk").get("halted_strategies", {})
        for machine in account.machines:
            kind, _, name = machine.partition(":")
            if kind == "strategy":
                found[name] = str(halted.get(name, ""))
    return found


def _is_running(name: str, running: Mapping[str, str] | None) -> bool | None:
    """A strategy may run under any name that its operator gave it, which then says nothing of what it is."""
    if running is None:
        return None
    if name in running:
        return True
    return False if set(running) <= set(known_strategies()) else None


@lru_cache(maxsize=64)
def _built(name: str) -> Any:
    return build_strategy(name, {})


def _document(name: str) -> str:
    """Return what the module of a strategy, or else its class, says of it."""
    kind = type(_built(name))
    module = inspect.getmodule(kind)
    return inspect.cleandoc((module and module.__doc__) or kind.__doc__ or "")


def _summary(name: str, running: Mapping[str, str] | None) -> StrategySummary:
    built = _built(name)
    needs = [str(each) for each in getattr(built, "NEEDS", ())]
    return StrategySummary(
        name=name,
        summary=_document(name).partition("\n")[0],
        risk_level=str(getattr(built, "RISK_LEVEL", "")),
        needs=needs,
        needs_forecaster=any(each.startswith("forecast_") for each in needs),
        is_running=_is_running(name, running),
        aliases=sorted(alias for alias, own in ALIASES.items() if own == name),
    )


def _parameters(built: Any) -> list[Parameter]:
    if not isinstance(built, msgspec.Struct):
        return []
    search = getattr(built, "SEARCH", {})
    said = _descriptions(inspect.getdoc(type(built)) or "")
    return [
        Parameter(
            name=field.name,
            type=getattr(field.type, "__name__", str(field.type)),
            default=msgspec.to_builtins(getattr(built, field.name)),
            description=said.get(field.name, ""),
            search=_range(search[field.name]) if field.name in search else None,
        )
        for field in msgspec.structs.fields(type(built))
    ]


def _range(where: Any) -> SearchRange:
    if isinstance(where, Span):
        return SearchRange(
            kind="span", low=where.low, high=where.high, step=where.step, is_log=where.is_log
        )
    return SearchRange(kind="choice", choices=tuple(where.values))


def _descriptions(document: str) -> dict[str, str]:
    """Read the section `Attributes` of a docstring: the text below each name."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in document.partition("Attributes\n")[2].splitlines():
        if line and not line.startswith((" ", "-")):
            names = [each.strip() for each in line.partition(":")[0].split(",")]
        elif line.startswith(" "):
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found
