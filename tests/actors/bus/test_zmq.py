"""Commands, publications and requests between live peers, and what closing leaves."""

import threading
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from actors.bus import wire
from actors.bus.outbox import LinkFull
from actors.bus.zmq import ZmqBus
from trading.identifiers import MachineName

A, B, B2 = MachineName("strategy:a"), MachineName("risk:b"), MachineName("ledger:b")


def numbered(count):
    return [b"%06d" % number for number in range(count)]


def connect(*peers_and_machines):
    """Tell every peer where all the machines are."""
    routes = {
        machine: peer.bus.address for peer, *machines in peers_and_machines for machine in machines
    }
    for peer, *_ in peers_and_machines:
        peer.bus.set_routes(routes)
    return routes


def test_commands_in_both_directions_arrive_once_and_in_order(open_peer, pump, bind):
    a, b = open_peer("a", bind=bind), open_peer("b", bind=bind)
    connect((a, A), (b, B))
    sent = numbered(3_000)
    for payload in sent:
        a.bus.send(A, B, payload)
        b.bus.send(B, A, payload)

    pump(lambda: len(a.payloads) >= 3_000 and len(b.payloads) >= 3_000, a, b)

    assert a.payloads == sent
    assert b.payloads == sent
    assert {(command.to, command.sender) for command in b.commands} == {(B, A)}


def test_command_sent_before_anybody_knows_the_receiver_waits_for_its_route(open_peer, pump):
    a, b = open_peer("a"), open_peer("b")
    a.bus.send(A, B, b"early")
    a.bus.poll(0)

    connect((a, A), (b, B))

    pump(lambda: b.payloads == [b"early"], a, b)


def test_acknowledgement_leaves_only_when_told_and_covers_the_earlier_ones(open_peer, pump):
    a, b = open_peer("a"), open_peer("b")
    connect((a, A), (b, B))
    for payload in numbered(10):
        a.bus.send(A, B, payload)
    pump(lambda: len(b.payloads) == 10, a, b)
    assert a.bus.counters()["acked"] == 0

    b.bus.ack(b.commands[6].token)
    pump(lambda: a.bus.counters()["acked"] > 0, a, b)

    assert a.bus.counters()["acked"] == 7


def test_acknowledgement_of_one_machine_says_nothing_about_another_on_the_same_host(
    open_peer, pump
):
    a, b = open_peer("a"), open_peer("b")
    connect((a, A), (b, B, B2))
    a.bus.send(A, B, b"first, not handled")
    a.bus.send(A, B2, b"second")
    pump(lambda: len(b.payloads) == 2, a, b)

    b.bus.ack(next(command.token for command in b.commands if command.to == B2))
    pump(lambda: a.bus.counters()["acked"] > 0, a, b)
    moved = open_peer("c")
    a.bus.set_routes({B: moved.bus.address, B2: moved.bus.address})
    pump(lambda: bool(moved.payloads), a, moved)

    assert moved.payloads == [b"first, not handled"]


def test_machine_that_moves_gets_what_was_not_acknowledged_in_order_then_the_new(open_peer, pump):
    a, b, c = open_peer("a"), open_peer("b"), open_peer("c")
    connect((a, A), (b, B))
    sent = numbered(40)
    for payload in sent[:20]:
        a.bus.send(A, B, payload)
    pump(lambda: len(b.payloads) == 20, a, b)
    b.bus.ack(b.commands[4].token)
    pump(lambda: a.bus.counters()["acked"] == 5, a, b)

    a.bus.set_routes({B: c.bus.address})
    for payload in sent[20:]:
        a.bus.send(A, B, payload)
    pump(lambda: len(c.payloads) >= 35, a, b, c)

    assert c.payloads == sent[5:]
    assert b.payloads == sent[:20]


def test_machine_that_moves_away_and_back_misses_nothing(open_peer, pump):
    a, b, c = open_peer("a"), open_peer("b"), open_peer("c")
    home = connect((a, A), (b, B, B2))
    a.bus.watch(B2)
    a.bus.send(A, B, b"one")
    pump(lambda: b.payloads == [b"one"], a, b)

    a.bus.set_routes({B: c.bus.address, B2: b.bus.address})
    pump(lambda: c.payloads == [b"one"], a, c)
    a.bus.set_routes(home)

    pump(lambda: b.payloads == [b"one", b"one"], a, b)


