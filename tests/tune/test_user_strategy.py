from pathlib import Path
from typing import Any

import pytest

from trading.errors import ConfigError, UsageError
from trading.strategies.momentum import Momentum
from tune.user_strategy import load_strategy

GOOD = """
import numpy as np

class Mine:
    lookback = 3
    def __init__(self, size=0.5):
        if size > 1:
            raise ValueError("size must be at most 1")
        self.size = size
    def targets(self, bars):
        return np.full(bars.close.shape, self.size)
"""


def written(folder: Path, text: str) -> str:
    file = folder / "mine.py"
    file.write_text(text)
    return str(file)


def test_name_is_an_installed_strategy() -> None:
    assert load_strategy("momentum", {"top_k": 2}) == Momentum(top_k=2)


def test_only_class_of_a_file_is_found(tmp_path: Path) -> None:
    strategy: Any = load_strategy(written(tmp_path, GOOD), {"size": 0.25})
    assert strategy.lookback == 3
    assert strategy.size == 0.25


def test_class_is_chosen_by_name(tmp_path: Path) -> None:
    two = GOOD + "\nclass Other(Mine):\n    lookback = 9\n"
    file = written(tmp_path, two)

    assert load_strategy(f"{file}:Other", {}).lookback == 9
    with pytest.raises(UsageError, match=r"several strategies \(Mine, Other\)"):
        load_strategy(file, {})
    with pytest.raises(UsageError, match="no strategy class 'Third'; it has Mine, Other"):
        load_strategy(f"{file}:Third", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "no class with `lookback` and `targets`"),
        ("x = = 1\n", "line 1: invalid syntax"),
        ("1 / 0\n", "cannot be imported: ZeroDivisionError"),
        ("import nowhere_to_be_found\n", "cannot be imported: ModuleNotFoundError"),
        ("from trading.strategies.momentum import Momentum\n", "no class with"),
    ],
)
def test_file_without_a_usable_strategy_is_told_in_one_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load_strategy(written(tmp_path, text), {})


def test_missing_file_and_unknown_name_are_told() -> None:
    with pytest.raises(UsageError, match=r"no file .nowhere\.py."):
        load_strategy("nowhere.py", {})
    with pytest.raises(UsageError, match="no strategy 'momentun'"):
        load_strategy("momentun", {})


@pytest.mark.parametrize("parameters", [{"size": 2}, {"speed": 1}])
def test_wrong_parameter_is_a_configuration_error(
    tmp_path: Path, parameters: dict[str, object]
) -> None:
    with pytest.raises(ConfigError, match="Strategy 'Mine'"):
        load_strategy(written(tmp_path, GOOD), parameters)


@pytest.mark.parametrize("lookback", ["0", "None", "2.5", "True"])
def test_lookback_that_is_no_number_of_bars_is_told(tmp_path: Path, lookback: str) -> None:
    file = written(tmp_path, GOOD.replace("lookback = 3", f"lookback = {lookback}"))
    with pytest.raises(ConfigError, match="lookback must be a whole number of bars, 1 or more"):
        load_strategy(file, {})


def test_whatever_a_constructor_raises_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD.replace("self.size = size", "{}['size']"))
    with pytest.raises(ConfigError, match="Strategy 'Mine': 'size'"):
        load_strategy(file, {})


def test_dataclass_whose_lookback_is_a_parameter_is_found(tmp_path: Path) -> None:
    text = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Mine:
    lookback: int
    def targets(self, bars):
        return bars.close * 0.0
"""
    assert load_strategy(written(tmp_path, text), {"lookback": 7}).lookback == 7
