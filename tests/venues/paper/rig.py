"""The paper venue over its real wire (ZeroMQ), with the shared desk behind it."""

import asyncio
import shutil
import tempfile
import threading
from collections import deque
from decimal import Decimal
from pathlib import Path

from actors.bus import wire
from actors.bus.zmq import ZmqBus
from actors.venues.paper.adapter import PaperVenue
from actors.venues.paper.profile import PAPER
from tests.venues.desk import Desk
from tests.venues.faults import Fault, Faults
from trading.codec import decode, encode
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.outcomes import SubmitOutcomeUnknown

AAPL = InstrumentId("AAPL.XNAS")


class PaperRig:
    """A thread that answers on a bus as the host of an exchange does."""

    name = "paper"
    profile = PAPER
    traded = AAPL
    lot = Decimal(10)
    understands = frozenset(
        {
            Fault.DROP_REQUEST,
            Fault.DROP_RESPONSE,
            Fault.ERROR_5XX_EXECUTED,
            Fault.HALF_ANSWER,
            Fault.DUPLICATE_FILLS,
            Fault.REORDER_FILLS,
            Fault.FILL_BEFORE_ACK,
            Fault.MALFORMED,
            Fault.DROP_STREAM,
        }
    )

    def __init__(self) -> None:
        self.desk = Desk((Instrument(instrument_id=AAPL),), {AAPL: 100.0})
        self.faults = Faults()
        self._folder = Path(tempfile.mkdtemp(prefix="paper-"))
        self._reports: deque[object] = deque()
        self._held: list[object] = []
        self._errands: deque[object] = deque()
        self._incarnation = 0
        self.desk.on_report(self._reported)
        self._start()

    # -- for the suite

    def open_port(self) -> PaperVenue:
        venue = PaperVenue(self.desk.account_id, venue="desk")
        venue.set_endpoint(self._bus.address.router, self._bus.address.pub)
        self._ports.append(venue)
        return venue

    def open_feed(self) -> None:
        return None

    async def quote(self, bid: float, ask: float) -> None:
        """The paper venue has no market data of its own."""

    async def cut(self) -> None:
        """The host of the exchange dies and comes back at another address."""
        await asyncio.to_thread(self._stop)
        self._start()
        for port in self._ports:
            port.set_endpoint(self._bus.address.router, self._bus.address.pub)

    async def release(self) -> None:
        while self._held:  # one by one: the host may hold back another one meanwhile
            self._errands.append(self._held.pop())
        self._bus.wake()

    async def close(self) -> None:
        await asyncio.to_thread(self._stop)
        shutil.rmtree(self._folder)

    # -- the host

    def _start(self) -> None:
        self._incarnation += 1
        self._ports: list[PaperVenue] = getattr(self, "_ports", [])
        self._bus = ZmqBus("exchange", str(self._incarnation), run_dir=self._folder, bind="ipc")
        self._stopping = False
        self._thread = threading.Thread(target=self._run, args=(self._bus,), daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        self._stopping = True
        self._bus.wake()
        self._thread.join(60)

    def _run(self, bus: ZmqBus) -> None:
        while not self._stopping:
            for item in bus.poll(0.5):
                if isinstance(item, wire.Request):
                    self._answer(bus, item)
            while self._errands:
                bus.publish(f"exec.desk.{self.desk.account_id}", encode(self._errands.popleft()))
        bus.close()

    def _answer(self, bus: ZmqBus, item: wire.Request) -> None:
        request = decode(item.payload)
        is_order = type(request.body).__name__ == "SubmitOrder"
        if is_order and self.faults.happens(Fault.DROP_REQUEST):
            return
        outcome = self.desk.request(request.body)
        if self.faults.happens(Fault.FILL_BEFORE_ACK):
            self._publish(bus)
        if not is_order or not self.faults.happens(Fault.DROP_RESPONSE):
            payload = encode(outcome)
            if is_order and self.faults.happens(Fault.HALF_ANSWER):
                payload = payload[: len(payload) // 2]
            if is_order and self.faults.happens(Fault.ERROR_5XX_EXECUTED):
                payload = encode(
                    SubmitOutcomeUnknown(client_order_id=request.body.client_order_id, reason="504")
                )
            bus.reply(item.token, payload)
        self._publish(bus)

    def _publish(self, bus: ZmqBus) -> None:
        topic = f"exec.desk.{self.desk.account_id}"
        while self._reports:
            report = self._reports.popleft()
            if self.faults.happens(Fault.DROP_STREAM):
                continue  # lost on the way; the numbers of the reports tell
            if self.faults.happens(Fault.MALFORMED):
                bus.publish(topic, b"\xff\x00 no message of ours")
            is_fill = type(report).__name__ == "FillReport"
            if is_fill and self.faults.happens(Fault.REORDER_FILLS):
                self._held.append(report)
                continue
            copies = 3 if is_fill and self.faults.happens(Fault.DUPLICATE_FILLS) else 1
            for _ in range(copies):
                bus.publish(topic, encode(report))

    def _reported(self, report: object) -> None:
        if threading.current_thread() is self._thread:
            self._reports.append(report)
        else:  # the market moved
            self._errands.append(report)  # told behind what the host has in hand
            self._bus.wake()


async def open_rig(folder: Path) -> PaperRig:
    """Return a running rig; `folder` is not used, sockets need a short path."""
    return PaperRig()