@pytest.mark.usefixtures("steady_links")
def test_watched_machine_is_reported_up_once_and_down_once(open_peer, pump, bind):
    a, b = open_peer("a", bind=bind), open_peer("b", bind=bind)
    connect((a, A), (b, B))
    a.bus.watch(B)
    pump(lambda: bool(a.links), a, b)
    a.bus.watch(B)
    a.bus.send(A, B, b"x")
    pump(lambda: bool(b.payloads), a, b)

    b.bus.close()
    pump(lambda: len(a.links) > 1, a)

    assert a.links == [(B, True), (B, False)]


def test_watched_machine_without_route_is_down_at_once(open_peer, pump):
    a = open_peer("a")

    a.bus.watch(B)

    assert a.bus.poll(5.0) == [wire.LinkChanged(B, is_up=False)]


def test_watched_machine_whose_host_does_not_listen_is_down(open_peer, pump, run_dir):
    a = open_peer("a")
    gone = wire.HostAddress("b", "1", f"ipc://{run_dir}/b.cmd", f"ipc://{run_dir}/b.pub")
    a.bus.set_routes({B: gone})

    a.bus.watch(B)

    pump(lambda: a.links == [(B, False)], a)


def test_publication_reaches_those_who_subscribed_to_a_prefix(open_peer, pump, bind):
    a, b = open_peer("a", bind=bind), open_peer("b", bind=bind)
    b.bus.subscribe("data.paper.")
    connect((a, A), (b, B))

    def publish_until_heard():
        a.bus.publish("data.other.X", b"no")
        a.bus.publish("data.paper.X", b"yes")
        return bool(b.published)

    pump(publish_until_heard, a, b)

    assert set(b.published) == {("data.paper.X", b"yes")}
    assert a.published == []


def test_publisher_that_moves_is_heard_at_its_new_address_alone(open_peer, pump):
    a, b, c = open_peer("a"), open_peer("b"), open_peer("c")
    c.bus.subscribe("")
    c.bus.set_routes({A: a.bus.address})

    def both_publish():
        a.bus.publish("t", b"from a")
        b.bus.publish("t", b"from b")

    pump(lambda: both_publish() or ("t", b"from a") in c.published, a, b, c)
    c.bus.set_routes({A: b.bus.address})
    pump(lambda: both_publish() or ("t", b"from b") in c.published, a, b, c)
    first = c.published.index(("t", b"from b"))
    pump(lambda: both_publish() or len(c.published) > first + 100, a, b, c)

    assert c.published[-50:] == [("t", b"from b")] * 50


def test_empty_publication_is_refused(open_peer):
    with pytest.raises(ValueError, match="has no payload"):
        open_peer("a").bus.publish("topic", b"")


@pytest.mark.usefixtures("steady_links")
def test_request_is_answered_with_its_id(open_peer, pump, bind):
    a, b = open_peer("a", bind=bind), open_peer("b", bind=bind)
    connect((a, A), (b, B))
    a.bus.watch(B)
    pump(lambda: (B, True) in a.links, a, b)

    a.bus.request(B, b"how much?", 77)
    pump(lambda: any(isinstance(item, wire.Request) for item in b.items), a, b)
    request = b.items[-1]
    assert (request.to, request.payload) == (B, b"how much?")
    b.bus.reply(request.token, b"this much")
    pump(lambda: wire.ReplyReceived(77, b"this much") in a.items, a, b)


def test_request_to_an_unreachable_machine_is_dropped_and_counted(open_peer):
    a = open_peer("a")

    a.bus.request(B, b"anybody?", 1)

    assert a.bus.counters()["unreachable"] == 1


def test_wake_from_another_thread_ends_the_wait(open_peer):
    a = open_peer("a")
    thread = threading.Thread(target=a.bus.wake)
    thread.start()

    woken = a.bus.poll(30.0)
    thread.join()

    assert woken == [wire.Woken()]
    assert a.bus.poll(0) == []


