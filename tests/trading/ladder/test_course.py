"""What counts of the marks of an account on a rung."""

from decimal import Decimal

from tests.trading.ladder.story import DAY_NS
from trading.events import EquityMarked
from trading.identifiers import AccountId, StrategyId
from trading.ladder.course import Course

SINCE = 100 * DAY_NS


def mark(profit: int, day: int, at: int = SINCE + 1, name: str = "trend") -> EquityMarked:
    return EquityMarked(
        ts_event=day * DAY_NS,
        ts_init=at,
        account_id=AccountId("DEMO"),
        sequence=day,
        equity=Decimal(0),
        cash=Decimal(0),
        gross=Decimal(0),
        net=Decimal(0),
        by_strategy=((StrategyId(name), Decimal(profit), Decimal(0)),),
    )


def course(*marks: EquityMarked) -> Course:
    found = Course("trend", SINCE)
    for each in marks:
        found.add(each)
    return found


def test_before_the_first_mark_on_the_rung_there_is_nothing() -> None:
    assert (
        course(mark(9, 90, at=5), mark(9, 101, name="other")).marked("r", Decimal(1), "a") is None
    )


def test_profit_counts_from_the_rung_on_and_the_deepest_fall_is_kept() -> None:
    found = course(mark(100, 99, at=5), mark(130, 101), mark(110, 102), mark(140, 102))
    told = found.marked("r", Decimal(1000), "ladder")
    assert told is not None
    assert (told.profit, told.fall, told.days, told.run) == (Decimal(40), Decimal(20), 2, "r")


def test_loss_from_the_start_is_a_fall() -> None:
    told = course(mark(-30, 101)).marked("r", Decimal(1000), "ladder")
    assert told is not None
    assert told.fall == Decimal(30)


def test_days_of_a_replay_do_not_count() -> None:
    told = course(mark(1, 3), mark(2, 4)).marked("r", Decimal(1000), "ladder")
    assert told is not None
    assert told.days == 0
