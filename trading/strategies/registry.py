"""Strategies by name: entry points of the group `neural_trader.strategies`, ours and other packages'."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint

from trading.errors import ConfigError, UsageError
from trading.plugins import plugins
from trading.strategies.strategy import Strategy

GROUP = "neural_trader.strategies"
GUESTS = "neural_trader.guest_strategies"
"""Those that are not offered by name: what they need is not a parameter that a person writes."""


def known_strategies() -> tuple[str, ...]:
    """Return the names of all installed strategies, sorted."""
    return tuple(sorted(plugins(GROUP)))


def installed_strategy(name: str) -> Callable[..., Strategy]:
    """Return the class of a strategy that is offered by name.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    return _class_of(name, plugins(GROUP))


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
    make = _class_of(name, {**plugins(GUESTS), **plugins(GROUP)})
    try:
        return make(**parameters)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Strategy {name!r}: {error}.") from error


def _class_of(name: str, entries: Mapping[str, EntryPoint]) -> Callable[..., Strategy]:
    if name not in entries:
        known = ", ".join(known_strategies()) or "none; install the package first"
        raise UsageError(f"There is no strategy {name!r}; known are: {known}.")
    found: Callable[..., Strategy] = entries[name].load()
    return found