def test_many_wakes_are_one_and_a_wake_after_closing_is_harmless(open_peer):
    a = open_peer("a")
    for _ in range(100_000):
        a.bus.wake()
    assert a.bus.poll(30.0) == [wire.Woken()]
    assert a.bus.poll(0) == []

    a.bus.close()
    a.bus.wake()


def test_poll_returns_what_has_arrived_in_bounded_portions(open_peer, pump):
    a, b = open_peer("a"), open_peer("b")
    connect((a, A), (b, B))
    for payload in numbered(5_000):
        a.bus.send(A, B, payload)
    portions = []
    pump(lambda: portions.append(len(b.items)) or len(b.payloads) == 5_000, a, b)

    assert max(after - before for before, after in pairwise(portions)) <= 501


def test_sender_that_is_too_far_ahead_is_refused_and_nothing_is_lost(open_peer, monkeypatch, pump):
    monkeypatch.setattr("actors.bus.outbox.UNACKNOWLEDGED_MAX", 100)
    a, b = open_peer("a"), open_peer("b")
    sent = numbered(100)
    for payload in sent:
        a.bus.send(A, B, payload)

    with pytest.raises(LinkFull, match="risk:b has not acknowledged"):
        a.bus.send(A, B, b"too much")

    connect((a, A), (b, B))
    pump(lambda: b.payloads == sent, a, b)
    b.ack_all()
    pump(lambda: a.bus.counters()["acked"] == 100, a, b)
    a.bus.send(A, B, b"again")
    pump(lambda: b.payloads[-1] == b"again", a, b)


def test_flooded_reader_loses_but_neither_side_grows_or_waits(open_peer, pump):
    a, b = open_peer("a"), open_peer("b")
    b.bus.subscribe("flood.")
    connect((a, A), (b, B))
    pump(lambda: a.bus.publish("flood.x", b"ready") or bool(b.published), a, b)
    process = psutil.Process()
    before = process.memory_info().rss
    payload = bytes(200)

    for _ in range(400_000):
        a.bus.publish("flood.x", payload)
    grown = process.memory_info().rss - before

    assert grown < 100e6
    pump(lambda: a.bus.publish("flood.x", b"latest") or b.published[-1][1] == b"latest", a, b)
    assert len(b.published) < 300_000


def test_frames_that_are_none_of_ours_are_counted_and_dropped(open_peer, pump):
    import zmq

    a = open_peer("a")
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.linger = 0
        stranger.routing_id = b"x@1"
        stranger.connect(a.bus.address.router)
        bad = [b"", b"\x01", b"\x09" + bytes(30), b"\x03", b"\x01" + bytes(16) + b"\xff\xff"]
        bad.append(b"\x03" + bytes(8) + b"\x02\xff\xff")
        for frame in bad:
            stranger.send(frame)
        pump(lambda: a.bus.counters()["malformed"] == len(bad), a)

    assert a.items == []


def test_command_from_a_sender_without_a_name_is_dropped(open_peer, pump):
    import zmq

    a = open_peer("a")
    with zmq.Context() as context, context.socket(zmq.DEALER) as nameless:
        nameless.linger = 0
        nameless.connect(a.bus.address.router)
        nameless.send(wire.command_frame(1, 0, A, B, b"x"))
        pump(lambda: a.bus.counters()["malformed"] == 1, a)

    assert a.items == []


def test_closing_leaves_no_file_and_no_thread(run_dir, open_peer, pump):
    threads = set(threading.enumerate())
    a, b = open_peer("a"), open_peer("b")
    connect((a, A), (b, B))
    a.bus.send(A, B, b"x")
    pump(lambda: bool(b.payloads), a, b)
    assert len(list(run_dir.iterdir())) == 4

    a.bus.close()
    b.bus.close()
    a.bus.close()

    assert list(run_dir.iterdir()) == []
    assert set(threading.enumerate()) <= threads


def test_closing_does_not_wait_for_a_peer_that_is_away(run_dir: Path):
    bus = ZmqBus("a", "1", run_dir=run_dir)
    bus.set_routes({B: wire.HostAddress("b", "1", f"ipc://{run_dir}/b", f"ipc://{run_dir}/p")})
    bus.send(A, B, b"never read")

    bus.close()

    assert list(run_dir.iterdir()) == []
