"""All checks of one strategy."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from trading.errors import TradingError
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, Strategy
from tune.verdict import causality, contract
from tune.verdict.finding import Finding

ROWS, ROWS_OF_FUTURE = 200, 12
"""Bars at which live is compared with batch, and the future is changed."""
CHECKS = (
    "bars are only read",
    "same answer twice",
    "batch equals live",
    "no look into the future",
    "warm-up",
    "missing and constant prices",
)
"""Those behind the look at the weights themselves."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks say of one strategy."""

    strategy: str
    params: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(finding.passed for finding in self.findings)


def judge(
    name: str,
    strategy: Strategy,
    bars: Bars,
    *,
    is_thorough: bool = False,
    on_check: Callable[[int, str], None] = lambda *_: None,
) -> Verdict:
    """Run every check; what a strategy raises is a finding too.

    Parameters
    ----------
    bars : Bars
        With the signals that the strategy needs.
    is_thorough : bool
        Compare live with batch at every bar instead of `ROWS` of them.
    """
    untouched, bars = bars, _own(bars)
    params = msgspec.to_builtins(strategy) if isinstance(strategy, msgspec.Struct) else {}

    def done(findings: list[Finding]) -> Verdict:
        return Verdict(strategy=name, params=params, findings=tuple(findings))

    def targets(some: Bars) -> FloatArray:
        return np.asarray(strategy.targets(some), dtype=np.float64)

    lookback = strategy.lookback
    batch, problem = _attempt("it runs", lambda: targets(bars.rows(0, len(bars))))
    if batch is None:
        return done([problem])
    first = contract.weights_are_sane(lookback, bars, batch)
    if batch.shape != bars.close.shape or not np.isfinite(batch).all():
        return done([first])
    everywhere = list(range(len(bars)))
    rows = everywhere if is_thorough else _spread(max(lookback - 1, 0), len(bars), ROWS)
    ahead = _spread(lookback // 2, len(bars) - 1, ROWS_OF_FUTURE)
    runs: tuple[Callable[[], Finding], ...] = (
        lambda: contract.bars_are_only_read(bars, untouched),
        lambda: contract.same_answer_twice(targets, bars, batch),
        lambda: causality.batch_equals_live(targets, lookback, bars, batch, rows),
        lambda: causality.future_changes_nothing(targets, bars, batch, ahead),
        lambda: causality.warm_up(targets, lookback, bars, batch),
        lambda: contract.unknown_prices_get_no_weight(targets, bars),
    )
    findings = [first]
    for number, (check, run) in enumerate(zip(CHECKS, runs, strict=True), 1):
        found, problem = _attempt(check, run)
        findings.append(problem if found is None else found)
        on_check(number, check)
    return done(findings)


def _attempt(check: str, run: Callable[[], Any]) -> tuple[Any, Finding]:
    """Return what `run` returns, or None and the finding that it raised."""
    nothing = Finding(check=check, passed=True, text="")
    try:
        return run(), nothing
    except TradingError as error:
        return None, Finding(check=check, passed=False, text=f"It refused: {error}")
    except Exception as error:  # a strategy is a guest: whatever it raises is what was found
        text = f"It raised {type(error).__name__}: {error}."
        return None, Finding(check=check, passed=False, text=text)


def _spread(first: int, stop: int, count: int) -> list[int]:
    """Return up to `count` rows from `first` to `stop` - 1, evenly spread, the last among them."""
    if stop <= first:
        return []
    rows = np.linspace(first, stop - 1, min(count, stop - first)).astype(int)
    return [int(row) for row in np.unique(rows)]


def _own(bars: Bars) -> Bars:
    """Return a copy that a misbehaving strategy may write into."""
    return Bars(
        bars.ts.copy(),
        bars.instrument_ids,
        close=bars.close.copy(),
        open=bars.open.copy(),
        high=bars.high.copy(),
        low=bars.low.copy(),
        volume=bars.volume.copy(),
        signals={name: array.copy() for name, array in bars.signals.items()},
    )
