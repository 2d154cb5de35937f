"""A desk between two paper venues on the simulator's bus: two exchanges, feeds, books, risk managers, brokers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from actors.feeds.guard import DataGuard, GuardConfig
from actors.local_bus import LocalBus
from actors.runner import Command, Runner
from actors.simulation.memory_journal import Disk, MemoryJournal
from actors.simulation.seeded_faults import Profile, SeededFaults
from tests.trading.algorithms.two_venue_orders import (
    KEY,
    SECOND,
    START,
    STRATEGIES,
    VENUES,
    parents,
)
from trading.account import Account
from trading.algorithms.desk import ExecutionDesk
from trading.algorithms.desk_config import DeskAccount, ExecutionDeskConfig
from trading.algorithms.facts import ChildPlanned
from trading.algorithms.parameters import (
    Oco,
)
from trading.algorithms.parent import EXITS, PARTS, ParentOrder
from trading.book.shard import BookShard
from trading.broker.broker import Broker
from trading.broker.config import BrokerConfig
from trading.codec import decode
from trading.commands import CancelExecution, ExecuteOrder, RequestBook
from trading.data import Bar, MarketSlice
from trading.events import Event, OrderFilled
from trading.exchange.exchange import ExchangeSettings, SimulatedExchange
from trading.exchange.fees import Fees
from trading.exchange.liquidity import Liquidity
from trading.fills import cash_paid
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    MachineName,
    StreamName,
    Venue,
    account_stream,
    machine_kind,
    machine_name,
)
from trading.instruments import Instrument
from trading.machine import Machine
from trading.messages import Message
from trading.position import exact_sum
from trading.reports import FillReport
from trading.risk.config import RiskConfig
from trading.risk.gate import RiskGate
from trading.risk.limits import RiskLimits
from trading.routing.quotes import VenueFees
from trading.values import ZERO

D = Decimal
PACE = SECOND // 5
CASH = D(1_000_000)
TAKER_BPS = {Venue("east"): D(5), Venue("west"): D(2)}
LADDER = Liquidity(levels=3, depth=D(900), step_bps=D(2))
INSTRUMENT = Instrument(instrument_id=KEY, lot_size=D("0.1"), min_quantity=D("0.5"))
SECRET = b"risk"
DESK = machine_name("execution", "main")
LIMITS = RiskLimits(
    max_shares=D(10_000),
    max_notional_per_position=D(500_000),
    max_total_exposure=D(900_000),
    max_loss_per_trade=D(900_000),
    max_daily_loss=D(900_000),
    max_consecutive_losses=10_000,
    max_trades_per_day=100_000,
    stop_loss=None,
    trailing_stop=None,
)


@dataclass(frozen=True)
class Outcome:
    """What one seed led to."""

    problems: tuple[str, ...]
    crashes: int
    fills: int
    asked: int
    """Requests for books that the desk sent."""
    codes: tuple[str, ...]
    state_hash: str
    paid: Decimal
    """Money that all fills took, fees included; what sales brought counts against it."""
    unfilled: Decimal
    story: tuple[str, ...]


class TwoVenues:
    """One run of one seed.

    `book_wait_ns` 0 decides by the tops alone.
    """

    def __init__(
        self,
        seed: int,
        profile: Profile,
        orders: Sequence[tuple[float, ExecuteOrder]] | None = None,
        book_wait_ns: int = SECOND // 5,
        ladders: tuple[Liquidity, ...] = (LADDER, LADDER),
    ) -> None:
        self._ladders = dict(zip(VENUES, ladders, strict=True))
        self._orders = parents() if orders is None else orders
        self._book_wait_ns = book_wait_ns
        self.disk = Disk(ample=frozenset(StreamName(f"exchange:{venue}") for venue in VENUES))
        factories = dict(self._factories())
        kinds = {str(name): (machine_kind(name),) for name in factories}
        self.faults = SeededFaults(profile, seed, kinds, crashes_max=25)
        self.bus = LocalBus(START, self.faults)
        self._random = np.random.default_rng([seed, 7])
        self._price = 100.0
        self._asked = 0
        self.bus.on_send = self._count
        self._sequence = 0
        for name, make in factories.items():
            self.bus.add_host(str(name), frozenset({name}), self._runner(name, make))
        self._commands: list[ExecuteOrder | CancelExecution] = []

    # -- building

    def _runner(self, name: MachineName, make: Callable[[], Machine]) -> Callable[[], Runner]:
        host = str(name)

        def build() -> Runner:
            journal = MemoryJournal(
                self.disk,
                crash_before=lambda _: self.faults.crashes(host, "before_append"),
                crash_after=lambda _: self.faults.crashes(host, "after_append"),
            )
            return Runner({name: make}, journal, holder="test")

        return build

    def _factories(self) -> Iterator[tuple[MachineName, Callable[[], Machine]]]:
        for venue, account in VENUES.items():
            yield from self._of_venue(venue, account).items()
        config = ExecutionDeskConfig(
            name="main",
            accounts=tuple(
                DeskAccount(
                    venue=venue,
                    account_id=account,
                    instruments=(INSTRUMENT,),
                    fees=VenueFees(taker_bps=TAKER_BPS[venue]),
                )
                for venue, account in VENUES.items()
            ),
            settle_ns=30 * SECOND,
            book_wait_ns=self._book_wait_ns,
        )
        yield DESK, lambda: ExecutionDesk(config)

    def _of_venue(
        self, venue: Venue, account: AccountId
    ) -> dict[MachineName, Callable[[], Machine]]:
        exchange, feed = machine_name("exchange", venue), machine_name("feed", venue)
        risk = machine_name("risk", account)
        settings = ExchangeSettings(
            venue=venue,
            accounts={account: CASH},
            instruments=(INSTRUMENT,),
            liquidity=self._ladders[venue],
            fees=Fees(taker_bps=TAKER_BPS[venue], increment=D("0.00000001")),
        )
        guard = GuardConfig(
            venue=venue, source=exchange, instruments=frozenset({KEY}), is_replay=False
        )
        return {
            exchange: lambda: SimulatedExchange(settings),
            feed: lambda: DataGuard(guard),
            machine_name("book", venue): lambda: BookShard(venue, (INSTRUMENT,), feed),
            risk: lambda: RiskGate(
                RiskConfig(
                    account_id=account,
                    venue=venue,
                    strategies=STRATEGIES,
                    instruments={KEY: INSTRUMENT},
                    limits=LIMITS,
                    key=SECRET,
                    initial_cash=CASH,
                )
            ),
            machine_name("broker", venue, account): lambda: Broker(
                BrokerConfig(
                    venue=venue, account_id=account, initial_cash=CASH, risk=risk, risk_key=SECRET
                )
            ),
        }

    # -- running

    def run(self) -> Outcome:
        """Trade under faults, calm down, restart everything once, and judge."""
        self.bus.start()
        self._move()
        for at, order in self._orders:
            self.bus.at(START + int(at * SECOND), lambda order=order: self._ask(order))
        cancel = CancelExecution(client_order_id=ClientOrderId(f"{3:032x}"), reason="enough")
        self.bus.at(START + 15 * SECOND, lambda: self._ask(cancel))
        if self.faults.profile.disk_full:
            for at in (3, 6, 10):
                self.bus.at(START + at * SECOND, lambda: self._fill_disk(is_full=True))
                self.bus.at(START + (at + 2) * SECOND, lambda: self._fill_disk(is_full=False))
        self.bus.run(lambda: False, 20 * SECOND)
        self.faults.is_calm = True
        problems = [] if self.bus.run(self._is_over, 300 * SECOND) else [f"no end: {self._view()}"]
        self.bus.run(lambda: False, 10 * SECOND)
        problems += self._judge()
        for host in list(self.bus.hosts):
            self.bus.crash(host, restart_after_ns=1_000_000)
        self.bus.run(lambda: False, 15 * SECOND)
        problems += self._judge()
        return Outcome(
            problems=tuple(dict.fromkeys(problems)),
            crashes=self.faults.crash_count,
            fills=sum(len(self._fills(venue)) for venue in VENUES),
            asked=self._asked,
            paid=exact_sum(cash_paid(fill) for venue in VENUES for fill in self._fills(venue)),
            unfilled=exact_sum(
                each.order.quantity - each.filled() for each in self.desk.parents.values()
            ),
            codes=tuple(self._code(each) for each in self.desk.parents.values()),
            state_hash=self.desk.state_hash(),
            story=tuple(self.faults.story),
        )

    def _count(self, message: Message) -> None:
        self._asked += isinstance(message, RequestBook) and message.reply_to == DESK

    def _fill_disk(self, *, is_full: bool) -> None:
        self.disk.is_full = is_full

    def _code(self, parent: ParentOrder) -> str:
        return "" if parent.ended is None else parent.ended.code

    def _view(self) -> object:
        return self.desk.view()["running"]

    def _move(self) -> None:
        """A price for both venues, a tick apart; what a dead exchange misses is gone."""
        self._sequence += 1
        self._price = min(max(self._price + self._random.normal(0, 0.12), 98.5), 101.5)
        for index, venue in enumerate(VENUES):
            price = round(self._price + index * 0.01, 2)
            bar = Bar(instrument_id=KEY, open=price, high=price, low=price, close=price)
            slice_ = MarketSlice(
                ts_event=self.bus.now, ts_init=self.bus.now, sequence=self._sequence, bars=(bar,)
            )
            exchange = machine_name("exchange", venue)
            self.bus.inject(exchange, Command(exchange, slice_))
        self.bus.at(self.bus.now + PACE, self._move)

    def _ask(self, command: ExecuteOrder | CancelExecution) -> None:
        """Ask until the journal has it, twice in any case: commands arrive at least once."""
        self.bus.inject(DESK, Command(DESK, command))
        if self.bus.now < START + 40 * SECOND:
            self.bus.at(self.bus.now + SECOND // 2, lambda: self._ask(command))

    def _is_over(self) -> bool:
        desk = self.bus.machine(DESK)
        if self.bus.now < START + 22 * SECOND or not isinstance(desk, ExecutionDesk):
            return False
        return all(each.ended is not None for each in desk.parents.values())

    @property
    def desk(self) -> ExecutionDesk:
        desk = self.bus.machine(DESK)
        assert isinstance(desk, ExecutionDesk), "the desk is down in calm weather"
        return desk

    # -- judgement

    def _exchange(self, venue: Venue) -> SimulatedExchange:
        exchange = self.bus.machine(machine_name("exchange", venue))
        assert isinstance(exchange, SimulatedExchange)
        return exchange

    def _fills(self, venue: Venue) -> tuple[FillReport, ...]:
        return self._exchange(venue).fills(VENUES[venue])

    def _events(self, stream: StreamName) -> Iterator[Event]:
        for record in MemoryJournal(self.disk).read(stream):
            event = decode(record.payload)
            assert isinstance(event, Event)
            yield event

    def _judge(self) -> list[str]:
        problems = [
            problem for parent in self.desk.parents.values() for problem in self._of(parent)
        ]
        planned = {
            e.order.client_order_id
            for e in self._events(self.desk.stream)
            if isinstance(e, ChildPlanned)
        }
        for venue, account in VENUES.items():
            exchange = self._exchange(venue)
            for report in exchange.orders(account):
                if report.client_order_id not in planned:
                    problems.append(f"{report.client_order_id} was never planned")
                submits = [
                    r
                    for r in exchange.requests_for(report.client_order_id)
                    if r.kind == "SubmitOrder"
                ]
                if len(submits) > 1:
                    problems.append(f"{report.client_order_id} was submitted {len(submits)} times")
            problems += self._books(venue, account)
        again = ExecutionDesk(self.desk.config)
        for stream in (self.desk.stream, *self.desk.follows):
            for event in self._events(stream):
                again.apply(event)
        if again.state_hash() != self.desk.state_hash():
            problems.append("the desk is not what the journals say")
        for name in self.bus.hosts:
            machine = self.bus.machine(MachineName(name))
            assert machine is not None, f"{name} is down in calm weather"
            machine.validate()
        return problems

    def _books(self, venue: Venue, account_id: AccountId) -> list[str]:
        account = Account(CASH)
        for event in self._events(account_stream(venue, account_id)):
            if isinstance(event, OrderFilled):
                account.apply_fill(event)
        exchange = self._exchange(venue)
        ours = {key: p.quantity for key, p in account.positions().items() if p.quantity}
        agree = ours == exchange.positions(account_id) and account.cash == exchange.cash(account_id)
        return [] if agree else [f"the books of {venue} differ"]

    def _of(self, parent: ParentOrder) -> list[str]:
        """Compare one parent with what really traded."""
        traded = dict.fromkeys(parent.children, ZERO)
        for venue in VENUES:
            for fill in self._fills(venue):
                if fill.client_order_id in traded:
                    traded[fill.client_order_id] += fill.last_qty
        parts = sum((traded[c.client_order_id] for c in parent.of(PARTS)), ZERO)
        exits = sum((traded[c.client_order_id] for c in parent.of(EXITS)), ZERO)
        held = parent.order.quantity if isinstance(parent.order.algorithm, Oco) else parts
        found = []
        if parts > parent.order.quantity:
            found.append(f"{parent.key} is overfilled: {parts} of {parent.order.quantity}")
        if exits and exits > held:
            found.append(f"{parent.key} got out of {exits}, but had {held}")
        if (parts, exits) != (parent.filled(PARTS), parent.filled(EXITS)):
            found.append(f"{parent.key}: the desk counts otherwise than the venues")
        if parent.open_children():
            found.append(f"{parent.key} has ended and still works")
        code = self._code(parent)
        if code == "FILLED" and parts != parent.order.quantity:
            found.append(f"{parent.key} is said to be filled")
        if code == "EXITED" and exits != held:
            found.append(f"{parent.key} is said to be out")
        return found
