"""What the ladder asks of a strategy."""

from decimal import Decimal

import msgspec

DAY_S = 86_400


class LadderRules(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds between the rungs.

    Attributes
    ----------
    verdict_age_s_max : int
        Older verdicts must be made anew.
    trades_min : int
        Round trips in the backtest.
    drawdown_max : Decimal
        Of the backtest (fraction of the best equity).
    deflated_sharpe_min : Decimal
        Of the walk-forward (probability).
    paper_days_min : int
        Days of the market on paper before money; those of a replay do not count.
    loss_budget : Decimal
        What may be lost since it came to its rung (fraction of its capital).
    fall_max : Decimal
        Largest fall from the best result on its rung (fraction of its capital).
    kills_max, kill_window_s : int
        So many kills of its sandbox within so long are one too many.
    """

    verdict_age_s_max: int = 30 * DAY_S
    trades_min: int = 10
    drawdown_max: Decimal = Decimal("0.4")
    deflated_sharpe_min: Decimal = Decimal("0.9")
    paper_days_min: int = 20
    loss_budget: Decimal = Decimal("0.05")
    fall_max: Decimal = Decimal("0.1")
    kills_max: int = 3
    kill_window_s: int = 600
