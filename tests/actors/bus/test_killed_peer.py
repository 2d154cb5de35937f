"""What a host notices, repeats and never loses when another host's process dies or freezes."""

import pytest

from trading.identifiers import MachineName

TEST, ECHO = MachineName("test:1"), MachineName("echo:1")


@pytest.fixture
def parent(open_peer, bind):
    return open_peer("test", bind=bind)


def echoes_of(peer, incarnation):
    prefix = incarnation.encode() + b":"
    return [payload.removeprefix(prefix) for payload in peer.payloads if payload.startswith(prefix)]


def numbered(start, stop):
    return [b"%06d" % number for number in range(start, stop)]


@pytest.mark.usefixtures("steady_links")
def test_killed_peer_is_noticed_and_its_successor_gets_all_that_was_not_acknowledged(
    parent, start_child, pump, bind
):
    first = start_child(parent, "1", bind, acks=False)
    parent.bus.set_routes({ECHO: first.address})
    for payload in numbered(0, 100):
        parent.bus.send(TEST, ECHO, payload)
    pump(lambda: len(echoes_of(parent, "1")) >= 50, parent)

    first.kill()
    pump(lambda: parent.links[-1:] == [(ECHO, False)], parent)
    for payload in numbered(100, 150):
        parent.bus.send(TEST, ECHO, payload)
    second = start_child(parent, "2", bind)
    parent.bus.set_routes({ECHO: second.address})
    pump(lambda: len(echoes_of(parent, "2")) >= 150, parent)

    assert echoes_of(parent, "2") == numbered(0, 150)
    assert parent.links == [(ECHO, True), (ECHO, False), (ECHO, True)]
    pump(lambda: parent.bus.counters()["acked"] == 150, parent)


def test_successor_gets_nothing_that_the_killed_peer_has_acknowledged(
    parent, start_child, pump, bind
):
    first = start_child(parent, "1", bind)
    parent.bus.set_routes({ECHO: first.address})
    for payload in numbered(0, 100):
        parent.bus.send(TEST, ECHO, payload)
    pump(lambda: parent.bus.counters()["acked"] == 100, parent)

    first.kill()
    second = start_child(parent, "2", bind)
    parent.bus.set_routes({ECHO: second.address})
    parent.bus.send(TEST, ECHO, b"next")
    pump(lambda: bool(echoes_of(parent, "2")), parent)

    assert echoes_of(parent, "2") == [b"next"]


def test_peer_that_restarts_at_the_same_address_gets_what_waits(
    parent, start_child, pump, own_address
):
    first = start_child(parent, "1", own_address, acks=False)
    parent.bus.set_routes({ECHO: first.address})
    for payload in numbered(0, 20):
        parent.bus.send(TEST, ECHO, payload)
    pump(lambda: len(echoes_of(parent, "1")) == 20, parent)
    port = int(first.address.router.rpartition(":")[2])

    first.kill()
    again = start_child(parent, "2", f"{own_address}:{port}")
    assert again.address.router == first.address.router

    pump(lambda: echoes_of(parent, "2") == numbered(0, 20), parent)


def test_frozen_peer_is_noticed_and_gets_everything_once_when_it_goes_on(
    parent, start_child, pump, bind
):
    child = start_child(parent, "1", bind)
    parent.bus.set_routes({ECHO: child.address})
    parent.bus.send(TEST, ECHO, b"%06d" % 0)
    pump(lambda: bool(parent.payloads), parent)

    child.freeze()
    for payload in numbered(1, 30):
        parent.bus.send(TEST, ECHO, payload)
    pump(lambda: parent.links[-1:] == [(ECHO, False)], parent)
    for payload in numbered(30, 60):
        parent.bus.send(TEST, ECHO, payload)
    child.thaw()
    pump(lambda: len(parent.payloads) >= 60 and parent.links[-1] == (ECHO, True), parent)

    assert echoes_of(parent, "1") == numbered(0, 60)
    parent.ack_all()
    parent.bus.send(TEST, ECHO, b"last")
    pump(lambda: parent.payloads[-1] == b"1:last", parent)


def test_sockets_of_a_killed_life_are_removed_by_the_next(parent, start_child, run_dir):
    first = start_child(parent, "1")
    first.kill()
    assert (run_dir / "echo@1.cmd").exists()

    start_child(parent, "2")

    assert sorted(path.name for path in run_dir.glob("echo*")) == ["echo@2.cmd", "echo@2.pub"]
