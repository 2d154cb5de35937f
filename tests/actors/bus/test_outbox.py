"""Outbox and inbox over a connection that breaks anywhere: in order, and nothing is lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.bus.counters import Counters
from actors.bus.inbox import Inbox
from actors.bus.outbox import Outbox
from actors.bus.wire import Token, parse_command
from trading.identifiers import MachineName

A, B = MachineName("strategy:a"), MachineName("risk:b")


class Wire:
    """A link to one host: frames in flight are lost when the connection breaks."""

    def __init__(self, identity):
        self.identity = identity
        self.inbox = Inbox(Counters())
        self.handled = []
        self.kept = []
        self.in_flight = []
        self.is_up = False

    def transmit(self, frame):
        self.in_flight.append(frame)
        return True

    def deliver(self, count):
        for frame in self.in_flight[:count]:
            sequence, previous, to, _, payload = parse_command(frame)
            if self.inbox.admit(self.identity, to, sequence, previous):
                self.handled.append(int(payload))
                self.kept.append(Token(self.identity, sequence, to))
        del self.in_flight[:count]

    def restart(self):
        """The process dies."""
        self.is_up = False
        self.in_flight.clear()
        self.inbox = Inbox(Counters())
        self.forget()

    def forget(self):
        """What was handled and not acknowledged is as if it had never come."""
        del self.handled[len(self.handled) - len(self.kept) :]
        self.kept.clear()


class World:
    """One sender, two hosts between which the receiving machine moves."""

    def __init__(self):
        self.outbox = Outbox(B, Counters())
        self.wires = [Wire(b"a@1/1"), Wire(b"a@1/2")]
        self.sent = 0
        self.committed = set()

    @property
    def wire(self):
        return self.outbox.link

    def send(self):
        self.outbox.send(A, str(self.sent).encode())
        self.sent += 1

    def move(self, index):
        if self.wire is not None and self.wire is not self.wires[index]:
            self.wire.deliver(10_000)  # to a host that no longer has the machine
            self.wire.forget()
        self.outbox.move(self.wires[index])

    def connect(self):
        self.wire.is_up = True
        self.outbox.repeat()

    def silently_reconnect(self, lost):
        """ZeroMQ has connected again before the sender has read that the old connection broke.

        What was transmitted before is lost, what was transmitted after is not.
        """
        del self.wire.in_flight[:lost]

    def lose(self):
        self.wire.is_up = False
        self.wire.in_flight.clear()

    def deliver(self, count):
        before = len(self.wire.handled)
        self.wire.deliver(count)
        for position in range(before, len(self.wire.handled)):
            predecessors = set(range(self.wire.handled[position]))
            assert predecessors <= self.committed | set(self.wire.handled[:position])

    def acknowledge(self, fraction):
        wire = self.wire
        if not wire.kept:
            return
        token = wire.kept[int(fraction * (len(wire.kept) - 1))]
        position = wire.kept.index(token)
        self.committed.update(wire.handled[-len(wire.kept) :][: position + 1])
        del wire.kept[: position + 1]
        wire.inbox.ack(token)
        for sequence in wire.inbox.take_due().values():
            self.outbox.acknowledge(sequence)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send")),
        st.tuples(st.just("connect")),
        st.tuples(st.just("lose")),
        st.tuples(st.just("silently_reconnect"), st.integers(1, 5)),
        st.tuples(st.just("restart")),
        st.tuples(st.just("move"), st.integers(0, 1)),
        st.tuples(st.just("deliver"), st.integers(1, 5)),
        st.tuples(st.just("acknowledge"), st.floats(0, 1)),
    ),
    min_size=40,  # shorter scripts meet few of the coincidences that hurt
    max_size=60,
)


@settings(deadline=None, max_examples=300)
@given(steps)
def test_whatever_breaks_every_command_is_handled_in_order_in_the_end(script):
    world = World()
    world.move(0)
    for name, *arguments in script:
        if name == "restart":
            world.wire.restart()
        else:
            getattr(world, name)(*arguments)

    world.move(1)
    world.lose()
    world.connect()
    world.deliver(10_000)

    assert set(range(world.sent)) <= world.committed | set(world.wire.handled)


@settings(deadline=None, max_examples=200)
@given(steps)
def test_one_life_that_never_moves_sees_every_command_once(script):
    world = World()
    world.move(0)
    for name, *arguments in script:
        if name not in ("restart", "move"):
            getattr(world, name)(*arguments)

    world.lose()
    world.connect()
    world.deliver(10_000)

    assert world.wire.handled == list(range(world.sent))


def test_acknowledgement_that_got_lost_is_given_again_when_the_command_repeats():
    inbox = Inbox(Counters())
    assert inbox.admit(b"a@1/1", B, 1, 0)
    inbox.ack(Token(b"a@1/1", 1, B))
    inbox.take_due()

    assert not inbox.admit(b"a@1/1", B, 1, 0)

    assert inbox.take_due() == {(b"a@1/1", B): 1}


def test_repeat_of_a_command_that_is_not_acknowledged_yet_gives_no_acknowledgement():
    inbox = Inbox(Counters())
    assert inbox.admit(b"a@1/1", B, 1, 0)

    assert not inbox.admit(b"a@1/1", B, 1, 0)

    assert inbox.take_due() == {}


def test_older_acknowledgement_does_not_take_back_a_newer_one():
    inbox = Inbox(Counters())
    for number in (1, 2):
        inbox.admit(b"a@1/1", B, number, number - 1)
    inbox.ack(Token(b"a@1/1", 2, B))
    inbox.ack(Token(b"a@1/1", 1, B))

    assert inbox.take_due() == {(b"a@1/1", B): 2}
