"""A small exchange in a thread, behind a real bus: it answers, loses, repeats and dies as told."""

import asyncio
import os
import shutil
import tempfile
import threading
from collections import deque
from pathlib import Path

import pytest

from actors.bus import wire
from actors.bus.zmq import ZmqBus
from actors.venues.paper.adapter import PaperVenue
from trading.codec import decode, encode
from trading.errors import ConfigError
from trading.outcomes import CancelAcknowledged, VenueConnected

BOUND_S = 60.0
PATIENCE_MS = 30_000
PORTS = (20_000, 32_000)
"""Below those that the system hands out by itself: a port that was closed is still free a moment later."""


class FakeExchange:
    """Answers each request with what `answer(request)` returns: a list of messages or bytes."""

    def __init__(self, bus, answer):
        self.bus = bus
        self.address = bus.address
        self.answer = answer
        self.requests = []
        self.asked = threading.Event()
        self._errands = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def publish(self, *messages, topic="exec.paper.DEMO"):
        """Publish in this order, from the exchange's own thread."""
        self._errands.extend((topic, message) for message in messages)
        self.bus.wake()

    def stop(self):
        if not self._stopping:
            self._stopping = True
            self.bus.wake()
            self._thread.join(BOUND_S)

    def _run(self):
        while not self._stopping:
            for item in self.bus.poll(1.0):
                if isinstance(item, wire.Request):
                    request = decode(item.payload)
                    self.requests.append(request)
                    self.asked.set()
                    for message in self.answer(request):
                        self._flush()
                        self.bus.reply(item.token, _bytes(message))
            self._flush()
        self.bus.close()

    def _flush(self):
        while self._errands:
            topic, message = self._errands.popleft()
            self.bus.publish(topic, _bytes(message))


def _bytes(message):
    return message if isinstance(message, bytes) else encode(message)


class Heard:
    """What a venue said of its own accord, and waiting for more of it."""

    def __init__(self):
        self.messages = []
        self._changed = asyncio.Event()

    def __call__(self, message):
        self.messages.append(message)
        self._changed.set()

    def count(self, cls):
        return sum(isinstance(message, cls) for message in self.messages)

    async def until(self, holds):
        async with asyncio.timeout(BOUND_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def heard():
    return Heard


@pytest.fixture(autouse=True)
def _nobody_is_taken_for_dead(monkeypatch):
    """An exchange that is stopped closes its sockets; one that has to wait on a busy machine is not gone."""
    monkeypatch.setattr("actors.venues.paper.session.HEARTBEAT_TIMEOUT_MS", PATIENCE_MS)
    monkeypatch.setattr("actors.bus.link.HEARTBEAT_TIMEOUT_MS", PATIENCE_MS)


@pytest.fixture
def run_dir():
    folder = Path(tempfile.mkdtemp(prefix="venue-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start_exchange(run_dir):
    started = []

    def start(answer=None, incarnation="1", bind="ipc", secret=None):
        bus = ZmqBus("exchange", incarnation, run_dir=run_dir, bind=bind, secret=secret)
        exchange = FakeExchange(bus, answer or acknowledge)
        started.append(exchange)
        return exchange

    yield start
    for exchange in started:
        exchange.stop()


@pytest.fixture
def start_exchange_at_a_port(start_exchange):
    """Start an exchange at a port that nobody else is given; return it and where it is bound."""

    def start(answer=None):
        first, end = PORTS
        for number in range(0, end - first, 2):  # two ports each; workers begin far apart
            bind = f"127.0.0.1:{first + (os.getpid() * 50 + number) % (end - first)}"
            try:
                return start_exchange(answer, bind=bind), bind
            except ConfigError:
                continue
        raise AssertionError("every port is taken")

    return start


@pytest.fixture
def session(heard):
    """Connect to `exchange`, run `work(venue, heard)`, disconnect."""

    def run(exchange, work, secret=None):
        async def whole():
            venue, listener = PaperVenue("DEMO", secret), heard()
            venue.set_endpoint(exchange.address.router, exchange.address.pub)
            await venue.connect(listener)
            try:
                await listener.until(lambda: listener.count(VenueConnected))
                async with asyncio.timeout(BOUND_S):
                    return await work(venue, listener)
            finally:
                await venue.disconnect()

        return asyncio.run(whole())

    return run


def acknowledge(request):
    return [CancelAcknowledged(client_order_id=request.body.client_order_id)]
