from datetime import date
from pathlib import Path

import numpy as np
import pytest

from actors.feeds.sources import load_prices, symbols_of
from actors.storage.scenario_files import find_scenario, read_scenario, shipped_scenarios
from trading.errors import UsageError
from trading.stress.factors import written_move
from trading.stress.holdings import equity_holdings
from trading.stress.market_beta import market_betas
from trading.stress.replay import replay, returns_of_window
from trading.stress.scenario_loss import scenario_loss

DOCUMENT = Path(__file__).parents[3] / "docs" / "stress.md"
EXPECTED = (
    "black_monday_1987", "covid_2020", "crisis_2008", "crypto_2022", "dotcom_2000", "flash_crash_2010",
    "ltcm_1998", "rate_shock_2022", "swiss_franc_2015",
)  # fmt: skip


def test_when_shipped_every_scenario_has_dates_a_title_and_sources() -> None:
    scenarios = shipped_scenarios()
    assert tuple(scenario.name for scenario in scenarios) == EXPECTED
    for scenario in scenarios:
        assert scenario.title
        assert scenario.start is not None
        assert scenario.end is not None
        assert int(scenario.name[-4:]) in range(scenario.start.year, scenario.end.year + 1)
        assert all(len(shock.source) > 15 for shock in scenario.shocks)
        assert "equity.us" in scenario.moves


def test_when_documented_the_table_says_what_the_files_say() -> None:
    text = DOCUMENT.read_text()
    for scenario in shipped_scenarios():
        assert f"| `{scenario.name}` | {scenario.start}, {scenario.end} |" in text
        for shock in scenario.shocks:
            move = written_move(shock.factor, shock.move)
            assert f"| `{shock.factor}` | {move} | {shock.source} |" in text


@pytest.mark.parametrize("name", ["covid_2020", "crisis_2008", "dotcom_2000", "ltcm_1998"])
def test_when_index_is_at_hand_the_fall_of_the_market_is_the_one_in_the_data(name: str) -> None:
    """skfolio ships the closes of the S&P 500, too."""
    from importlib.util import find_spec

    import polars as pl

    folders = find_spec("skfolio")
    assert folders is not None
    assert folders.submodule_search_locations is not None
    path = Path(folders.submodule_search_locations[0]) / "datasets/data/sp500_index.csv.gz"
    closes = dict(pl.read_csv(path, try_parse_dates=True).iter_rows())
    scenario = find_scenario(name)
    assert scenario.start is not None
    assert scenario.end is not None
    expected = closes[scenario.end] / closes[scenario.start] - 1.0
    assert scenario.moves["equity.us"] == pytest.approx(expected, abs=5e-5)


def test_when_twenty_stocks_follow_their_betas_the_crisis_costs_about_what_it_did_cost() -> None:
    """The factor model against the replay of the same days: they agree on the order of the loss."""
    table = load_prices("sp500", symbols_of("sp500"))
    names = table.instrument_ids
    window = (date(2020, 2, 19), date(2020, 3, 23))
    exposures = np.full(len(names), 5_000.0)
    before = returns_of_window(table.ts, table.close, names, date(2018, 1, 2), window[0])
    holdings = equity_holdings(names, exposures, market_betas(before, names))
    modelled = scenario_loss(find_scenario("covid"), holdings).total
    real = replay(table.ts, table.close, names, exposures, window).total
    assert modelled == pytest.approx(33_920.0, rel=1e-3)
    assert modelled == pytest.approx(real, rel=0.25)


def test_when_name_is_unknown_error_lists_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match="there is no scenario 'armageddon'; there are black_monday"
    ):
        find_scenario("armageddon")
    with pytest.raises(UsageError, match=r"Did you mean crisis_2008\?"):
        find_scenario("crisis_2088")


def test_when_a_path_is_given_the_users_own_scenario_is_read(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('name = "own"\n[[shocks]]\nfactor = "equity.us"\nchange = -0.1\n')
    assert find_scenario(str(file)) == read_scenario(str(file))
    assert find_scenario(str(file)).moves == {"equity.us": -0.1}


def test_when_a_file_cannot_be_read_or_is_wrong_error_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.toml cannot be read: No such file"):
        find_scenario(str(tmp_path / "absent.toml"))
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(UsageError, match=r"latin\.toml is no UTF-8 text"):
        find_scenario(str(tmp_path / "latin.toml"))
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(UsageError, match=r"^bad\.toml is no TOML: .*\.$"):
        find_scenario(str(tmp_path / "bad.toml"))
