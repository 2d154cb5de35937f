"""One account as it really runs: the broker machine, a journal, and the adapter under test. It can be killed."""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any

from actors.venue_calls import call_venue
from trading.broker.broker import Broker
from trading.broker.config import BrokerConfig
from trading.codec import decode, encode
from trading.commands import (
    AnnounceRisk,
    CancelOrder,
    PermittedOrder,
    PermittedOrderList,
    PermittedReplace,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
)
from trading.effects import Append, CallVenue, CancelTimer, Send, SetTimer
from trading.events import Event
from trading.identifiers import ClientOrderId, MachineName, StrategyId, Venue
from trading.messages import Message
from trading.order import Order
from trading.outcomes import Started, TimerFired
from trading.reports import FillReport
from trading.risk.permits import sign
from trading.values import OrderSide, OrderType, TimeInForce

KEY = b"shared with risk"
RISK = MachineName("risk:ACC")
MS = 1_000_000
BOUND_S = 60.0
IMPATIENT = {"submit_timeout_ns": 3_000 * MS}
"""For stories in which an answer never comes: still longer than a busy machine holds a thread up."""


class Death(StrEnum):
    """Where the process dies (RELIABILITY faults 1 to 3)."""

    BEFORE_SEND = "journalled, not sent"
    BEFORE_ACK = "sent, not acknowledged"
    BEFORE_FILL = "fill received, not journalled"


