"""The record that outlives the process, and the hours of a session."""

from datetime import datetime

import pytest

from actors.venues.fix.messages import sent_order
from actors.venues.fix.record import Record, StoreInUse
from actors.venues.fix.schedule import Schedule
from tests.venues.fix.reports import NOW, STANDARD, fill, wire
from tests.venues.fix.test_dialect import new_order, order

DAY = 86_400_000_000_000


def test_what_was_written_is_there_after_a_restart(tmp_path):
    path = tmp_path / "store" / "A-B.record"
    record = Record(path, 0)
    sent = sent_order(order(), new_order(STANDARD))
    record.add_order(sent, NOW)
    record.add_report(wire(fill()), NOW + 1)
    record.close()
    again = Record(path, 0)
    assert [each.sent for each in again.entries] == [sent, None]
    assert again.entries[1].text == wire(fill())
    again.close()


def test_a_line_that_was_cut_is_ignored_and_the_next_one_is_whole(tmp_path, caplog):
    path = tmp_path / "A-B.record"
    record = Record(path, 0)
    record.add_report("one", NOW)
    record.add_report("two", NOW)
    record.close()
    path.write_bytes(path.read_bytes()[:-7])
    again = Record(path, 0)
    again.add_report("three", NOW)
    again.close()
    last = Record(path, 0)
    assert [each.text for each in last.entries] == ["one", "three"]
    assert "1 lines were cut" in caplog.text
    last.close()


def test_old_entries_are_dropped_at_the_start(tmp_path):
    path = tmp_path / "A-B.record"
    record = Record(path, 0)
    record.add_report("old", NOW - 8 * DAY)
    record.add_report("new", NOW)
    record.close()
    again = Record(path, NOW - 7 * DAY)
    again.close()
    assert b"old" not in path.read_bytes()
    assert b"new" in path.read_bytes()


def test_only_one_has_a_session_at_a_time(tmp_path):
    path = tmp_path / "A-B.record"
    first = Record(path, 0)
    with pytest.raises(StoreInUse):
        Record(path, 0)
    first.close()
    first.close()
    Record(path, 0).close()


def test_a_closed_record_takes_nothing(tmp_path):
    record = Record(tmp_path / "A-B.record", 0)
    record.close()
    with pytest.raises(OSError, match="closed"):
        record.add_report("late", NOW)


def test_nobody_else_may_read_the_record(tmp_path):
    record = Record(tmp_path / "store" / "A-B.record", 0)
    record.add_report("secret position", NOW)
    record.close()
    assert (tmp_path / "store").stat().st_mode & 0o077 == 0


# -- schedule


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1e9)


NEW_YORK = Schedule("09:30:00", "16:00:00", "America/New_York")


def test_within_its_hours_a_session_is_open():
    assert NEW_YORK.opens_in_s(at("2026-11-20T14:30:00Z")) == 0
    assert NEW_YORK.opens_in_s(at("2026-11-20T20:59:59Z")) == 0
    assert NEW_YORK.opens_in_s(at("2026-11-20T21:00:00Z")) == 17.5 * 3600
    assert NEW_YORK.opens_in_s(at("2026-11-20T14:29:00Z")) == 60


def test_daylight_saving_moves_the_hours_in_utc():
    assert NEW_YORK.utc_times(at("2026-11-20T14:30:00Z")) == ("14:30:00", "21:00:00")
    assert NEW_YORK.utc_times(at("2026-07-20T14:30:00Z")) == ("13:30:00", "20:00:00")


def test_a_session_may_run_over_midnight():
    night = Schedule("18:00:00", "17:00:00", "America/New_York")
    assert night.opens_in_s(at("2026-11-20T23:30:00Z")) == 0
    assert night.opens_in_s(at("2026-11-20T12:00:00Z")) == 0
    assert night.opens_in_s(at("2026-11-20T22:30:00Z")) == 1800


def test_the_wait_for_the_opening_counts_the_hour_that_a_night_loses():
    early = Schedule("08:00:00", "16:00:00", "America/New_York")
    assert early.opens_in_s(at("2026-03-08T06:00:00Z")) == 6 * 3600  # 01:00 to 08:00, without 02:00
