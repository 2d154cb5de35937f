"""A strategy by name, or from a file that a user wrote."""

import importlib.util
import sys
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from trading.errors import ConfigError, TradingError, UsageError
from trading.strategies.registry import build_strategy
from trading.strategies.strategy import Strategy


def load_strategy(text: str, parameters: Mapping[str, object]) -> Strategy:
    """Return the strategy that `text` names, with these parameters and the defaults of the rest.

    Parameters
    ----------
    text : str
        An installed name, `FILE.py`, or `FILE.py:Class`. The file is imported: it runs with the rights of
        whoever asks.

    Raises
    ------
    UsageError
        If there is no such strategy, file or class, or the file cannot be imported.
    ConfigError
        If a parameter is unknown or out of its range, or the lookback is no number of bars.
    """
    path, _, class_name = text.partition(":")
    if not path.endswith(".py"):
        return build_strategy(text, parameters)
    kind = _class_of(_module(Path(path).expanduser()), path, class_name)
    strategy = _built(kind, parameters)
    lookback: Any = strategy.lookback
    if not isinstance(lookback, int) or isinstance(lookback, bool) or lookback < 1:
        raise ConfigError(
            f"Strategy {kind.__name__!r}: lookback must be a whole number of bars, 1 or more, "
            f"got {lookback!r}."
        )
    return strategy


def _built(kind: Any, parameters: Mapping[str, object]) -> Strategy:
    try:
        strategy: Strategy = kind(**parameters)
    except TradingError:
        raise
    except Exception as error:  # the class is a guest too
        raise ConfigError(f"Strategy {kind.__name__!r}: {str(error).rstrip('.')}.") from error
    return strategy


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}.")
    digest = blake2b(str(path.resolve()).encode(), digest_size=8).hexdigest()
    name = f"user_strategy_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except TradingError:
        raise
    except SyntaxError as error:
        raise UsageError(f"{path}, line {error.lineno}: {error.msg}.") from error
    except Exception as error:  # the file is a guest: whatever it raises is told in one sentence
        raise UsageError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    return module


def _class_of(module: ModuleType, path: str, name: str) -> Any:
    found = {
        each.__name__: each
        for each in vars(module).values()
        if isinstance(each, type)
        and each.__module__ == module.__name__
        and hasattr(each, "targets")
        and (hasattr(each, "lookback") or "lookback" in each.__annotations__)
    }
    if name:
        if name not in found:
            has = ", ".join(sorted(found)) or "none"
            raise UsageError(f"{path} has no strategy class {name!r}; it has {has}.")
        return found[name]
    if not found:
        raise UsageError(f"{path} has no class with `lookback` and `targets`.")
    if len(found) > 1:
        names = ", ".join(sorted(found))
        raise UsageError(f"{path} has several strategies ({names}); write {path}:NAME.")
    return next(iter(found.values()))
