"""What can happen between a journal and its server: lost answers, late requests, foreign hands."""

import itertools
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
import redis

from actors.journal.redis import RedisJournal
from trading.errors import ConfigError, JournalUnavailable, StaleEpoch
from trading.identifiers import StreamName

STREAM = StreamName("account:paper:DEMO")
_numbers = itertools.count()


class Proxy:
    """Stands between journal and server, and breaks the connection at the next swap.

    `plan` says how: "hold" keeps the request for later, "drop" passes it on and drops the answer.
    While `is_closed`, every connection breaks at once.
    """

    def __init__(self, server_socket: str, path: str) -> None:
        self.url = f"unix://{path}"
        self.plan = ""
        self.is_closed = False
        self.closes_after = True
        self.release: Callable[[], None] | None = None
        self._server_socket = server_socket
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_closed:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):  # the server was killed, or the journal closed
            self._pass_on(client)
        client.close()

    def _pass_on(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._server_socket)
        while request := client.recv(1 << 20):
            if self.plan and b"EVALSHA" in request:
                plan, self.plan = self.plan, ""
                self.is_closed = self.closes_after
                if plan == "drop":
                    server.sendall(request)
                    server.recv(1 << 20)
                else:
                    self.release = lambda: (server.sendall(request), server.recv(1 << 20))
                break
            server.sendall(request)
            client.sendall(server.recv(1 << 20))

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def proxy(server, tmp_path_factory):
    proxy = Proxy(str(server.socket), str(server.folder / f"proxy-{next(_numbers)}"))
    yield proxy
    proxy.close()


@pytest.fixture
def journal(proxy):
    """A journal behind the proxy, with a lease and one record."""
    journal = RedisJournal(proxy.url)
    assert journal.acquire(STREAM, "owner") == 1
    assert journal.append(STREAM, 1, [b"1"], ts=1) == 1
    yield journal
    journal.close()


def payloads_of(journal, stream=STREAM):
    return [record.payload for record in journal.read(stream)]


# -- answers that get lost


@pytest.mark.parametrize("plan", ["hold", "drop"])
def test_append_whose_connection_breaks_once_happens_once(proxy, journal, plan):
    proxy.closes_after = False
    proxy.plan = plan
    assert journal.append(STREAM, 1, [b"2", b"3"], ts=2) == 3
    if proxy.release:
        proxy.release()
    assert payloads_of(journal) == [b"1", b"2", b"3"]
    assert journal.append(STREAM, 1, [b"4"], ts=3) == 4


def test_acquire_whose_answer_is_lost_raises_the_epoch_once(proxy, journal, direct):
    proxy.closes_after = False
    proxy.plan = "drop"
    assert journal.acquire(STREAM, "owner") == 2
    assert direct.epoch(STREAM) == 2


def test_two_owners_of_one_name_never_share_an_epoch(proxy, journal, direct, monkeypatch):
    proxy.closes_after = False
    proxy.plan = "hold"
    ask, asked, theirs = journal._swap_once, [], []

    def other_is_faster(*arguments):
        if len(asked) == 1:
            theirs.append(direct.acquire(STREAM, "owner"))
        asked.append(1)
        return ask(*arguments)

    monkeypatch.setattr(journal, "_swap_once", other_is_faster)
    assert journal.acquire(STREAM, "owner") == 3
    assert theirs == [2]


@pytest.mark.parametrize("question", ["head", "append"])
def test_request_that_arrives_late_does_nothing(proxy, journal, direct, question):
    proxy.plan = "hold"
    with pytest.raises(JournalUnavailable):
        journal.append(STREAM, 1, [b"late"], ts=2)
    proxy.is_closed = False
    # Settled here: what is read from now on counts.
    answer = journal.head(STREAM) if question == "head" else journal.append(STREAM, 1, [], ts=2)
    assert answer == 1
    proxy.release()
    assert payloads_of(journal) == payloads_of(direct) == [b"1"]
    assert journal.append(STREAM, 1, [b"2"], ts=3) == 2
    assert payloads_of(direct) == [b"1", b"2"]


