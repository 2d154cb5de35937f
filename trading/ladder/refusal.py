"""The ladder says no."""

from trading.errors import TradingError


class LadderRefused(TradingError):
    """Pass the stages that are named, or do what the sentence says."""

    code = "LADDER_REFUSED"
    exit_status = 6
