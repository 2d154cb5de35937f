"""Who gets in over TCP: members of the cluster, and nobody else."""

import threading

import pytest
import zmq

from actors.bus.curve import CurveKeys
from actors.bus.wire import command_frame, publication
from actors.bus.zmq import ZmqBus
from trading.errors import ConfigError
from trading.identifiers import MachineName

A, B = MachineName("strategy:a"), MachineName("risk:b")
SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))
REFUSED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)


def member_with(secret):
    return CurveKeys.derive(secret).unlock


def knows_the_server_but_not_the_client_key(socket):
    socket.curve_serverkey = CurveKeys.derive(SECRET).server_public
    socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()


def plain(socket):
    """No encryption at all."""


STRANGERS = pytest.mark.parametrize(
    "dress", [member_with(OTHER), knows_the_server_but_not_the_client_key, plain]
)


@pytest.fixture
def stranger():
    """Connect a socket in a stranger's clothes; hand over it and its monitor."""
    context = zmq.Context()

    def make(kind, endpoint, dress):
        socket = context.socket(kind)
        socket.linger = 0
        dress(socket)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        monitor = socket.get_monitor_socket(REFUSED)
        monitor.linger = 0
        socket.connect(endpoint)
        return socket, monitor

    yield make
    context.destroy(0)


def test_members_talk_over_tcp(open_peer, pump):
    a = open_peer("a", bind="127.0.0.1", secret=SECRET)
    b = open_peer("b", bind="127.0.0.1", secret=SECRET)
    b.bus.subscribe("data.")
    routes = {A: a.bus.address, B: b.bus.address}
    a.bus.set_routes(routes)
    b.bus.set_routes(routes)
    a.bus.send(A, B, b"secretly")

    pump(lambda: a.bus.publish("data.x", b"1") or (b.payloads and b.published), a, b)

    b.ack_all()
    pump(lambda: a.bus.counters()["acked"] == 1, a, b)


@STRANGERS
def test_stranger_gets_no_command_in(open_peer, pump, stranger, dress):
    a = open_peer("a", bind="127.0.0.1", secret=SECRET)
    b = open_peer("b", bind="127.0.0.1", secret=SECRET)
    socket, monitor = stranger(zmq.DEALER, a.bus.address.router, dress)
    socket.send(command_frame(1, 0, A, B, b"sell everything"))

    assert monitor.poll(60_000), "the stranger was not refused"
    b.bus.set_routes({A: a.bus.address})
    b.bus.send(B, A, b"from a member")
    pump(lambda: bool(a.items), a, b)

    assert a.payloads == [b"from a member"]


@STRANGERS
def test_stranger_gets_no_publication_out(open_peer, pump, stranger, dress):
    a = open_peer("a", bind="127.0.0.1", secret=SECRET)
    b = open_peer("b", bind="127.0.0.1", secret=SECRET)
    b.bus.subscribe("")
    b.bus.set_routes({A: a.bus.address})
    socket, monitor = stranger(zmq.SUB, a.bus.address.pub, dress)

    pump(lambda: a.bus.publish("t", b"for members") or monitor.poll(0), a, b)
    pump(lambda: a.bus.publish("t", b"for members") or len(b.published) > 100, a, b)

    assert not socket.poll(0)


def test_host_of_another_cluster_is_down_both_ways(open_peer, pump):
    a = open_peer("a", bind="127.0.0.1", secret=SECRET)
    b = open_peer("b", bind="127.0.0.1", secret=OTHER)
    a.bus.set_routes({B: b.bus.address})
    b.bus.set_routes({A: a.bus.address})
    a.bus.send(A, B, b"x")
    b.bus.send(B, A, b"x")

    pump(lambda: a.links and b.links, a, b)

    assert (a.links, b.links) == ([(B, False)], [(A, False)])
    assert a.bus.counters()["received"] == b.bus.counters()["received"] == 0


def test_listener_of_another_cluster_learns_nothing(open_peer, pump):
    """A process that took over the address of a member does not get its commands."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as impostor:
        impostor.linger = 0
        impostor.curve_server = True
        impostor.curve_publickey, impostor.curve_secretkey = zmq.curve_keypair()
        port = impostor.bind_to_random_port("tcp://127.0.0.1")
        a = open_peer("a", bind="127.0.0.1", secret=SECRET)
        address = a.bus.address
        fake = type(address)("b", "1", f"tcp://127.0.0.1:{port}", address.pub)
        a.bus.set_routes({B: fake})
        a.bus.send(A, B, b"my strategy")
        pump(lambda: a.links == [(B, False)], a)

        assert not impostor.poll(100)


def test_same_secret_derives_the_same_keys_and_they_are_four_different_ones():
    keys = CurveKeys.derive(SECRET)

    assert keys == CurveKeys.derive(SECRET)
    assert keys.server_public != CurveKeys.derive(OTHER).server_public
    parts = {keys.server_public, keys.server_secret, keys.client_public, keys.client_secret}
    assert len(parts) == 4
    assert zmq.curve_public(keys.client_secret) == keys.client_public


def test_secret_keys_do_not_show():
    keys = CurveKeys.derive(SECRET)

    assert keys.server_secret.decode() not in repr(keys)
    assert keys.client_secret.decode() not in repr(keys)


def test_short_secret_is_refused():
    with pytest.raises(ConfigError, match="at least 32 random bytes"):
        CurveKeys.derive(b"short")


def test_closing_ends_the_gatekeeper(run_dir):
    threads = set(threading.enumerate())
    bus = ZmqBus("a", "1", run_dir=run_dir, bind="127.0.0.1", secret=SECRET)
    assert len(set(threading.enumerate()) - threads) == 1

    bus.close()

    assert set(threading.enumerate()) <= threads


def test_publication_frame_of_a_stranger_publisher_is_never_read(open_peer, pump):
    """A publisher without the server key cannot feed prices to a member."""
    with zmq.Context() as context, context.socket(zmq.PUB) as liar:
        liar.linger = 0
        port = liar.bind_to_random_port("tcp://127.0.0.1")
        a = open_peer("a", bind="127.0.0.1", secret=SECRET)
        b = open_peer("b", bind="127.0.0.1", secret=SECRET)
        address = a.bus.address
        a.bus.subscribe("")
        lying = type(address)("l", "1", address.router, f"tcp://127.0.0.1:{port}")
        a.bus.set_routes({A: lying, B: b.bus.address})

        def both():
            liar.send(publication("t", b"wrong price"))
            b.bus.publish("t", b"right price")
            return len(a.published) > 500

        pump(both, a, b)

        assert ("t", b"wrong price") not in a.published
