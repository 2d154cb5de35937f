"""Strategies by name: entry points of the group `neural_trader.strategies`, ours and other packages'."""

from collections.abc import Mapping
from importlib.metadata import entry_points

from trading.errors import ConfigError, UsageError
from trading.strategies.strategy import Strategy

GROUP = "neural_trader.strategies"
GUESTS = "neural_trader.guest_strategies"
"""Those that are not offered by name: what they need is not a parameter that a person writes."""


def known_strategies() -> tuple[str, ...]:
    """Return the names of all installed strategies, sorted."""
    return tuple(sorted(entry_points(group=GROUP).names))


def build_strategy(name: str, parameters: Mapping[str, object]) -> Strategy:
    """Return a new strategy.

    Parameters
    ----------
    parameters : mapping
        Keyword arguments of its class; what is missing gets the default.

    Raises
    ------
    UsageError
        If no installed strategy has that name.
    ConfigError
        If a parameter is unknown or out of its range.
    """
    found = entry_points(group=GROUP, name=name) or entry_points(group=GUESTS, name=name)
    if not found:
        known = ", ".join(known_strategies()) or "none; install the package first"
        raise UsageError(f"There is no strategy {name!r}; known are: {known}.")
    make = next(iter(found)).load()
    try:
        strategy: Strategy = make(**parameters)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Strategy {name!r}: {error}.") from error
    return strategy