def test_late_first_request_of_a_stream_does_nothing(proxy, journal, direct):
    stream = StreamName("kill:DEMO")
    proxy.plan = "hold"
    with pytest.raises(JournalUnavailable):
        journal.append_shared(stream, [b"late"], ts=2)
    proxy.is_closed = False
    assert journal.head(stream) == 0
    proxy.release()
    assert journal.verify(stream) == direct.verify(stream) == 0
    assert direct.append_shared(stream, [b"1"], ts=3) == 1


@pytest.mark.parametrize("question", ["head", "epoch", "verify", "read", "append", "acquire"])
def test_append_that_happened_without_an_answer_is_found_before_the_next_call(
    proxy, journal, question
):
    proxy.plan = "drop"
    with pytest.raises(JournalUnavailable):
        journal.append(STREAM, 1, [b"2"], ts=2)
    with pytest.raises(JournalUnavailable):
        journal.head(STREAM)  # still nobody to ask
    proxy.is_closed = False
    answers = {
        "head": lambda: journal.head(STREAM) == 2,
        "epoch": lambda: journal.epoch(STREAM) == 1,
        "verify": lambda: journal.verify(STREAM) == 2,
        "read": lambda: payloads_of(journal) == [b"1", b"2"],
        "append": lambda: journal.append(STREAM, 1, [b"3"], ts=3) == 3,
        "acquire": lambda: journal.acquire(STREAM, "owner") == 2,
    }
    assert answers[question]()
    assert payloads_of(journal)[:2] == [b"1", b"2"]


def test_late_request_of_an_old_owner_does_nothing(proxy, journal, direct):
    proxy.plan = "hold"
    with pytest.raises(JournalUnavailable):
        journal.append(STREAM, 1, [b"late"], ts=2)
    assert direct.acquire(STREAM, "successor") == 2
    proxy.release()
    proxy.is_closed = False
    assert direct.append(STREAM, 2, [b"2"], ts=3) == 2
    with pytest.raises(StaleEpoch):
        journal.append(STREAM, 1, [b"late"], ts=4)
    assert payloads_of(journal) == [b"1", b"2"]


def test_lost_answer_is_recognised_when_others_went_on(proxy, journal, direct, monkeypatch):
    stream = StreamName("kill:DEMO")
    proxy.closes_after = False
    proxy.plan = "drop"
    ask, asked = journal._swap_once, []

    def others_go_on(*arguments):
        if asked:
            direct.append_shared(stream, [b"theirs"], ts=3)
        asked.append(1)
        return ask(*arguments)

    monkeypatch.setattr(journal, "_swap_once", others_go_on)
    assert journal.append_shared(stream, [b"ours"], ts=2) == 1
    monkeypatch.undo()
    assert payloads_of(direct, stream) == [b"ours", b"theirs"]
    assert journal.append_shared(stream, [b"more"], ts=4) == 3


# -- servers that refuse


def test_server_without_memory_refuses_appends_and_still_reads(server, direct):
    epoch = direct.acquire(STREAM, "owner")
    direct.append(STREAM, epoch, [b"1"], ts=1)
    with server.client() as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(JournalUnavailable):
            direct.append(STREAM, epoch, [b"2"], ts=2)
        assert payloads_of(direct) == [b"1"]
        client.config_set("maxmemory", 0)
    assert direct.append(STREAM, epoch, [b"2"], ts=2) == 2


def test_server_without_append_only_file_is_refused_unless_allowed(make_server):
    server = make_server(appendonly="no")
    with pytest.raises(ConfigError, match="set `appendonly yes`"):
        RedisJournal(server.url)
    journal = RedisJournal(server.url, allow_volatile=True)
    assert journal.append_shared(STREAM, [b"1"], ts=1) == 1
    journal.close()


