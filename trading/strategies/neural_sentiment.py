"""Neural sentiment: buy when the tone of the news is unusually good for this instrument and the price agrees.

Sources: Tetlock (2007), "Giving Content to Investor Sentiment", Journal of Finance 62, and Tetlock,
Saar-Tsechansky and Macskassy (2008), "More Than Words", Journal of Finance 63 (tone, measured against an
instrument's own past, forecasts returns of the next days); Chan (2003), "Stock Price Reaction to News and
No-News", Journal of Financial Economics 70 (moves with news go on, moves without news come back). The tone comes
from whichever model fills `sentiment`; this rule knows none.

Assumes that a surprise in tone is worked into prices over days. Loses when the price knew the news before the
text was written, and on whipsaws of tone; trades often, so costs matter. Risk level: medium long-only, high
with shorts.
"""

from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trading.indicators.rolling import FloatArray
from trading.indicators.windows import Parts, moving_max, over_windows
from trading.strategies.hysteresis import held_sides
from trading.strategies.needed_signals import require_signals
from trading.strategies.search_space import Choice, SearchSpace, Span
from trading.strategies.signals import SENTIMENT
from trading.strategies.strategy import Bars, require_bool, require_range

_FLAT = 1e-9
"""A tone with a smaller deviation does not move."""


class NeuralSentiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Long while the averaged tone is high against its own history; the price confirms the entry.

    The memory is finite: a position is given up `hold_bars_max` bars after the last bar that confirmed it.
    Bars without a text are left out of averages.

    Attributes
    ----------
    average_bars : int
        Bars of the averaged tone, the newest included (1 to 252).
    half_life_bars : float
        Age at which a text counts half (bars, 0.1 to 252).
    silence_bars_max : int
        Bars without a text after which the tone is unknown and the weight 0 (0 to below `average_bars`).
        A source that is silent on most days needs more than 0.
    history_bars : int
        Bars of the averaged tone that tell what is usual, the newest included (5 to 2520); at least half of
        them must be known.
    entry_z, exit_z : float
        Averaged tone less its usual value (standard deviations; entry 0.1 to 10, exit 0 to entry).
    confirmation_bars : int
        The return over so many bars must have the sign of the surprise at entry (bars, 1 to 252).
    hold_bars_max : int
        Time stop (bars, 1 to 252).
    position_weight : float
        Weight of one position (fraction of the capital, 0.001 to 1); all shrink in proportion when
        their sum would exceed 1.
    allow_short : bool
        Also sell on unusually bad tone.
    """

    NEEDS: ClassVar[tuple[str, ...]] = (SENTIMENT,)
    SEARCH: ClassVar[SearchSpace] = {
        "average_bars": Span(5, 30),
        "half_life_bars": Span(0.5, 10.0),
        "silence_bars_max": Span(0, 4),
        "history_bars": Span(42, 252),
        "entry_z": Span(0.5, 3.0),
        "exit_z": Span(0.0, 0.5),
        "confirmation_bars": Span(1, 10),
        "hold_bars_max": Span(3, 30),
        "position_weight": Span(0.05, 0.5),
        "allow_short": Choice((False, True)),
    }
    RISK_LEVEL: ClassVar[str] = "medium"

    average_bars: int = 10
    half_life_bars: float = 2.0
    silence_bars_max: int = 0
    history_bars: int = 126
    entry_z: float = 1.5
    exit_z: float = 0.25
    confirmation_bars: int = 3
    hold_bars_max: int = 10
    position_weight: float = 0.2
    allow_short: bool = False

    def __post_init__(self) -> None:
        require_range(self, "average_bars", 1, 252)
        require_range(self, "half_life_bars", 0.1, 252.0)
        require_range(self, "silence_bars_max", 0, self.average_bars - 1)
        require_range(self, "history_bars", 5, 2520)
        require_range(self, "entry_z", 0.1, 10.0)
        require_range(self, "exit_z", 0.0, self.entry_z)
        require_range(self, "confirmation_bars", 1, 252)
        require_range(self, "hold_bars_max", 1, 252)
        require_range(self, "position_weight", 0.001, 1.0)
        require_bool(self, "allow_short")

    @property
    def lookback(self) -> int:
        """The bars of one surprise and its confirmation, for each bar of the time stop."""
        surprise_bars = self.average_bars + self.history_bars - 1
        return max(surprise_bars, self.confirmation_bars + 1) + self.hold_bars_max - 1

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`.

        Raises
        ------
        DataError
            If the bars have no sentiment.
        """
        require_signals(self, bars, self.NEEDS)
        sides = self._sides(bars)
        sides[: self.lookback - 1] = 0.0
        if not self.allow_short:
            sides = np.maximum(sides, 0.0)
        gross = np.abs(sides).sum(axis=1, keepdims=True) * self.position_weight
        weights: FloatArray = sides * self.position_weight / np.maximum(gross, 1.0)
        return weights

    def _sides(self, bars: Bars) -> FloatArray:
        """1 long, -1 short, 0 flat: (time, instrument)."""
        score = np.where(np.isfinite(bars.close), self._surprise(bars), np.nan)
        move = np.full(score.shape, np.nan)
        age = self.confirmation_bars
        move[age:] = bars.close[age:] - bars.close[:-age]
        is_entry = (np.abs(score) >= self.entry_z) & (score * move > 0)
        wanted = np.where(is_entry, np.sign(score), 0.0)
        return held_sides(wanted, score > self.exit_z, score < -self.exit_z, self.hold_bars_max)

    def _surprise(self, bars: Bars) -> FloatArray:
        """Averaged tone in deviations from its own history: (time, instrument); NaN where unknown."""
        key = (self.average_bars, self.half_life_bars, self.silence_bars_max)

        def average() -> FloatArray:
            tone = bars.signals[SENTIMENT]
            mean = decayed_mean(tone, self.average_bars, 0.5 ** (1.0 / self.half_life_bars))
            is_heard = moving_max(np.isfinite(tone) * 1.0, self.silence_bars_max + 1) > 0
            return np.where(is_heard, mean, np.nan)

        averaged = bars.derived(("average_tone", *key), average)
        return bars.derived(
            ("tone_surprise", *key, self.history_bars),
            lambda: known_zscore(averaged, self.history_bars),
        )


