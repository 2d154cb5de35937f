"""Forecasters by name: entry points of the group `neural_trader.forecasters`, ours and other packages'."""

from trading.errors import UsageError
from trading.forecasting.forecaster import Forecaster
from trading.plugins import plugins

GROUP = "neural_trader.forecasters"
DEFAULT = "autoregression"


def known_forecasters() -> tuple[str, ...]:
    """Return the names of all installed forecasters, sorted."""
    return tuple(sorted(plugins(GROUP)))


def build_forecaster(name: str = DEFAULT) -> Forecaster:
    """Return an installed forecaster with its defaults.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    entry = plugins(GROUP).get(name)
    if entry is None:
        known = ", ".join(known_forecasters()) or "none; install the package first"
        raise UsageError(f"There is no forecaster {name!r}; known are: {known}.")
    forecaster: Forecaster = entry.load()()
    return forecaster
