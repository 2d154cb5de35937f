"""The trail of who did what: durable before anything is done, newest first, shared by all replicas."""

import threading
from pathlib import Path

import pytest

from actors.journal.sqlite import SqliteJournal
from actors.simulation.memory_journal import Disk, MemoryJournal
from serve.desk.audit import OK, AuditTrail
from serve.desk.principal import ALL, Principal
from trading.errors import JournalUnavailable

ANN = Principal(name="ann", permissions=ALL, came_by="key", address="10.0.0.7")


def test_a_request_is_found_with_who_what_and_from_where(tmp_path: Path) -> None:
    trail = AuditTrail(SqliteJournal(tmp_path), "demo")
    trail.record(ANN, "POST /v1/orders", subject="abc", correlation_id="c")
    trail.record(ANN, "POST /v1/orders", outcome="PERMISSION_MISSING")
    newest, oldest = trail.read()
    assert (oldest.actor, oldest.came_by, oldest.address) == ("ann", "key", "10.0.0.7")
    assert (oldest.action, oldest.subject, oldest.outcome) == ("POST /v1/orders", "abc", OK)
    assert oldest.correlation_id == "c"
    assert newest.outcome == "PERMISSION_MISSING"
    assert newest.ts_init > oldest.ts_init > 0


def test_the_newest_are_read_newest_first(tmp_path: Path) -> None:
    trail = AuditTrail(SqliteJournal(tmp_path), "demo")
    for number in range(5):
        trail.record(ANN, str(number))
    assert [each.action for each in trail.read(3)] == ["4", "3", "2"]
    assert [each.action for each in trail.read(99)] == ["4", "3", "2", "1", "0"]


def test_what_one_replica_wrote_others_read_and_other_clusters_do_not(tmp_path: Path) -> None:
    AuditTrail(SqliteJournal(tmp_path), "demo").record(ANN, "kill")
    assert [each.action for each in AuditTrail(SqliteJournal(tmp_path), "demo").read()] == ["kill"]
    assert AuditTrail(SqliteJournal(tmp_path), "other").read() == []


def test_threads_lose_nothing(tmp_path: Path) -> None:
    trail = AuditTrail(SqliteJournal(tmp_path), "demo")
    threads = [
        threading.Thread(target=trail.record, args=(ANN, f"{number}")) for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.action for each in trail.read()} == {str(number) for number in range(16)}


def test_a_request_that_cannot_be_written_down_raises() -> None:
    trail = AuditTrail(MemoryJournal(Disk(is_full=True)), "demo")
    with pytest.raises(JournalUnavailable):
        trail.record(ANN, "kill")
