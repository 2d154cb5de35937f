import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError, UsageError
from trading.stress.holdings import AssetClass, Holding, all_betas, equity_holdings
from trading.stress.scenario import build_scenario
from trading.stress.scenario_loss import scenario_loss

FALL = build_scenario(
    "fall",
    {"equity.us": -0.4, "sector.energy": 0.1, "rates.us_10y": 100, "crypto.btc": -0.5},
    instruments={"GME": 0.5},
)


def test_when_stock_has_beta_and_sector_both_count_by_hand() -> None:
    holding = Holding("XOM", 1000.0, sector="Energy", betas={"equity.us": 0.9})
    loss = scenario_loss(FALL, [holding])
    assert loss.factors == ("equity.us", "sector.energy")
    assert loss.by_factor == pytest.approx([360.0, -100.0])
    assert loss.total == pytest.approx(260.0)
    assert loss.residual == pytest.approx([0.0])


def test_when_bond_has_a_duration_it_loses_duration_times_yield() -> None:
    bond = Holding("TLT", 1000.0, AssetClass.BOND, betas={"rates.us_10y": -17.0})
    assert scenario_loss(FALL, [bond]).total == pytest.approx(170.0)


def test_when_instrument_has_its_own_shock_it_overrules_and_the_difference_is_residual() -> None:
    loss = scenario_loss(FALL, [Holding("GME", -200.0)])
    assert loss.by_position == pytest.approx([100.0])
    assert loss.by_factor == pytest.approx([-80.0])
    assert loss.residual == pytest.approx([180.0])


@pytest.mark.parametrize("value", [1000.0, -1000.0])
def test_when_beta_says_more_than_everything_a_price_loses_everything(value: float) -> None:
    loss = scenario_loss(FALL, [Holding("HOT", value, betas={"equity.us": 3.0})])
    assert loss.total == pytest.approx(value)
    assert loss.by_factor == pytest.approx([1.2 * value])
    assert loss.residual == pytest.approx([-0.2 * value])


def test_when_scenario_says_nothing_of_a_factor_it_is_named_as_unmoved() -> None:
    loss = scenario_loss(FALL, [Holding("KO", 10.0, sector="consumer staples")])
    assert loss.unmoved == ("sector.consumer_staples",)


def test_when_nothing_is_held_nothing_is_lost() -> None:
    loss = scenario_loss(FALL, [])
    assert (loss.total, loss.names, loss.factors) == (0.0, (), ())


def test_when_betas_are_missing_only_fair_ones_are_assumed() -> None:
    assert all_betas(Holding("AAPL", 1.0)) == {"equity.us": 1.0}
    assert all_betas(Holding("QQQ", 1.0, betas={"equity.nasdaq": 1.1})) == {"equity.nasdaq": 1.1}
    assert all_betas(Holding("BTC", 1.0, AssetClass.CRYPTO)) == {"crypto.btc": 1.0}
    assert all_betas(Holding("USD", 1.0, AssetClass.CASH)) == {}


@pytest.mark.parametrize("kind", [AssetClass.BOND, AssetClass.COMMODITY, AssetClass.CURRENCY])
def test_when_nothing_fair_can_be_assumed_error_asks_for_betas(kind: AssetClass) -> None:
    with pytest.raises(UsageError, match=f"XYZ is a {kind} without betas; give it some, such as"):
        scenario_loss(FALL, [Holding("XYZ", 1.0, kind)])


def test_when_a_holding_is_impossible_error_names_it() -> None:
    with pytest.raises(DataError, match="AAPL: the value is nan"):
        Holding("AAPL", math.nan)
    with pytest.raises(DataError, match=r"AAPL: the beta to equity\.us is inf"):
        Holding("AAPL", 1.0, betas={"equity.us": math.inf})
    with pytest.raises(UsageError, match="no factor 'market'"):
        Holding("AAPL", 1.0, betas={"market": 1.0})


def test_when_made_from_arrays_stocks_keep_beta_and_sector() -> None:
    first, second = equity_holdings(
        ("XOM", "KO"), np.array([1.0, -2.0]), np.array([0.8, 0.5]), {"XOM": "energy"}
    )
    assert (first.sector, first.betas) == ("energy", {"equity.us": 0.8})
    assert (second.value, second.sector) == (-2.0, "")
    with pytest.raises(DataError, match="market betas have shape"):
        equity_holdings(("XOM", "KO"), np.ones(2), np.ones(3))
    with pytest.raises(DataError, match="KO: the exposure is nan"):
        equity_holdings(("XOM", "KO"), np.array([1.0, math.nan]))


MOVES = st.floats(-1.0, 1.0)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), MOVES, MOVES, MOVES), min_size=1, max_size=8),
    st.tuples(MOVES, MOVES, MOVES),
    st.none() | MOVES,
)
def test_when_attributed_parts_sum_to_the_total_and_to_a_naive_loop(
    rows: list[tuple[float, float, float, float]],
    moves: tuple[float, float, float],
    own: float | None,
) -> None:
    names = ("equity.us", "style.value", "credit.us_high_yield")
    scenario = build_scenario(
        "any",
        {"equity.us": moves[0], "style.value": moves[1], "credit.us_high_yield": moves[2] * 1e4},
        instruments={} if own is None else {"0": own},
    )
    holdings = [
        Holding(str(row), value, betas=dict(zip(names, (a, b, c), strict=True)))
        for row, (value, a, b, c) in enumerate(rows)
    ]
    loss = scenario_loss(scenario, holdings)
    expected = 0.0
    for row, (value, a, b, c) in enumerate(rows):
        change = max(a * moves[0] + b * moves[1] + c * moves[2], -1.0)
        expected -= value * (own if own is not None and row == 0 else change)
    scale = 1e-12 * max(1.0, sum(abs(row[0]) for row in rows)) * 10
    assert loss.total == pytest.approx(expected, abs=scale)
    assert math.fsum(loss.by_position) == pytest.approx(loss.total, abs=scale)
    whole = math.fsum(loss.by_factor) + math.fsum(loss.residual)
    assert whole == pytest.approx(loss.total, abs=scale)
