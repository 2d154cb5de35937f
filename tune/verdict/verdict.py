"""All checks of one strategy."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, Strategy
from tune.backtest import fields_of
from tune.verdict import causality, contract, stability
from tune.verdict.finding import Finding
from tune.verdict.questions import StrategyFailed, answer, asking, telling_rows

ROWS, ROWS_OF_FUTURE = 200, 24
"""Bars at which live is compared with batch, and the future is changed."""
FEW = 400
"""Up to so many bars, live is compared with batch at every one."""
CHECKS = (
    "bars are only read",
    "same answer twice",
    "batch equals live",
    "no look into the future",
    "warm-up",
    "missing prices",
    "constant prices",
    "zero volume",
    "one bar",
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

    Raises
    ------
    DataError
        If there are not more bars than the lookback: nothing could be compared.
    """
    own = _copy(bars)
    findings: list[Finding] = []
    batch = _weights(strategy, own, findings)
    if batch is not None:
        runs = _runs(strategy, own, bars, batch, is_thorough)
        for number, (check, run) in enumerate(zip(CHECKS, runs, strict=True), 1):
            findings.append(_attempt(check, run))
            on_check(number, check)
    return Verdict(strategy=name, params=parameters_of(strategy), findings=tuple(findings))


def parameters_of(strategy: Strategy) -> dict[str, Any]:
    """Return the parameters by name: the fields of a struct, else the plain public attributes."""
    if isinstance(strategy, msgspec.Struct):
        return fields_of(strategy)
    return {
        name: value
        for name, value in getattr(strategy, "__dict__", {}).items()
        if not name.startswith("_") and isinstance(value, bool | int | float | str)
    }


def _weights(strategy: Strategy, bars: Bars, findings: list[Finding]) -> FloatArray | None:
    """Return the weights over all bars, or None when they allow no further check; tell what was found."""
    lookback: Any = strategy.lookback
    if not isinstance(lookback, int) or lookback < 1:
        text = f"It must be a whole number of bars, 1 or more, but is {lookback!r}."
        findings.append(Finding(check="lookback", passed=False, text=text))
        return None
    if len(bars) <= lookback:
        raise DataError(
            f"{len(bars):,} bars are too few for a lookback of {lookback:,}: "
            "take an earlier start or shorter parameters."
        )
    try:
        batch = answer(strategy, bars, bars.rows(0, len(bars)))
    except StrategyFailed as failure:
        findings.append(_failed("it runs", failure))
        return None
    findings.append(contract.weights_are_sane(lookback, bars, batch))
    can_compare = batch.shape == bars.close.shape and bool(np.isfinite(batch).all())
    return batch if can_compare else None


def _runs(
    strategy: Strategy, bars: Bars, untouched: Bars, batch: FloatArray, is_thorough: bool
) -> tuple[Callable[[], Finding], ...]:
    """The checks that are called `CHECKS`."""
    targets, lookback, end = asking(strategy, bars), strategy.lookback, len(bars)
    count = end if is_thorough or end <= FEW else ROWS
    rows = telling_rows(batch, lookback - 1, end, count)
    cuts = telling_rows(batch, lookback // 2, end - 1, ROWS_OF_FUTURE)
    return (
        lambda: contract.bars_are_only_read(bars, untouched),
        lambda: contract.same_answer_twice(targets, bars, batch),
        lambda: causality.batch_equals_live(targets, lookback, bars, batch, rows),
        lambda: causality.future_changes_nothing(targets, bars, batch, cuts),
        lambda: causality.warm_up(targets, lookback, bars, batch),
        lambda: stability.missing_prices(targets, bars),
        lambda: stability.constant_prices(targets, bars),
        lambda: stability.zero_volume(targets, bars),
        lambda: stability.one_bar(targets, lookback, bars),
    )


def _attempt(check: str, run: Callable[[], Finding]) -> Finding:
    try:
        return run()
    except StrategyFailed as failure:
        return _failed(check, failure)


def _failed(check: str, failure: StrategyFailed) -> Finding:
    return Finding(check=check, passed=False, text=str(failure), bar=failure.bar)


def _copy(bars: Bars) -> Bars:
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
