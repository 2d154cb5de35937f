"""Circuit breakers: what trips them, what state follows, and when it ends. Pure functions and a guard."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from trading.position import EXACT
from trading.refusals import RefusalCode
from trading.risk.limits import RiskLimits
from trading.risk.standing import Hold
from trading.values import TradingState

BAD_READINGS_MAX = 3
"""So many bad equity readings in a row halt trading; fewer are ignored."""
_JUMP_MAX = 2
"""A reading below half or above twice the last good one is taken for a defect at first."""
_SEVERITY = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """What the breakers look at.

    Attributes
    ----------
    daily_loss : Decimal or None
        Fall of the equity since the day opened (a gain is negative); None before the first reading.
    drawdown : Decimal or None
        Fall of the equity from its peak, as a ratio of the peak.
    bad_readings : int
        Bad equity readings in a row.
    reject_rate : Decimal or None
        Part of the last orders that the venue refused; None with too few of them.
    slippage_bps : Decimal or None
        Mean cost of the last fills (basis points); None with too few of them.
    must_flatten : bool
        The losses ask for every position to be closed (`ladder`).
    """

    daily_loss: Decimal | None = None
    drawdown: Decimal | None = None
    consecutive_losses: int = 0
    trades_today: int = 0
    bad_readings: int = 0
    reject_rate: Decimal | None = None
    slippage_bps: Decimal | None = None
    must_flatten: bool = False


class EquityGuard:
    """Keeps single bad equity readings (not finite, not positive, a jump) away from every counter.

    Attributes
    ----------
    last : Decimal or None
        Last good reading since the start.
    bad_in_a_row, bad_count : int
    """

    def __init__(self) -> None:
        self.last: Decimal | None = None
        self.bad_in_a_row = 0
        self.bad_count = 0
        self._trusts_next = False

    def accept(self, reading: Decimal, reference: Decimal | None) -> Decimal | None:
        """Return the reading when it is credible, else None.

        Parameters
        ----------
        reference : Decimal or None
            What to measure a jump by when there is no reading yet.
        """
        if not self._is_credible(reading, self.last or reference):
            self.bad_in_a_row += 1
            self.bad_count += 1
            return None
        self._trusts_next = False
        self.bad_in_a_row = 0
        self.last = reading
        return reading

    def move(self, amount: Decimal) -> None:
        """Cash was moved in (or out): the next reading is measured as if it had been there before."""
        if self.last is not None:
            self.last = EXACT.add(self.last, amount)

    def restart(self) -> None:
        """An operator vouches for the account: the next positive reading is believed."""
        self.bad_in_a_row = 0
        self._trusts_next = True

    def _is_credible(self, reading: Decimal, reference: Decimal | None) -> bool:
        if not reading.is_finite() or reading <= 0:
            return False
        if reference is None or self._trusts_next:
            return True
        return reference <= reading * _JUMP_MAX and reading <= reference * _JUMP_MAX


def trips(limits: RiskLimits, counters: Counters, market_time: int, tomorrow: int) -> list[Hold]:
    """Return the states that the counters ask for, each with its end in market time (ns).

    Parameters
    ----------
    tomorrow : int
        First moment of the next trading day (ns UTC).
    """
    found = _outcome_trips(limits, counters, market_time)
    if counters.must_flatten:
        found.append(_hold(TradingState.HALTED, RefusalCode.RISK_FLATTEN, 0))
    if counters.bad_readings >= BAD_READINGS_MAX:
        found.append(_hold(TradingState.HALTED, RefusalCode.RISK_EQUITY_INVALID, 0, in_a_row=3))
    if counters.daily_loss is not None and counters.daily_loss >= limits.max_daily_loss:
        found.append(
            _hold(
                TradingState.HALTED,
                RefusalCode.RISK_DAILY_LOSS,
                tomorrow,
                daily_loss=counters.daily_loss,
                max_daily_loss=limits.max_daily_loss,
            )
        )
    if counters.drawdown is not None and counters.drawdown >= limits.max_drawdown:
        found.append(
            _hold(
                TradingState.REDUCING,
                RefusalCode.RISK_DRAWDOWN,
                0,
                drawdown=round(counters.drawdown, 4),
                max_drawdown=limits.max_drawdown,
            )
        )
    if counters.consecutive_losses >= limits.max_consecutive_losses:
        found.append(
            _hold(
                TradingState.REDUCING,
                RefusalCode.RISK_CONSECUTIVE_LOSSES,
                market_time + limits.breaker_cooldown_ns,
                consecutive_losses=counters.consecutive_losses,
                max_consecutive_losses=limits.max_consecutive_losses,
            )
        )
    if counters.trades_today >= limits.max_trades_per_day:
        found.append(
            _hold(
                TradingState.REDUCING,
                RefusalCode.RISK_MAX_TRADES_PER_DAY,
                max(market_time + limits.breaker_cooldown_ns, tomorrow),
                trades_today=counters.trades_today,
                max_trades_per_day=limits.max_trades_per_day,
            )
        )
    return found


def next_hold(
    current: Hold,
    operator: Hold,
    tripped: Sequence[Hold],
    market_time: int,
    *,
    has_recovered: bool,
) -> Hold | None:
    """Return the state that replaces the current one, or None when it stays.

    A breaker replaces only a milder state, and what it replaced is looked at again when it ends: the
    counters still stand. A state with an end ends there; a drawdown's ends when the equity
    `has_recovered`; all others end by an operator. What follows is the strictest of what is
    tripped then and what the operator asked for.
    """
    is_over = current.state is not TradingState.ACTIVE and (
        0 < current.until <= market_time
        or (current.code == RefusalCode.RISK_DRAWDOWN and has_recovered)
    )
    if not (tripped or is_over):
        return None
    floor = _resumed(current, operator) if is_over else current
    worst = max(tripped, key=_severity, default=floor)
    if _severity(worst) > _severity(floor):
        return worst
    return floor if is_over else None


def _severity(hold: Hold) -> int:
    """Closing everything is more than a halt."""
    return _SEVERITY[hold.state] + (hold.code == RefusalCode.RISK_FLATTEN)


def _outcome_trips(limits: RiskLimits, counters: Counters, market_time: int) -> list[Hold]:
    until = market_time + limits.breaker_cooldown_ns
    found = []
    rate, most = counters.reject_rate, limits.max_reject_rate
    if rate is not None and most is not None and rate >= most:
        numbers = {"reject_rate": rate, "max_reject_rate": most}
        found.append(_hold(TradingState.REDUCING, RefusalCode.RISK_REJECT_RATE, until, **numbers))
    cost, dearest = counters.slippage_bps, limits.max_slippage_bps
    if cost is not None and dearest is not None and cost >= dearest:
        numbers = {"slippage_bps": round(cost, 2), "max_slippage_bps": dearest}
        found.append(_hold(TradingState.REDUCING, RefusalCode.RISK_SLIPPAGE, until, **numbers))
    return found


def has_recovered(limits: RiskLimits, counters: Counters) -> bool:
    """True when the drawdown is below half its limit: enough apart from tripping not to flicker."""
    return counters.drawdown is not None and counters.drawdown * 2 < limits.max_drawdown


def _resumed(ended: Hold, operator: Hold) -> Hold:
    if operator.state is not TradingState.ACTIVE:
        return operator
    return Hold(TradingState.ACTIVE, ended.code, f"{ended.code} is over; trading goes on.")


def _hold(state: TradingState, code: RefusalCode, until: int, **numbers: object) -> Hold:
    facts = " ".join(f"{key}={value}" for key, value in numbers.items())
    return Hold(state, code, f"{code.meaning} {facts}", until)
