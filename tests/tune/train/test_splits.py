"""No outcome of one part is seen by another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars
from tune.train.plan import plan_of
from tune.train.splits import PARTS, spans_of, split_windows

DAY = 86_400_000_000_000


def bars_of(count: int) -> Bars:
    returns = np.random.default_rng(1).normal(0.0, 0.02, (count, 2))
    names = (InstrumentId("A.X"), InstrumentId("B.X"))
    return Bars.of_closes(DAY * np.arange(count), names, np.exp(np.cumsum(returns, axis=0)))


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(120, 260),
    size=st.integers(8, 30),
    horizon=st.integers(1, 6),
    shares=st.tuples(*(st.floats(0.1, 0.25) for _ in range(3))),
)
def test_parts_follow_each_other_with_no_outcome_in_two(
    count: int, size: int, horizon: int, shares: tuple[float, float, float]
) -> None:
    plan = plan_of(
        "linear", input_size=size, horizon=horizon, validation_share=shares[0],
        calibration_share=shares[1], test_share=shares[2],
    )  # fmt: skip
    split = split_windows(bars_of(count), plan)
    parts = [getattr(split, part) for part in PARTS]
    seen_until = -1
    for part in parts:
        first_outcome = part.ts.min() + DAY
        assert part.ts.min() >= seen_until
        assert first_outcome > seen_until
        seen_until = part.ts.max() + horizon * DAY
    assert seen_until <= (count - 1) * DAY
    for index, part in enumerate(parts[1:]):
        gap = (part.ts.min() - parts[index].ts.max()) // DAY
        assert gap >= horizon


def test_every_bar_that_can_belongs_to_a_part() -> None:
    plan = plan_of("linear", input_size=10, horizon=3)
    bars = bars_of(200)
    split = split_windows(bars, plan)
    spans = spans_of(bars.ts, plan)
    assert spans["train"].first_ts == 9 * DAY
    assert spans["test"].last_ts == 199 * DAY
    assert len(split.train) == 2 * ((spans["train"].last_ts - spans["train"].first_ts) // DAY - 2)


def test_outcomes_of_the_validation_do_not_overlap() -> None:
    plan = plan_of("linear", input_size=10, horizon=3, validation_share=0.3)
    validation = split_windows(bars_of(200), plan).validation
    one = validation.ts[validation.instrument == 0]
    assert (np.diff(one) == 3 * DAY).all()


def test_part_without_a_share_is_empty() -> None:
    plan = plan_of("linear", input_size=10, horizon=3, calibration_share=0.0, test_share=0.0)
    split = split_windows(bars_of(200), plan)
    assert (len(split.calibration), len(split.test)) == (0, 0)
    assert split.validation.ts.max() == 196 * DAY


def test_too_few_bars_are_refused_with_the_part() -> None:
    plan = plan_of("linear", input_size=10, horizon=5, validation_share=0.05)
    with pytest.raises(DataError, match="for the validation"):
        split_windows(bars_of(60), plan)


def test_part_of_gaps_alone_is_refused() -> None:
    bars = bars_of(200)
    bars.close[150:] = np.nan
    plan = plan_of("linear", input_size=10, horizon=5)
    with pytest.raises(DataError, match="without gaps for the test"):
        split_windows(bars, plan)