def test_server_that_never_syncs_is_refused(make_server):
    with pytest.raises(ConfigError, match="set `appendfsync always`"):
        RedisJournal(make_server(appendfsync="no").url)


def test_server_that_hides_its_config_is_refused(server):
    with server.client() as client:
        client.execute_command("ACL SETUSER", "guest", "on", "nopass", "~*", "+@all", "-config")
    with pytest.raises(ConfigError, match="does not tell"):
        RedisJournal(f"unix://guest:any@{server.socket}")


def test_server_that_syncs_every_second_is_waited_for_or_refused(make_server, connect):
    server = make_server(appendfsync="everysec")
    with server.client() as client:
        has_waitaof = bool(client.execute_command("COMMAND INFO", "WAITAOF")[0])
    if not has_waitaof:
        with pytest.raises(ConfigError, match="set `appendfsync always`"):
            connect(server.url)
        return
    journal = connect(server.url)
    epoch = journal.acquire(STREAM, "owner")
    assert journal.append(STREAM, epoch, [b"1", b"2"], ts=1) == 2
    with server.client() as client:
        waits = client.info("commandstats")["cmdstat_waitaof"]
    assert (waits["calls"], waits["failed_calls"]) == (3, 0)  # can it, the lease, the records
    server.kill()
    server.start()
    assert payloads_of(journal) == [b"1", b"2"]


def test_append_that_is_not_synced_in_time_is_unavailable_and_found_by_reading(server, monkeypatch):
    journal = RedisJournal(server.url)
    epoch = journal.acquire(STREAM, "owner")
    waits = []

    def slow_disk():
        waits.append(1)
        if len(waits) <= 2:
            raise redis.TimeoutError("not synced in time")

    monkeypatch.setattr(journal, "_must_wait", True)
    monkeypatch.setattr(journal, "_wait_for_disk", slow_disk)
    with pytest.raises(JournalUnavailable, match="not synced in time"):
        journal.append(STREAM, epoch, [b"1"], ts=1)
    with pytest.raises(JournalUnavailable, match="not synced in time"):
        journal.head(STREAM)  # not told before it is safe
    assert journal.head(STREAM) == 1
    assert journal.append(STREAM, epoch, [b"2"], ts=2) == 2
    assert len(waits) == 4
    journal.close()


def test_sync_that_is_refused_leaves_the_outcome_open(server, monkeypatch):
    with server.client() as client:
        client.execute_command("ACL SETUSER", "guest", "on", "nopass", "~*", "+@all", "-incrby")
    journal = RedisJournal(f"unix://guest:any@{server.socket}")
    epoch = journal.acquire(STREAM, "owner")
    monkeypatch.setattr(journal, "_must_wait", True)
    with pytest.raises(JournalUnavailable, match="not synced in time"):
        journal.append(STREAM, epoch, [b"1"], ts=1)
    with pytest.raises(JournalUnavailable, match="not synced in time"):
        journal.head(STREAM)
    monkeypatch.undo()
    assert payloads_of(journal) == [b"1"]
    journal.close()


def test_server_that_forgot_everything_refuses_the_old_owner(make_server):
    server = make_server(appendonly="no")
    journal = RedisJournal(server.url, allow_volatile=True)
    epoch = journal.acquire(STREAM, "owner")
    journal.append(STREAM, epoch, [b"1"], ts=1)
    server.kill()
    server.start()
    with pytest.raises(StaleEpoch):
        journal.append(STREAM, epoch, [b"2"], ts=2)
    journal.close()


def test_store_of_a_newer_version_is_refused(server):
    with server.client() as client:
        client.set("neural-trader:version", 2)
    with pytest.raises(ConfigError, match="this program knows 1"):
        RedisJournal(server.url)


def test_prefixes_keep_journals_apart(server, direct):
    other = RedisJournal(server.url, prefix="other")
    direct.append_shared(STREAM, [b"1"], ts=1)
    assert other.head(STREAM) == 0
    assert (direct.streams(), other.streams()) == ([STREAM], [])
    other.close()
