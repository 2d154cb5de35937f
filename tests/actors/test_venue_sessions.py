"""Venue connections in a thread of their own: calls and their outcomes, routes, failures, the end."""

import asyncio
import threading
from queue import SimpleQueue

import pytest

from actors import loop_thread, venue_sessions
from actors.venue_sessions import VenueSessions
from trading.commands import QueryOrder
from trading.identifiers import AccountId, ClientOrderId, Venue, machine_name
from trading.outcomes import OrderQueried, VenueDisconnected

LIMIT_S = 60.0
GOOD, BAD = (machine_name("broker", name) for name in ("good", "bad"))
QUERY = QueryOrder(account_id=AccountId("ACC"), client_order_id=ClientOrderId("a"))


class Port:
    """A venue that knows no order."""

    def __init__(self):
        self.routes, self.is_closed = SimpleQueue(), False

    async def connect(self, on_message):
        pass

    async def disconnect(self):
        self.is_closed = True

    async def order_status(self, account_id, client_order_id):
        return None

    def set_routes(self, routes):
        self.routes.put(routes)


class BadPort(Port):
    """Cannot be opened, and does not let go."""

    async def connect(self, on_message):
        raise RuntimeError("no such place")

    async def disconnect(self):
        await asyncio.Event().wait()


class Owners:
    """A blueprint in which every machine is its own owner."""

    def owner(self, machine):
        return machine


@pytest.fixture
def opened(monkeypatch):
    ports = {GOOD: Port(), BAD: BadPort()}
    monkeypatch.setattr(venue_sessions, "open_execution", lambda owner, secret: ports[owner])
    monkeypatch.setattr(venue_sessions, "CLOSE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(loop_thread, "_BLOCKED_S", LIMIT_S)  # late on a busy machine is not blocked
    made = []

    def make(*machines):
        sessions, arrived = VenueSessions(Owners(), b"", machines), SimpleQueue()
        made.append(sessions)
        sessions.start(arrived.put)
        return sessions, arrived, ports

    yield make
    for sessions in made:
        sessions.close()


def test_the_outcome_of_a_call_goes_to_the_broker_that_asked(opened):
    sessions, arrived, _ = opened(GOOD, machine_name("book", Venue("good")))
    sessions.call(GOOD, QUERY, 10**9)
    command = arrived.get(timeout=LIMIT_S)
    assert command.to == GOOD
    assert isinstance(command.message, OrderQueried)
    assert command.message.report is None


def test_a_venue_within_the_cluster_is_told_where_the_others_are(opened):
    sessions, _, ports = opened(GOOD)
    assert ports[GOOD].routes.get(timeout=LIMIT_S) == {}
    sessions.set_routes({GOOD: "here"})
    assert ports[GOOD].routes.get(timeout=LIMIT_S) == {GOOD: "here"}


def test_when_a_connection_cannot_be_opened_its_broker_hears_so_for_good(opened):
    _, arrived, _ = opened(BAD)
    command = arrived.get(timeout=LIMIT_S)
    assert command.to == BAD
    assert isinstance(command.message, VenueDisconnected)
    assert command.message.is_final
    assert "no such place" in command.message.reason


def test_when_one_venue_does_not_let_go_the_others_are_closed_and_the_thread_ends(opened, caplog):
    sessions, _, ports = opened(BAD, GOOD)
    sessions.close()
    assert ports[GOOD].is_closed
    assert f"{BAD}: not closed within 0.2 s" in caplog.text
    assert not any(thread.name == "venues" for thread in threading.enumerate())


def test_where_no_broker_is_nothing_is_started(opened):
    before = set(threading.enumerate())
    opened(machine_name("book", Venue("good")))
    assert set(threading.enumerate()) <= before
