"""How a strategy is asked: what it raises becomes a sentence, and which bars are worth a question."""

from collections.abc import Callable

import numpy as np

from trading.errors import TradingError
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, Strategy
from tune.verdict.finding import bar_of

Targets = Callable[[Bars], FloatArray]


class StrategyFailed(Exception):
    """The strategy did not answer.

    Attributes
    ----------
    bar : int
        Number of the newest bar that it was shown, counted from 1.
    is_refusal : bool
        Whether it refused with an error of this project, which names what to correct.
    """

    def __init__(self, text: str, bar: int, *, is_refusal: bool = False) -> None:
        super().__init__(text)
        self.bar = bar
        self.is_refusal = is_refusal


def answer(strategy: Strategy, bars: Bars, shown: Bars) -> FloatArray:
    """Return what the strategy answers to `shown`, rows of `bars`, in whatever shape.

    It is a copy: a strategy may write its next answer into the same array.

    Raises
    ------
    StrategyFailed
        If it raises, or answers with something that is no array of numbers.
    """
    try:
        return np.array(strategy.targets(shown), dtype=np.float64)
    except Exception as error:  # a strategy is a guest: whatever it raises is what was found
        row = int(np.searchsorted(bars.ts, shown.ts[-1]))
        is_refusal = isinstance(error, TradingError)
        said = "refused" if is_refusal else f"raised {type(error).__name__}"
        text = f"It {said} when it saw {len(shown):,} bars up to {bar_of(bars, row)}: {error}"
        raise StrategyFailed(text, row + 1, is_refusal=is_refusal) from error


def asking(strategy: Strategy, bars: Bars) -> Targets:
    """Return `answer` as a function of rows of `bars`; it also refuses weights of another shape."""

    def targets(shown: Bars) -> FloatArray:
        weights = answer(strategy, bars, shown)
        if weights.shape != shown.close.shape:
            row = int(np.searchsorted(bars.ts, shown.ts[-1]))
            text = (
                f"Its weights up to {bar_of(bars, row)} are of shape {weights.shape}, "
                f"must be {shown.close.shape}."
            )
            raise StrategyFailed(text, row + 1)
        return weights

    return targets


def telling_rows(batch: FloatArray, first: int, stop: int, count: int) -> list[int]:
    """Return up to `count` rows from `first` to `stop` - 1: half where weights change, half anywhere.

    A strategy that decides once a month and looks ahead shows it on those days alone.
    """
    if stop - first <= count:
        return list(range(first, stop))
    changes = 1 + np.flatnonzero((batch[1:] != batch[:-1]).any(axis=1))
    changes = changes[(changes >= first) & (changes < stop)]
    chosen = _spread(changes, count // 2)
    others = np.setdiff1d(np.arange(first, stop), chosen)
    return sorted(chosen + _spread(others, count - len(chosen)))


def _spread(rows: np.ndarray[tuple[int, ...], np.dtype[np.intp]], count: int) -> list[int]:
    """Up to `count` of `rows`, evenly spread, the first and the last among them."""
    if not rows.size:
        return []
    at = np.linspace(0, rows.size - 1, min(count, rows.size)).astype(int)
    return [int(row) for row in rows[at]]
