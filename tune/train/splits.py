"""Training, validation, calibration and test windows, behind each other in time, no outcome in two of them."""

from dataclasses import dataclass

from trading.errors import DataError
from trading.indicators.periods import IntArray
from trading.strategies.strategy import Bars
from tune.train.plan import TrainingPlan
from tune.train.windows import Windows, windows_of

PARTS = ("train", "validation", "calibration", "test")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time (close of its first and of its last bar, ns UTC, both included)."""

    first_ts: int
    last_ts: int


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Windows by what they are for.

    Attributes
    ----------
    train, calibration, test : Windows
        Every window of their time; calibration and test are empty when their share is 0.
    validation : Windows
        Of each instrument, windows whose outcomes do not overlap.
    """

    train: Windows
    validation: Windows
    calibration: Windows
    test: Windows


def spans_of(ts: IntArray, plan: TrainingPlan) -> dict[str, Span]:
    """Return the time of each part that has a share.

    The bars that can be the last of a window are cut by the shares of the plan. A window belongs to a part when its
    last bar and all its outcomes lie in the part's time: the last `horizon` bars of a part start no window, and what a
    part is judged by lies behind all that the parts before it have seen.

    Raises
    ------
    DataError
        If a part has not enough bars for one window.
    """
    first = plan.input_size - 1
    usable = ts.size - first
    shares = (plan.validation_share, plan.calibration_share, plan.test_share)
    counts = [round(usable * share) for share in shares]
    starts = [first, *(ts.size - sum(counts[place:]) for place in range(3)), ts.size]
    spans: dict[str, Span] = {}
    for place, part in enumerate(PARTS):
        start, stop = starts[place], starts[place + 1]
        if place and shares[place - 1] == 0:
            continue
        if stop - start <= plan.horizon:
            raise DataError(
                f"{ts.size} bars leave {max(stop - start, 0)} for the {part} of a model that reads "
                f"{plan.input_size} and forecasts {plan.horizon}; give more bars, or shorten it."
            )
        spans[part] = Span(int(ts[start]), int(ts[stop - 1]))
    return spans


def split_windows(bars: Bars, plan: TrainingPlan) -> Split:
    """Return the windows of each part.

    Raises
    ------
    DataError
        If a part has not enough bars, or no window in which every number is known.
    """
    spans = spans_of(bars.ts, plan)
    parts = {part: _windows(bars, plan, part, spans.get(part)) for part in PARTS}
    for part in spans:
        if not len(parts[part]):
            raise DataError(f"There is no window without gaps for the {part} of the model.")
    return Split(**parts)


def part_windows(
    bars: Bars, plan: TrainingPlan, part: str, start_ts: int | None, end_ts: int | None
) -> Windows:
    """Return the windows of a stretch of time for a part: those of the validation do not overlap."""
    return windows_of(
        bars,
        plan.input_size,
        plan.horizon,
        plan.input_features,
        start_ts=start_ts,
        end_ts=end_ts,
        stride=plan.horizon if part == "validation" else 1,
    )


def _windows(bars: Bars, plan: TrainingPlan, part: str, span: Span | None) -> Windows:
    if span is None:
        return part_windows(bars, plan, part, None, None).take(slice(0, 0))
    return part_windows(bars, plan, part, span.first_ts, span.last_ts)
