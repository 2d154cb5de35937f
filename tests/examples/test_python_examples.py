"""The examples run as a newcomer runs them, and say what their docstrings promise."""

import json
from pathlib import Path
from typing import Any

import pytest

from examples import forecast_and_backtest, own_strategy, portfolio_risk
from examples.own_strategy import Breakout, Peeking, examined

NOTEBOOK = Path(__file__).parents[2] / "examples" / "research.ipynb"


@pytest.fixture(scope="module")
def bars() -> Any:
    from actors.feeds.sources import SP500, load_prices
    from tune.prices import bars_of

    return bars_of(load_prices(SP500, own_strategy.SYMBOLS), "2018")


def test_when_the_first_example_runs_it_shows_a_forecast_and_a_backtest_beside_yardsticks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    forecast_and_backtest.main()
    said = capsys.readouterr().out
    assert "last of 2022-12-28" in said
    for symbol in forecast_and_backtest.SYMBOLS:
        assert f"  {symbol} " in said
    assert "momentum" in said
    assert "buy_and_hold" in said


def test_when_a_fan_is_forecast_it_holds_its_middle_and_widens(bars: Any) -> None:
    from trading.forecasting.forecast import interval

    for found in forecast_and_backtest.forecasts(bars, horizon=5):
        narrow, wide = interval(found, 0.5), interval(found, 0.95)
        assert wide[0][-1] < narrow[0][-1] < narrow[1][-1] < wide[1][-1]
        assert wide[1][-1] - wide[0][-1] > wide[1][0] - wide[0][0]


def test_when_a_strategy_is_honest_it_passes_every_check(bars: Any) -> None:
    verdict, _ = examined(Breakout(days=20), bars)
    assert verdict.passed, verdict.findings


def test_when_a_strategy_peeks_its_backtest_shines_and_the_checks_name_the_bar(bars: Any) -> None:
    verdict, sharpe = examined(Peeking(), bars)
    assert sharpe > 2.0
    failed = {finding.check: finding for finding in verdict.findings if not finding.passed}
    assert "no look into the future" in failed
    assert failed["no look into the future"].bar is not None


def test_when_the_strategy_example_runs_it_tells_them_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own_strategy.main()
    said = capsys.readouterr().out
    assert "Breakout: " in said
    assert said.count("must not be believed") == 1


def test_when_the_risk_example_runs_its_parts_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    portfolio_risk.main()
    lines = capsys.readouterr().out.splitlines()
    total = next(line for line in lines if line.startswith("  historical"))
    parts = [line.split() for line in lines if line.strip().split(" ")[0].endswith(".XNAS")]
    figure = float(total.split()[1].replace(",", ""))
    assert len(parts) == len(portfolio_risk.HELD)
    assert sum(float(part[1].replace(",", "")) for part in parts) == pytest.approx(figure, abs=2.0)


def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text())["cells"]
    return found


def test_when_the_notebook_is_executed_from_top_to_bottom_every_cell_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells()):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"research.ipynb[{number}]", "exec"), names)
    assert names["table"].height > 2
    assert 0.0 <= names["deflated"] <= 1.0


def test_when_the_notebook_is_committed_it_holds_no_outputs() -> None:
    code = [cell for cell in cells() if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
