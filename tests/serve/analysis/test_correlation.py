"""How symbols move together."""

from pathlib import Path

import numpy as np
import pytest

from serve.desk.analysis.correlation import correlation_analysis, correlation_matrix
from serve.desk.analysis.prices import prices_of
from serve.desk.front_desk import FrontDesk
from tests.serve.analysis.desks import on_prices, walk, without_cluster
from trading.errors import DataError, NotFound, UsageError

EVERY = [
    "AAPL",
    "AMD",
    "BAC",
    "BBY",
    "CVX",
    "GE",
    "HD",
    "JNJ",
    "JPM",
    "KO",
    "LLY",
    "MRK",
    "MSFT",
    "PEP",
    "PFE",
    "PG",
    "RRC",
    "UNH",
    "WMT",
    "XOM",
]


@pytest.fixture
def desk(tmp_path: Path) -> FrontDesk:
    return without_cluster(tmp_path)


@pytest.mark.parametrize("days", [30, 90, 1000])
@pytest.mark.parametrize("symbols", [["AAPL", "MSFT"], EVERY])
def test_the_matrix_is_a_correlation(desk: FrontDesk, symbols: list[str], days: int) -> None:
    found = correlation_matrix(desk, symbols, days)
    rows = np.array([[found.correlation_matrix[a][b] for b in symbols] for a in symbols])
    assert np.array_equal(rows, rows.T)
    assert np.array_equal(np.diag(rows), np.ones(len(symbols)))
    assert np.linalg.eigvalsh(rows)[0] > -1e-10
    assert len(found.pairs) == len(symbols) * (len(symbols) - 1) // 2
    for pair in found.pairs:
        low, high = pair.interval_95
        assert -1 <= low <= pair.correlation <= high <= 1


def test_figures_agree_with_numpy(desk: FrontDesk) -> None:
    found = correlation_analysis(desk, ["AAPL", "XOM", "JNJ"], 365)
    stored = prices_of(desk)
    ts, close = stored.common_closes(stored.columns(["AAPL", "XOM", "JNJ"]), 365)
    expected = np.corrcoef(close[1:] / close[:-1] - 1.0, rowvar=False)
    assert found.correlation_matrix["AAPL"]["XOM"] == pytest.approx(expected[0, 1])
    pairs = expected[np.triu_indices(3, 1)]
    assert found.summary_statistics.average_correlation == pytest.approx(pairs.mean())
    assert found.summary_statistics.max_correlation == pytest.approx(pairs.max())
    values = np.linalg.eigvalsh(expected)
    effective = values.sum() ** 2 / (values**2).sum()
    assert found.diversification_metrics.effective_assets == pytest.approx(effective)
    assert found.returns == len(ts) - 1
    assert found.data.bars == len(ts)


def test_the_interval_is_fishers(tmp_path: Path) -> None:
    desk = on_prices(tmp_path, {"A": walk(1, 104), "B": walk(2, 104)})
    found = correlation_matrix(desk, ["A", "B"], 3650)
    assert found.returns == 103
    r = found.pairs[0].correlation
    half = 1.959964 / 10.0  # 1 / sqrt(103 - 3)
    expected = (np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half))
    assert found.pairs[0].interval_95 == pytest.approx(expected, abs=1e-6)


def test_twins_are_one_thing_and_strangers_are_several(tmp_path: Path) -> None:
    base = walk(1)
    twins = on_prices(tmp_path, {"A": base, "B": 2 * base + walk(5, deviation=1e-6) - 100})
    found = correlation_analysis(twins, ["A", "B"], 3650)
    assert found.diversification_metrics.effective_assets == pytest.approx(1.0, abs=1e-3)
    assert correlation_matrix(twins, ["A", "B"], 3650).high_correlations[0].pair == ("A", "B")
    strangers = on_prices(tmp_path, {name: walk(i) for i, name in enumerate("CDEF")})
    found = correlation_analysis(strangers, list("CDEF"), 3650)
    assert found.diversification_metrics.effective_assets > 3.8
    assert not correlation_matrix(strangers, list("CDEF"), 3650).high_correlations


def test_a_change_between_the_halves_is_seen(tmp_path: Path) -> None:
    a, b = walk(1, 400), walk(2, 400)
    ratio = a[200:] / a[199]
    b = np.concatenate([b[:200], b[199] * ratio])
    found = correlation_matrix(on_prices(tmp_path, {"A": a, "B": b}), ["A", "B"], 3650)
    assert found.correlation_stability is not None
    assert found.correlation_stability.pairs_changed_share == 1.0
    change = found.correlation_stability.largest_change
    assert abs(change.first_half) < 0.3
    assert change.second_half > 0.9


def test_inputs_matter_and_the_same_gives_the_same(desk: FrontDesk) -> None:
    one = correlation_analysis(desk, ["AAPL", "MSFT"], 90)
    assert correlation_analysis(desk, ["AAPL", "MSFT"], 90) == one
    assert correlation_analysis(desk, ["AAPL", "XOM"], 90) != one
    longer = correlation_analysis(desk, ["AAPL", "MSFT"], 365)
    assert longer.correlation_matrix != one.correlation_matrix
    assert longer.data.first < one.data.first


def test_energy_stands_apart(desk: FrontDesk) -> None:
    found = correlation_analysis(desk, ["XOM", "CVX", "PG", "KO", "PEP"], 3650)
    assert ["CVX", "XOM"] in [sorted(group) for group in found.clusters]


def test_wrong_questions_are_refused(desk: FrontDesk, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 to 100"):
        correlation_analysis(desk, ["AAPL", "aapl"])
    with pytest.raises(UsageError, match="period"):
        correlation_analysis(desk, ["AAPL", "MSFT"], 0)
    with pytest.raises(DataError, match="longer period"):
        correlation_analysis(desk, ["AAPL", "MSFT"], 5)
    with pytest.raises(NotFound, match="TSLA"):
        correlation_matrix(desk, ["AAPL", "TSLA"])
    flat = on_prices(tmp_path, {"A": np.full(50, 3.0), "B": walk(1, 50)})
    with pytest.raises(DataError, match="does not move"):
        correlation_analysis(flat, ["A", "B"])