class Trader:
    """Runs the broker of one rig in the current event loop.

    `journal` is what survives a death, as bytes. Everything else is new after `start`.
    """

    def __init__(self, rig: Any, *, cash: Decimal | None = None, **settings: Any) -> None:
        defaults: dict[str, Any] = {
            # An order that is given up before it is sent counts as never sent: only a fault may cause that.
            "submit_timeout_ns": 10_000 * MS,
            "query_timeout_ns": 1_000 * MS,
            "mass_status_timeout_ns": 3_000 * MS,
            "resolution_delays_ns": (0, 50 * MS, 100 * MS, 200 * MS),
            "settle_ns": 300 * MS,
            "missing_fill_delay_ns": 200 * MS,
            "reconcile_interval_ns": 1_000 * MS,
        }
        self.rig = rig
        self.config = BrokerConfig(
            venue=Venue(rig.name),
            account_id=rig.desk.account_id,
            initial_cash=rig.desk.cash if cash is None else cash,
            risk=RISK,
            risk_key=KEY,
            **{**defaults, **settings},
        )
        self._base = rig.desk.prices[rig.traded]
        self.journal: list[bytes] = []
        self.external: set[str] = set()
        """Ids, at the venue, of orders that somebody else made."""
        self.broker = Broker(self.config)
        self.port: Any = None
        self.death: Death | None = None
        self.died = asyncio.Event()
        self.disconnections: list[Any] = []
        self._epoch = 0
        self._number = 0
        self._life = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    # -- life

    async def start(self, *, until_ready: bool = True) -> "Trader":
        """Open a new adapter, restore the broker from the journal, connect."""
        self._life += 1
        life = self._life
        self.death, self.died = None, asyncio.Event()
        self.broker = Broker(self.config)
        for payload in self.journal:
            event = decode(payload)
            assert isinstance(event, Event)
            self.broker.apply(event)
        self._epoch += 1
        self.port = self.rig.open_port()
        loop = asyncio.get_running_loop()
        self._give(Started(epoch=self._epoch, ts_init=time.time_ns()))
        self._give(AnnounceRisk(risk_epoch=7, reply_to=RISK, ts_init=time.time_ns()))
        await self.port.connect(
            lambda message: loop.call_soon_threadsafe(self._arrived, message, life)
        )
        if until_ready:
            await self.until(lambda: self.view["is_ready"])
        return self

    async def kill(self) -> None:
        """Die: nothing more is handled, nothing more is journalled; the sockets close."""
        self._life += 1
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        port, self.port = self.port, None
        if port is not None:
            await port.disconnect()

    async def restart(self) -> "Trader":
        await self.kill()
        return await self.start()

    # -- acts

    def order(self, quantity: Decimal | None = None, **details: Any) -> SubmitOrder:
        self._number += 1
        details = {
            "side": OrderSide.BUY,
            "order_type": OrderType.MARKET,
            "time_in_force": self._time_in_force(),
            **details,
        }
        return SubmitOrder(
            ts_event=time.time_ns(),
            ts_init=time.time_ns(),
            client_order_id=ClientOrderId(
                f"{self._epoch:04x}{self._number:012x}{time.time_ns():016x}"
            ),
            account_id=self.config.account_id,
            strategy_id=StrategyId("tests"),
            instrument_id=self.rig.traded,
            quantity=self.rig.lot if quantity is None else quantity,
            **details,
        )

    def limit(self, percent: float, **details: Any) -> SubmitOrder:
        details = {"time_in_force": TimeInForce.GTC, **details}
        return self.order(order_type=OrderType.LIMIT, price=self.at(percent), **details)

    def at(self, percent: float) -> Decimal:
        """Return a price, in percent of that at the start."""
        return self.rig.desk.instruments[self.rig.traded].price(self._base * percent / 100)

    def move(self, percent: float) -> None:
        """Move the market to a price, in percent of that at the start."""
        self.rig.desk.move({self.rig.traded: float(self.at(percent))})

    def submit(self, order: SubmitOrder | SubmitOrderList) -> ClientOrderId:
        """Hand over an order with a good permit."""
        permit = sign(order, KEY, 7, time.time_ns())
        if isinstance(order, SubmitOrderList):
            self._give(PermittedOrderList(order_list=order, permit=permit))
            return order.orders[0].client_order_id
        self._give(PermittedOrder(order=order, permit=permit))
        return order.client_order_id

    def cancel(self, key: ClientOrderId) -> None:
        self._give(CancelOrder(client_order_id=key, account_id=self.config.account_id))

    def replace(self, key: ClientOrderId, **changes: Any) -> None:
        replace = ReplaceOrder(
            client_order_id=key,
            account_id=self.config.account_id,
            venue_order_id=self.known(key).venue_order_id,
            **changes,
        )
        self._give(PermittedReplace(replace=replace, permit=sign(replace, KEY, 7, time.time_ns())))

    def give(self, message: Message) -> None:
        self._give(message)

    # -- what is known

    @property
    def view(self) -> Any:
        return self.broker.view()

    @property
    def record(self) -> Any:
        return self.broker._state.record

    @property
    def events(self) -> list[Event]:
        return [decode(payload) for payload in self.journal]  # type: ignore[misc]

    def known(self, key: ClientOrderId) -> Order:
        found: Order = self.record.orders[key]
        return found

    def is_working(self, key: ClientOrderId) -> bool:
        order = self.record.orders.get(key)
        return order is not None and order.is_open and not order.is_in_flight

    async def until(self, holds: Callable[[], Any], bound_s: float = BOUND_S) -> None:
        """Wait until something is true; looks after every message and every 20 ms."""
        try:
            async with asyncio.timeout(bound_s):
                while not holds():
                    self._changed.clear()
                    waiting = asyncio.ensure_future(self._changed.wait())
                    await asyncio.wait({waiting}, timeout=0.02)
                    waiting.cancel()
        except TimeoutError:
            raise AssertionError(f"not within {bound_s} s: {self.view}") from None

    async def settled(self) -> None:
        """Wait until nothing is in doubt and our record and the venue's agree; then check everything."""
        await self.until(lambda: not problems(self))
        self.broker.validate()

    # -- the host

    def _arrived(self, message: Message, life: int) -> None:
        if life != self._life:
            return
        if self.death is Death.BEFORE_FILL and isinstance(message, FillReport):
            self._die()
            return
        if "Disconnected" in type(message).__name__:
            self.disconnections.append(message)
        self._give(message)

    def _give(self, message: Message) -> None:
        for effect in self.broker.handle(message, time.time_ns()):
            if self.died.is_set():
                break
            self._perform(effect)
        self._changed.set()

    def _perform(self, effect: Any) -> None:
        match effect:
            case Append(event):
                self.journal.append(encode(event))
            case CallVenue(body, timeout_ns):
                if self.death is Death.BEFORE_SEND and isinstance(body, SubmitOrder):
                    self._die()
                    return
                task = asyncio.get_running_loop().create_task(self._call(body, timeout_ns))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case SetTimer(key, at):
                self._stop(key)
                delay = max(0.0, (at - time.time_ns()) / 1e9)
                loop = asyncio.get_running_loop()
                self._timers[key] = loop.call_later(delay, self._fire, key, self._life)
            case CancelTimer(key):
                self._stop(key)
            case Send():
                pass  # nobody else is there
            case _:
                raise AssertionError(f"a broker has no {effect}")

    async def _call(self, body: Any, timeout_ns: int) -> None:
        life = self._life
        outcome = await call_venue(self.port, body, timeout_ns / 1e9, time.time_ns)
        if life != self._life or self.died.is_set():
            return
        if self.death is Death.BEFORE_ACK and isinstance(body, SubmitOrder):
            self._die()
            return
        self._give(outcome)

    def _fire(self, key: str, life: int) -> None:
        self._timers.pop(key, None)
        if life == self._life:
            self._give(TimerFired(key=key))

    def _stop(self, key: str) -> None:
        handle = self._timers.pop(key, None)
        if handle is not None:
            handle.cancel()

    def _die(self) -> None:
        self._life += 1  # from here on nothing is heard
        self.died.set()

    def _time_in_force(self) -> TimeInForce:
        """The first of DAY, GTC, IOC that the venue takes for market orders."""
        orders = self.rig.profile.capabilities.orders
        instrument = self.rig.desk.instruments[self.rig.traded]
        offered = orders[instrument.asset_class].pairs[OrderType.MARKET]
        return next(t for t in (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC) if t in offered)


def problems(trader: Trader) -> list[str]:
    """Return what is wrong between our record and the venue: duplicates, lost orders, positions, cash, doubts."""
    desk, record = trader.rig.desk, trader.record
    found = [f"duplicate order {key}" for key in desk.duplicates]
    lost = desk.accepted() - record.orders.keys() - trader.external
    found += [f"lost order {key}" for key in lost]
    held = {key: p.quantity for key, p in record.account.positions().items() if p.quantity}
    if held != desk.positions:
        found.append(f"positions: ours {held}, venue {desk.positions}")
    if record.account.cash != desk.cash:
        found.append(f"cash: ours {record.account.cash}, venue {desk.cash}")
    found += [
        f"doubtful order {key}" for key, order in record.open_orders.items() if order.is_in_flight
    ]
    working = desk.working() - trader.external
    ours = record.open_orders.keys() - trader.external
    if len(record.open_orders) != len(desk.working()) or working - ours:
        found.append(f"working: ours {sorted(record.open_orders)}, venue {sorted(working)}")
    if not trader.view["is_ready"]:
        found.append("not ready")
    return found
