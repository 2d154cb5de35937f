"""Forecasters by name: entry points of the group `neural_trader.forecasters`, ours and other packages'."""

from importlib.metadata import entry_points

from trading.errors import UsageError
from trading.forecasting.forecaster import Forecaster

GROUP = "neural_trader.forecasters"
DEFAULT = "autoregression"


def known_forecasters() -> tuple[str, ...]:
    """Return the names of all installed forecasters, sorted."""
    return tuple(sorted(entry_points(group=GROUP).names))


def build_forecaster(name: str = DEFAULT) -> Forecaster:
    """Return an installed forecaster with its defaults.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(known_forecasters()) or "none; install the package first"
        raise UsageError(f"There is no forecaster {name!r}; known are: {known}.")
    forecaster: Forecaster = next(iter(found)).load()()
    return forecaster
