import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli.main import app

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


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADER_CLUSTER__STATE_DIR", str(tmp_path / "state"))


def test_honest_strategy_passes_with_exit_code_0() -> None:
    done = CliRunner().invoke(app, ["check", "mean_reversion", "--symbols", "AAPL,KO"])

    assert done.exit_code == 0, done.output
    assert "| batch equals live" in done.stdout
    assert "FAILED" not in done.stdout
    assert "mean_reversion: passed." in done.stderr


def test_cheat_fails_with_exit_code_1_and_json_tells_where(tmp_path: Path) -> None:
    file = tmp_path / "cheat.py"
    file.write_text(CHEAT)

    done = CliRunner().invoke(app, ["check", str(file), "--symbols", "AAPL", "--json"])

    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["passed"] is False
    found = {each["check"]: each for each in told["findings"]}
    assert not found["no look into the future"]["passed"]
    assert "AAPL.XNAS at bar" in found["no look into the future"]["text"]
