import numpy as np
import pytest

from actors.feeds.replay import Replay
from actors.feeds.sources import PriceTable
from trading.commands import RequestBars, Watermark
from trading.data import BarsHistory, BarSlice, MarketSlice
from trading.effects import Append, CancelTimer, Effect, Send, SetTimer
from trading.events import ReplayAdvanced
from trading.identifiers import InstrumentId, MachineName
from trading.messages import Message
from trading.outcomes import JournalUnavailable, Started, TimerFired

EXCHANGE, BROKER, ASKER = (
    MachineName(name) for name in ("exchange:paper", "broker:paper:DEMO", "strategy:s")
)
PACE, SETTLE = 100, 1_000
FIRST, LAST = 6, 9


def table(rows: int = 10) -> PriceTable:
    close = np.arange(1.0, 2 * rows + 1).reshape(rows, 2)
    names = (InstrumentId("A.X"), InstrumentId("B.X"))
    ts = np.arange(1, rows + 1, dtype=np.int64) * 1_000
    return PriceTable(ts, names, close, close, close, close, np.zeros_like(close))


def replay(pace_ns: int = PACE, advanced_to: int = 0) -> Replay:
    machine = Replay(
        MachineName("replay:prices"),
        table(),
        first=FIRST,
        last=LAST,
        pace_ns=pace_ns,
        settle_timeout_ns=SETTLE,
        exchange=EXCHANGE,
    )
    for sequence in range(FIRST, advanced_to + 1):
        machine.apply(ReplayAdvanced(sequence=sequence))
    return machine


def told(machine: Replay, message: Message, now: int = 0) -> list[Effect]:
    effects = machine.handle(message, now)
    machine.validate()
    return effects


def begun(machine: Replay, now: int = 0) -> list[Effect]:
    """Start, and let the time-out pass that everybody gets before the first slice."""
    assert told(machine, Started(epoch=1)) == [SetTimer("settle", SETTLE)]
    return told(machine, TimerFired(key="settle"), now)


def done(sequence: int) -> Watermark:
    return Watermark(sequence=sequence, sender=BROKER)


def handed_out(effects: list[Effect]) -> list[int]:
    slices = [e.message for e in effects if isinstance(e, Send)]
    return [m.sequence for m in slices if isinstance(m, MarketSlice)]


def test_first_slice_is_journalled_then_sent_then_timed() -> None:
    append, send, settle, pace = begun(replay(), now=50)
    assert isinstance(append, Append)
    assert append.event == ReplayAdvanced(ts_event=6_000, ts_init=50, sequence=FIRST)
    assert isinstance(send, Send)
    assert send.to == EXCHANGE
    assert isinstance(send.message, MarketSlice)
    assert (send.message.sequence, send.message.ts_event) == (FIRST, 6_000)
    assert [(b.instrument_id, b.close) for b in send.message.bars] == [("A.X", 11.0), ("B.X", 12.0)]
    assert settle == SetTimer("settle", 50 + SETTLE)
    assert pace == SetTimer("pace", 50 + PACE)


@pytest.mark.parametrize("watermark_first", [True, False])
def test_next_slice_waits_for_watermark_and_pace(watermark_first: bool) -> None:
    machine = replay()
    begun(machine)
    steps: list[Message] = [done(FIRST), TimerFired(key="pace")]
    early, late = steps if watermark_first else steps[::-1]
    assert handed_out(told(machine, early)) == []
    assert handed_out(told(machine, late)) == [FIRST + 1]


def test_without_pace_the_watermark_alone_releases() -> None:
    machine = replay(pace_ns=0)
    begun(machine)
    assert handed_out(told(machine, done(FIRST))) == [FIRST + 1]
    assert handed_out(told(machine, done(FIRST))) == []
    assert handed_out(told(machine, done(FIRST + 1))) == [FIRST + 2]


