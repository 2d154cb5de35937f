"""The questions of a backfill: few at a time, wider where there is too little, again when they fail."""

import itertools

from trading.data import Bar
from trading.effects import FetchBars
from trading.identifiers import InstrumentId
from trading.market_data.backfill import (
    ATTEMPTS_MAX,
    IN_FLIGHT_MAX,
    RETRY_NS,
    WIDEST_NS_MIN,
    Backfill,
    Goal,
)
from trading.outcomes import BarsFetched, FeedAskFailed

SECOND = 10**9
MINUTE = 60 * SECOND
DAY = 1_440 * MINUTE
NOW = 20_000 * DAY + 9 * 60 * MINUTE
KEYS = tuple(InstrumentId(f"{name}.X") for name in "ABCDEFGHIJ")


def bar(key, at):
    return Bar(ts_event=at, instrument_id=key, open=1.0, high=1.0, low=1.0, close=1.0)


class Venue:
    """Answers the questions of a backfill from `bars`: instrument to closes."""

    def __init__(self, backfill, bars, now=NOW):
        self.backfill, self.bars, self.now = backfill, bars, now
        self.asked, self.found = [], {}
        self.failures = {}

    def answer_all(self):
        most = 0
        while not self.backfill.is_done:
            asks = self.backfill.asks(self.now)
            most = max(most, len(asks))
            if not asks:
                self.now = self.backfill.next_due()
            for ask in asks:
                self.answer(ask.body)
        return most

    def answer(self, body: FetchBars):
        self.asked.append((body.instrument_id, body.start, body.end))
        left = self.failures.get(body.instrument_id, [])
        if left:
            failed = FeedAskFailed(
                question="FetchBars",
                reason="no",
                is_final=left.pop(0),
                instrument_id=body.instrument_id,
                start=body.start,
                end=body.end,
            )
            self.backfill.fail(failed, self.now)
            return
        closes = [
            at for at in self.bars.get(body.instrument_id, ()) if body.start <= at <= body.end
        ]
        bars = tuple(bar(body.instrument_id, at) for at in closes if at <= self.now)
        self.found.setdefault(body.instrument_id, []).extend(closes)
        fetched = BarsFetched(
            instrument_id=body.instrument_id, start=body.start, end=body.end, bars=bars
        )
        self.backfill.take(fetched, bars, self.now)


def fill(keys, bars, **goal):
    backfill = Backfill(keys, MINUTE)
    backfill.begin(Goal(**{"since": 0, "until": NOW, "count": 100, **goal}))
    return backfill, Venue(backfill, bars)


def test_when_a_market_never_closes_one_question_per_instrument_is_enough():
    bars = {key: range(NOW - 300 * MINUTE, NOW + 1, MINUTE) for key in KEYS}
    backfill, venue = fill(KEYS, bars)
    assert venue.answer_all() == IN_FLIGHT_MAX
    assert [key for key, _, _ in venue.asked] == list(KEYS)
    assert all(len(found) == 100 for found in venue.found.values())
    assert backfill.given_up == {}


def test_when_the_market_was_closed_for_days_wider_spans_follow_without_overlap():
    friday = NOW - 3 * DAY
    bars = {KEYS[0]: range(friday - 390 * MINUTE, friday + 1, MINUTE)}
    _, venue = fill(KEYS[:1], bars)
    venue.answer_all()
    assert len(venue.found[KEYS[0]]) >= 100
    assert len(set(venue.found[KEYS[0]])) == len(venue.found[KEYS[0]])
    spans = sorted((start, end) for _, start, end in venue.asked)
    assert all(end + 1 == start for (_, end), (start, _) in itertools.pairwise(spans))


def test_when_there_is_no_history_the_questions_end():
    _, venue = fill(KEYS[:2], {})
    venue.answer_all()
    assert len(venue.asked) < 20
    assert min(start for _, start, _ in venue.asked) <= NOW - WIDEST_NS_MIN


def test_when_bars_are_there_only_what_is_newer_is_asked_for():
    since = NOW - 7 * MINUTE
    bars = {KEYS[0]: range(NOW - 300 * MINUTE, NOW + 1, MINUTE)}
    _, venue = fill(KEYS[:1], bars, since=since)
    venue.answer_all()
    assert venue.asked == [(KEYS[0], since + 1, NOW)]


def test_when_the_wanted_bar_is_not_there_yet_it_is_asked_for_until_patience_ends():
    bars = {KEYS[0]: [NOW - MINUTE], KEYS[1]: [NOW - MINUTE, NOW]}
    _, venue = fill(
        KEYS[:2], bars, since=NOW - MINUTE, wanted_at=NOW, patience_until=NOW + 3 * SECOND
    )
    venue.answer_all()
    again = [asked for asked in venue.asked if asked[1:] == (NOW, NOW)]
    assert again == [(KEYS[0], NOW, NOW)] * 3
    assert venue.now == NOW + 3 * RETRY_NS


def test_when_questions_fail_they_are_asked_again_later_and_given_up_in_the_end():
    bars = {key: range(NOW - 300 * MINUTE, NOW + 1, MINUTE) for key in KEYS[:3]}
    backfill, venue = fill(KEYS[:3], bars)
    venue.failures = {
        KEYS[0]: [False, False],
        KEYS[1]: [False] * ATTEMPTS_MAX,
        KEYS[2]: [True],
    }
    venue.answer_all()
    assert len(venue.found[KEYS[0]]) == 100
    assert backfill.given_up == {KEYS[1]: "no", KEYS[2]: "no"}
    assert venue.now >= NOW + 15 * RETRY_NS  # 1 + 2 + 4 + 8


def test_when_an_answer_belongs_to_an_earlier_goal_it_changes_nothing():
    backfill, venue = fill(KEYS[:1], {})
    (old,) = backfill.asks(NOW)
    backfill.begin(Goal(since=NOW - MINUTE, until=NOW + MINUTE, count=100))
    (new,) = backfill.asks(NOW)
    venue.answer(old.body)
    assert not backfill.is_done
    venue.answer(new.body)
    assert backfill.is_done


def test_when_stopped_nothing_is_asked_any_more():
    backfill, _ = fill(KEYS, {})
    backfill.asks(NOW)
    backfill.stop()
    assert backfill.is_done
    assert backfill.asks(NOW) == []
    assert backfill.next_due() is None
