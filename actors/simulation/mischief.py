"""Misfortunes that come from outside: broken market data, forged permits, a full disk, the kill switch."""

import math

import msgspec
import numpy as np

from actors.blueprint import Blueprint, risk_key
from actors.local_bus import LocalBus
from actors.runner import Command, Published
from actors.simulation.memory_journal import Disk, MemoryJournal
from actors.simulation.seeded_faults import MS, Profile
from trading.codec import encode
from trading.commands import PermittedOrder, SubmitOrder
from trading.data import Bar, BarSlice, BookSnapshot, MarketData, QuoteTick
from trading.events import KillSwitchTripped
from trading.identifiers import (
    ClientOrderId,
    InstrumentId,
    kill_stream,
)
from trading.risk.permits import sign
from trading.values import NANOS_PER_SECOND, OrderSide

EVERY_NS = 60 * MS
FULL_NS = 400 * MS
KILL_GRACE_NS = NANOS_PER_SECOND
"""An order may be on its way when the switch is thrown; after this time none may arrive any more."""
BAD_NUMBERS = (math.nan, math.inf, -math.inf, -1.0, 0.0, 1e308)


class Mischief:
    """Does what the profile asks for, at times drawn from `random`, until `stop`."""

    def __init__(
        self,
        profile: Profile,
        random: np.random.Generator,
        bus: LocalBus,
        disk: Disk,
        blueprint: Blueprint,
        secret: bytes,
    ) -> None:
        self.killed_at: int | None = None
        self.forged: set[ClientOrderId] = set()
        self._profile = profile
        self._random = random
        self._bus = bus
        self._disk = disk
        self._blueprint = blueprint
        self._secret = secret
        self._is_over = False
        self._permitted: list[PermittedOrder] = []

    def start(self) -> None:
        self._bus.on_send = self._remember
        self._again()

    def stop(self) -> None:
        self._is_over = True
        self._disk.is_full = False

    def _again(self) -> None:
        if not self._is_over:
            wait = int(self._random.integers(EVERY_NS // 2, 2 * EVERY_NS))
            self._bus.at(self._bus.now + wait, self._act)

    def _act(self) -> None:
        if self._is_over:
            return
        profile = self._profile
        if profile.bad_ticks:
            self._send_bad_data()
        if profile.forged_permits:
            self._send_forged_order()
        if profile.disk_full and self._random.random() < 0.3:
            self._fill_disk()
        if profile.kill_switch and self.killed_at is None and self._random.random() < 0.05:
            self._kill()
        self._again()

    # -- market data

    def _send_bad_data(self) -> None:
        ids = self._blueprint.instruments_by_id
        name = list(ids)[int(self._random.integers(len(ids)))]
        message = self._bad_data(name)
        topic = f"market.{self._blueprint.venue}.{name}"
        self._bus.inject(self._blueprint.name("feed"), Published(topic, message))

    def _bad_data(self, name: InstrumentId) -> MarketData:
        bad = BAD_NUMBERS[int(self._random.integers(len(BAD_NUMBERS)))]
        sequence = int(self._random.integers(1, 1_000))
        match int(self._random.integers(6)):
            case 0:
                return QuoteTick(
                    instrument_id=name, bid_px=bad, ask_px=10.0, bid_size=1.0, ask_size=1.0
                )
            case 1:
                return BookSnapshot(
                    instrument_id=name, bids=((10.0, 5.0),), asks=((9.0, 5.0),), sequence=sequence
                )
            case 2:
                return BookSnapshot(instrument_id=name, bids=((bad, 5.0),), asks=((9.0, bad),))
            case 3:
                bar = Bar(instrument_id=name, open=bad, high=bad, low=bad, close=bad)
                return BarSlice(bars=(bar,), sequence=sequence)
            case 4:
                unknown = InstrumentId("X" * 1_000_000 + ".Y")
                return QuoteTick(
                    instrument_id=unknown, bid_px=1.0, ask_px=2.0, bid_size=1.0, ask_size=1.0
                )
            case _:
                return BookSnapshot(instrument_id=name, bids=(), asks=(), sequence=-1, ts_event=-1)

    # -- permits

    def _remember(self, message: object) -> None:
        if isinstance(message, PermittedOrder):
            self._permitted.append(message)

    def _send_forged_order(self) -> None:
        """A wrong key, an altered order, an old permit, or a permitted order once more."""
        if not self._permitted:
            return
        known = self._permitted[int(self._random.integers(len(self._permitted)))]
        kind = int(self._random.integers(4))
        if kind == 3:
            self._deliver(known)
            return
        order = msgspec.structs.replace(
            known.order,
            client_order_id=ClientOrderId(f"{len(self.forged):032x}"),
            side=OrderSide.BUY,
            quantity=known.order.quantity * 10,
        )
        self.forged.add(order.client_order_id)
        self._deliver(self._forge(kind, order, known))

    def _forge(self, kind: int, order: SubmitOrder, known: PermittedOrder) -> PermittedOrder:
        now, epoch = self._bus.now, known.permit.risk_epoch
        if kind == 0:
            return PermittedOrder(order=order, permit=sign(order, b"wrong" * 8, epoch, now))
        if kind == 1:
            return PermittedOrder(order=order, permit=known.permit)
        old = sign(order, risk_key(self._secret), epoch, now - 5 * NANOS_PER_SECOND)
        return PermittedOrder(order=order, permit=old)

    def _deliver(self, message: PermittedOrder) -> None:
        broker = self._blueprint.name("broker")
        self._bus.inject(broker, Command(broker, message))

    # -- disk and switch

    def _fill_disk(self) -> None:
        self._disk.is_full = True

        def free() -> None:
            self._disk.is_full = False

        self._bus.at(self._bus.now + int(self._random.integers(FULL_NS)), free)

    def _kill(self) -> None:
        now = self._bus.now
        event = KillSwitchTripped(
            ts_event=now, ts_init=now, actor="simulation", reason="drill", flatten=True
        )
        stream = kill_stream(self._blueprint.account_id)
        MemoryJournal(self._disk).append_shared(stream, [encode(event)], now)
        self.killed_at = now
