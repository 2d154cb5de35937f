"""The check that bars carry the signals without which a strategy cannot decide."""

from trading.errors import DataError
from trading.strategies.strategy import Bars


def require_signals(strategy: object, bars: Bars, names: tuple[str, ...]) -> None:
    """Check that the bars carry the signals `names`.

    Raises
    ------
    DataError
        Naming the strategy and the signals that are missing.
    """
    missing = [name for name in names if name not in bars.signals]
    if missing:
        raise DataError(
            f"{type(strategy).__name__} needs the signals {', '.join(missing)}: "
            "give the run a source of them."
        )