def test_settle_time_out_releases_and_is_counted() -> None:
    machine = replay(pace_ns=0)
    begun(machine)
    assert handed_out(told(machine, TimerFired(key="settle"))) == [FIRST + 1]
    assert machine.view()["waited"] == 1


def test_replay_ends_after_the_last_slice_is_settled() -> None:
    machine = replay(pace_ns=0)
    begun(machine)
    for sequence in range(FIRST, LAST):
        assert not machine.view()["finished"]
        told(machine, done(sequence))
    assert not machine.view()["finished"]
    assert told(machine, done(LAST)) == [CancelTimer("settle")]
    view = machine.view()
    assert view["finished"]
    assert (view["sequence"], view["first"], view["last"]) == (LAST, FIRST, LAST)
    assert (view["clock"], view["waited"]) == (9_000, 0)


def test_restart_hands_the_journalled_slice_out_again_and_goes_on_from_it() -> None:
    machine = replay(pace_ns=0, advanced_to=7)
    effects = told(machine, Started(epoch=2))
    assert handed_out(effects) == [7]
    assert not any(isinstance(e, Append) for e in effects)
    assert handed_out(told(machine, done(7))) == [8]
    assert machine.state_hash() == replay(advanced_to=8).state_hash()
    assert machine.state_hash() != replay(advanced_to=7).state_hash()


def test_restart_waits_again_for_the_slice_that_it_hands_out_again() -> None:
    machine = replay(advanced_to=7)
    told(machine, Started(epoch=2))
    assert handed_out(told(machine, TimerFired(key="pace"))) == []
    assert handed_out(told(machine, done(7))) == [8]


def test_restart_after_the_end_finishes_again() -> None:
    machine = replay(advanced_to=LAST)
    assert handed_out(told(machine, Started(epoch=2))) == [LAST]
    told(machine, TimerFired(key="settle"))
    assert machine.view()["finished"]


def test_journal_trouble_moves_nothing_and_the_next_start_goes_on() -> None:
    machine = replay(advanced_to=7)
    told(machine, Started(epoch=1))
    assert told(machine, JournalUnavailable(stream=machine.stream or "", reason="disk full")) == []  # type: ignore[arg-type]
    assert handed_out(told(machine, Started(epoch=1))) == [7]


@pytest.mark.parametrize(
    ("advanced_to", "count", "expected"),
    [
        (0, 3, [3, 4, 5]),
        (0, 100, [1, 2, 3, 4, 5]),
        (8, 3, [6, 7, 8]),
        (8, 0, []),
    ],
)
def test_history_ends_with_the_current_slice(
    advanced_to: int, count: int, expected: list[int]
) -> None:
    request = RequestBars(count=count, reply_to=ASKER)
    (effect,) = told(replay(advanced_to=advanced_to), request)
    assert isinstance(effect, Send)
    assert effect.to == ASKER
    history = effect.message
    assert isinstance(history, BarsHistory)
    assert history.sequence == (advanced_to or FIRST - 1)
    assert [one.sequence for one in history.slices] == expected


def test_history_and_live_slices_are_one_numbering() -> None:
    machine = replay()
    live = next(e.message for e in begun(machine) if isinstance(e, Send))
    assert isinstance(live, MarketSlice)
    (effect,) = told(machine, RequestBars(count=1, reply_to=ASKER))
    assert isinstance(effect, Send)
    assert isinstance(effect.message, BarsHistory)
    (past,) = effect.message.slices
    assert isinstance(past, BarSlice)
    assert (past.sequence, past.ts_event, past.bars) == (live.sequence, live.ts_event, live.bars)


@pytest.mark.parametrize(("first", "last"), [(0, 5), (4, 3), (1, 11)])
def test_range_outside_the_table_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match=f"slices {first} to {last} are not within 1 to 10"):
        Replay(
            MachineName("replay:x"),
            table(),
            first=first,
            last=last,
            pace_ns=0,
            settle_timeout_ns=1,
            exchange=EXCHANGE,
        )
