"""The rungs between a bad day and the kill switch: warn, halt a strategy, close everything, trip.

    warn            a loss reached `warn_at` of its limit: journalled once a day
    reduce, halt    the limits themselves (`breakers`)
    halt strategy   its loss of the day reached `max_strategy_daily_loss`
    flatten         a loss reached `flatten_at` times its limit
    kill            a loss reached `kill_at` times its limit

The last two wait for `debounce_readings` equity readings in a row: one bad price must not close a book.
"""

from collections.abc import Mapping
from decimal import Decimal

from trading.events import RiskWarned, StrategyHalted
from trading.identifiers import StrategyId
from trading.refusals import RefusalCode
from trading.risk.breakers import Counters
from trading.risk.limits import RiskLimits
from trading.values import ZERO


class LossLadder:
    """Counts the equity readings in a row that ask for the last two rungs."""

    def __init__(self) -> None:
        self._flatten = 0
        self._kill = 0

    def read(self, limits: RiskLimits, counters: Counters) -> None:
        """Take an equity reading; a bad one does not count, and ends nothing."""
        if counters.bad_readings:
            return
        multiple = max((used / limit for _, used, limit in losses(limits, counters)), default=ZERO)
        self._flatten = self._flatten + 1 if _reaches(multiple, limits.flatten_at) else 0
        self._kill = self._kill + 1 if _reaches(multiple, limits.kill_at) else 0

    def restart(self) -> None:
        """An operator resumed trading: what was counted is over."""
        self._flatten = self._kill = 0

    def must_flatten(self, limits: RiskLimits) -> bool:
        return self._flatten >= limits.debounce_readings

    def must_kill(self, limits: RiskLimits) -> bool:
        return self._kill >= limits.debounce_readings


def losses(limits: RiskLimits, counters: Counters) -> list[tuple[str, Decimal, Decimal]]:
    """Return (name of the limit, loss so far, limit) of each limit on losses that can be measured."""
    found = []
    if counters.daily_loss is not None:
        found.append(("max_daily_loss", max(ZERO, counters.daily_loss), limits.max_daily_loss))
    if counters.drawdown is not None:
        found.append(("max_drawdown", counters.drawdown, limits.max_drawdown))
    return found


def warnings(
    limits: RiskLimits, counters: Counters, warned: Mapping[str, int], day: int
) -> list[RiskWarned]:
    """Return the warnings that are due today and were not given yet.

    Parameters
    ----------
    warned : mapping of limit to the trading day of its last warning
    """
    if limits.warn_at is None:
        return []
    return [
        RiskWarned(name=name, used=used, limit=limit)
        for name, used, limit in losses(limits, counters)
        if used >= limits.warn_at * limit and warned.get(name) != day
    ]


def strategy_halts(
    limits: RiskLimits,
    lost: Mapping[StrategyId, Decimal],
    halted: Mapping[StrategyId, StrategyHalted],
    market_time: int,
    tomorrow: int,
) -> list[StrategyHalted]:
    """Return the halts that begin, and those that are over (`until` 0).

    Parameters
    ----------
    lost : mapping of StrategyId to its loss of the day
    tomorrow : int
        First moment of the next trading day (ns UTC).
    """
    code = RefusalCode.RISK_STRATEGY_HALTED
    over = [key for key, halt in halted.items() if halt.until <= market_time]
    facts = [_ended(key) for key in over]
    most = limits.max_strategy_daily_loss
    if most is None:
        return facts
    return facts + [
        StrategyHalted(
            strategy_id=key,
            code=str(code),
            reason=f"{code.meaning} daily_loss={loss} max_strategy_daily_loss={most}",
            until=tomorrow,
        )
        for key, loss in lost.items()
        if loss >= most and (key not in halted or key in over)
    ]


def _ended(strategy_id: StrategyId) -> StrategyHalted:
    return StrategyHalted(strategy_id=strategy_id, code="", reason="A new day began.", until=0)


def _reaches(multiple: Decimal, rung: Decimal | None) -> bool:
    return rung is not None and multiple >= rung
