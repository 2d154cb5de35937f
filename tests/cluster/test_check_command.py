"""`trader check` from the command line: the verdict, the exit code, where a cheat was caught."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

CHEAT = """
import numpy as np

class Cheat:
    lookback = 2
    def targets(self, bars):
        ahead = np.vstack([bars.close[1:], bars.close[-1:]])
        weights = np.where(ahead > bars.close, 0.1, 0.0)
        weights[:1] = 0.0
        return weights
"""


@pytest.fixture
def check(trader: Any) -> Any:
    return partial(trader, "check")


def test_honest_strategy_passes_with_exit_code_0(check: Any) -> None:
    ended = check("mean_reversion", "--symbols", "AAPL,KO")

    assert ended.status == 0, ended.err
    assert "| batch equals live" in ended.out
    assert "FAILED" not in ended.out
    assert "mean_reversion: passed." in ended.err


def test_cheat_fails_with_exit_code_1_and_json_tells_where(check: Any, home: Path) -> None:
    (home / "cheat.py").write_text(CHEAT)

    ended = check("cheat.py", "--symbols", "AAPL", "--json")

    assert ended.status == 1
    assert ended.json["passed"] is False
    found = {each["check"]: each for each in ended.json["findings"]}
    assert not found["no look into the future"]["passed"]
    assert "AAPL.XNAS at bar" in found["no look into the future"]["text"]