def decayed_mean(values: FloatArray, window: int, decay: float) -> FloatArray:
    """Return the mean of the known ones among the last `window` rows, a row of age k weighing `decay`^k.

    Parameters
    ----------
    values : (time, instrument)
        NaN rows are left out.

    Returns
    -------
    (time, instrument)
        NaN where no row is known, and before row `window` - 1.
    """

    def join(
        older: Parts[FloatArray], newer: Parts[FloatArray], _: int, rows: int
    ) -> Parts[FloatArray]:
        fade = decay**rows
        return newer[0] + fade * older[0], newer[1] + fade * older[1]

    is_known = np.isfinite(values)
    parts = (np.where(is_known, values, 0.0), is_known * 1.0)
    total, weight = over_windows(parts, window, join)
    return _quotient(total, weight)


def known_zscore(values: FloatArray, window: int) -> FloatArray:
    """Return how many sample deviations each row lies from the mean of the known ones in its window.

    Parameters
    ----------
    values : (time, instrument)
        NaN rows are left out.

    Returns
    -------
    (time, instrument)
        NaN where fewer than half of the rows (at least 2) are known, the deviation is below 1e-9, and
        before row `window` - 1.
    """
    is_known = np.isfinite(values)
    parts = (is_known * 1.0, np.where(is_known, values, 0.0), np.zeros(values.shape))
    count, mean, squares = over_windows(parts, window, _join_known)
    deviation = np.sqrt(squares / np.maximum(count - 1.0, 1.0))
    is_enough: NDArray[np.bool_] = (count >= max(2.0, window / 2.0)) & (deviation > _FLAT)
    score: FloatArray = (values - mean) / np.where(is_enough, deviation, np.nan)
    return score


def _join_known(
    older: Parts[FloatArray], newer: Parts[FloatArray], _a: int, _b: int
) -> Parts[FloatArray]:
    """(count, mean, sum of squared deviations); a part that knows nothing has a mean of 0."""
    count = older[0] + newer[0]
    share = newer[0] / np.maximum(count, 1.0)
    step = newer[1] - older[1]
    squares = older[2] + newer[2] + step * step * share * older[0]
    return count, older[1] + step * share, squares


def _quotient(total: FloatArray, weight: FloatArray) -> FloatArray:
    """NaN where there is no weight."""
    result: FloatArray = total / np.where(weight > 0, weight, np.nan)
    return result
