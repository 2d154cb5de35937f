import numpy as np
import pytest

from trading.identifiers import InstrumentId
from trading.indicators.rolling import zscore
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.strategy import Bars


def bars_of(*columns: list[float]) -> Bars:
    close = np.array(columns).T
    names = tuple(InstrumentId(f"{i}.X") for i in range(len(columns)))
    return Bars.of_closes(np.arange(len(close), dtype=np.int64), names, close)


def plainly(strategy: MeanReversion, score: list[float]) -> float:
    """The rule as a loop over one instrument: the side after the last bar."""
    side = 0.0
    for z in score[-strategy.hold_bars_max :]:
        if z <= -strategy.entry_z:
            side = 1.0
        elif z >= strategy.entry_z:
            side = -1.0
        elif not side * z < -strategy.exit_z:
            side = 0.0
    return side


def test_side_at_every_bar_is_that_of_the_plain_loop(bars: Bars) -> None:
    strategy = MeanReversion(position_weight=0.1, allow_short=True, hold_bars_max=9)
    weights = strategy.targets(bars)
    score = zscore(bars.close, strategy.window_bars)
    sides = set()
    for row in range(strategy.lookback - 1, len(bars)):
        for column in range(6):
            side = plainly(strategy, score[: row + 1, column].tolist())
            assert weights[row, column] == pytest.approx(0.1 * side)
            sides.add(side)
    assert sides == {-1.0, 0.0, 1.0}


def test_fall_is_bought_and_sold_near_the_mean() -> None:
    wave = [100.0, 101.0] * 10
    bars = bars_of([*wave, 90.0, 92.0, 100.0])
    weights = MeanReversion(window_bars=10, hold_bars_max=5).targets(bars)[:, 0]
    np.testing.assert_allclose(weights[-4:], [0.0, 0.2, 0.2, 0.0])


def test_position_that_does_not_revert_is_given_up_by_the_time_stop() -> None:
    wave = [100.0, 101.0] * 10
    bars = bars_of([*wave, *np.linspace(90.0, 88.0, 12).tolist()])
    held = MeanReversion(window_bars=20, hold_bars_max=4).targets(bars)[:, 0] > 0
    entered = np.flatnonzero(zscore(bars.close, 20)[:, 0] <= -2.0)
    assert held[entered[-1] + 3]
    assert not held[entered[-1] + 4]


def test_rise_is_sold_short_only_when_allowed() -> None:
    wave = [100.0, 101.0] * 10
    bars = bars_of([*wave, 112.0])
    assert MeanReversion(window_bars=10, hold_bars_max=5).targets(bars)[-1, 0] == 0.0
    short = MeanReversion(window_bars=10, hold_bars_max=5, allow_short=True).targets(bars)
    assert short[-1, 0] == -0.2


def test_weights_shrink_in_proportion_when_their_sum_would_exceed_one() -> None:
    fallen = [*([100.0, 101.0] * 10), 90.0]
    weights = MeanReversion(window_bars=10, hold_bars_max=5, position_weight=0.4).targets(
        bars_of(fallen, fallen, fallen)
    )
    np.testing.assert_allclose(weights[-1], [1 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_bars": 1}, "MeanReversion: window_bars must be a whole number from 2 to 2520"),
        ({"entry_z": 0.0}, "entry_z"),
        ({"exit_z": 2.0}, r"exit_z must be below entry_z \(2.0\), got 2.0"),
        ({"exit_z": -0.1}, "exit_z"),
        ({"hold_bars_max": 0}, "hold_bars_max"),
        ({"position_weight": 1.5}, "position_weight"),
        ({"allow_short": "no"}, "allow_short"),
    ],
)
def test_parameter_out_of_range_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MeanReversion(**changes)  # type: ignore[arg-type]
