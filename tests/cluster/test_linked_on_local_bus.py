"""Every machine of a blueprint with two accounts on the simulator's bus: one order, worked over both venues."""

from decimal import Decimal

import pytest

from actors.blueprint import Blueprint, ExecutionPlan, FeedPlan, build
from actors.local_bus import LocalBus
from actors.runner import Command, Runner
from actors.simulation.memory_journal import Disk, MemoryJournal
from trading.algorithms.facts import ChildPlanned
from trading.algorithms.parameters import Listing, SliceStyle, Twap
from trading.codec import decode
from trading.commands import ExecuteOrder
from trading.data import Bar, MarketSlice, QuoteTick
from trading.effects import Publish
from trading.exchange.exchange import ExchangeSettings, SimulatedExchange
from trading.exchange.fees import Fees
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    StreamName,
    Venue,
    machine_name,
)
from trading.instruments import Instrument
from trading.outcomes import FeedSubscribed, VenueConnected
from trading.risk.limits import RiskLimits
from trading.routing.quotes import VenueFees
from trading.values import NANOS_PER_SECOND, DataKind, OrderSide

D = Decimal
SECOND = NANOS_PER_SECOND
START = 1_700_000_000 * SECOND
KEY = InstrumentId("AAPL.XNAS")
LISTED = Instrument(instrument_id=KEY)
ACCOUNTS = {Venue("east"): AccountId("E1"), Venue("west"): AccountId("W1")}
TAKER_BPS = {Venue("east"): D(1), Venue("west"): D(2)}
DESK = machine_name("execution", "main")
LIMITS = RiskLimits(
    max_shares=D(10_000), max_notional_per_position=D(500_000), max_total_exposure=D(900_000),
    max_loss_per_trade=D(900_000), stop_loss=None, trailing_stop=None,
)  # fmt: skip
TWAP = Twap(window_ns=4 * SECOND, slices=2)


class QuietExchange(SimulatedExchange):
    """A venue takes orders here; its market data come over the gateway."""

    def handle(self, message, now):
        effects = super().handle(message, now)
        return [
            e for e in effects if not (isinstance(e, Publish) and e.topic.startswith("market."))
        ]


def account(venue, **more):
    return Blueprint(
        account_id=ACCOUNTS[venue], venue=venue, initial_cash=D(100_000), listed=(LISTED,),
        feed=FeedPlan(venue=venue, kinds=frozenset({DataKind.QUOTES}), bar_interval_ns=60 * SECOND,
                      bars_from=DataKind.QUOTES, history_bars=1),
        strategies=(), traders=(StrategyId("manual"),), limits=LIMITS,
        fees=VenueFees(taker_bps=TAKER_BPS[venue]), **more,
    )  # fmt: skip


class TwoAccounts:
    """Each machine in a host of its own; quotes of 40 units on each side, every fifth of a second."""

    def __init__(self):
        self.blueprint = account(
            Venue("east"),
            execution=ExecutionPlan(name="main"),
            linked=(account(Venue("west")),),
        )
        self.disk = Disk()
        self.bus = LocalBus(START)
        self.bus.feed = lambda machine, ask, now: FeedSubscribed(ts_event=now, ts_init=now)
        for venue in ACCOUNTS:
            self.add(machine_name("exchange", venue), lambda venue=venue: self.exchange_of(venue))
        for name in self.blueprint.machines():
            self.add(name, build(self.blueprint, name, b"secret of the cluster"))
        self.sequence = 0
        self.bus.start()
        for venue in ACCOUNTS:
            self.tell("market", venue, VenueConnected(ts_event=START, ts_init=START))
        self.move()

    def add(self, name, make):
        self.bus.add_host(
            str(name),
            frozenset({name}),
            lambda: Runner({name: make}, MemoryJournal(self.disk), holder="test"),
        )

    def exchange_of(self, venue):
        return QuietExchange(
            ExchangeSettings(
                venue=venue,
                accounts={ACCOUNTS[venue]: D(100_000)},
                instruments=(LISTED,),
                fees=Fees(taker_bps=TAKER_BPS[venue]),
            )
        )

    def tell(self, kind, venue, message):
        name = machine_name(kind, venue)
        self.bus.inject(name, Command(name, message))

    def move(self):
        self.sequence += 1
        now = self.bus.now
        bar = Bar(instrument_id=KEY, open=100.0, high=100.0, low=100.0, close=100.0)
        for venue in ACCOUNTS:
            slice_ = MarketSlice(ts_event=now, ts_init=now, sequence=self.sequence, bars=(bar,))
            self.tell("exchange", venue, slice_)
            quote = QuoteTick(
                ts_event=now, instrument_id=KEY, bid_px=99.99, ask_px=100.01, bid_size=40.0, ask_size=40.0
            )  # fmt: skip
            self.tell("market", venue, quote)
        self.bus.at(now + SECOND // 5, self.move)

    def execute(self, quantity, venues=tuple(ACCOUNTS), **more):
        fields = {"algorithm": TWAP, "side": OrderSide.BUY} | more
        order = ExecuteOrder(
            client_order_id=ClientOrderId("a" * 32),
            strategy_id=StrategyId("manual"),
            quantity=D(quantity),
            listings=tuple(Listing(venue, ACCOUNTS[venue], KEY) for venue in venues),
            **fields,
        )
        self.bus.inject(DESK, Command(DESK, order))

    def until_ended(self):
        def has_ended():
            desk = self.bus.machine(DESK)
            return desk is not None and any(each.ended for each in desk.parents.values())

        assert self.bus.run(has_ended, 60 * SECOND), self.bus.machine(DESK).view()
        self.bus.run(lambda: False, 2 * SECOND)
        (parent,) = self.bus.machine(DESK).parents.values()
        return parent

    def planned(self):
        facts = (
            decode(record.payload) for record in MemoryJournal(self.disk).read(StreamName(DESK))
        )
        return [fact for fact in facts if isinstance(fact, ChildPlanned)]

    def filled(self, venue):
        exchange = self.bus.machine(machine_name("exchange", venue))
        return {fill.client_order_id: fill.last_qty for fill in exchange.fills(ACCOUNTS[venue])}

    def check_books(self):
        for venue, account_id in ACCOUNTS.items():
            exchange = self.bus.machine(machine_name("exchange", venue))
            ledger = self.bus.machine(machine_name("ledger", account_id)).view()
            ours = {each["instrument_id"]: each["quantity"] for each in ledger["positions"]}
            assert ours == {k: q for k, q in exchange.positions(account_id).items() if q}
            assert ledger["cash"] == exchange.cash(account_id)
            for report in exchange.orders(account_id):
                assert len(exchange.requests_for(report.client_order_id)) >= 1
                kinds = [r.kind for r in exchange.requests_for(report.client_order_id)]
                assert kinds.count("SubmitOrder") == 1


@pytest.mark.parametrize("victim", ["", "execution:main", "broker:west:W1", "risk:E1"])
def test_one_order_is_filled_over_both_venues_and_every_book_agrees(victim):
    two = TwoAccounts()
    two.bus.run(lambda: False, SECOND)
    two.execute(120)
    two.bus.run(lambda: False, SECOND)
    if victim:
        two.bus.crash(victim, restart_after_ns=SECOND)
    parent = two.until_ended()
    assert (parent.ended.code, parent.filled()) == ("FILLED", 120)
    fills = {venue: two.filled(venue) for venue in ACCOUNTS}
    sums = {venue: sum(each.values()) for venue, each in fills.items()}
    # East is cheaper; while its risk manager is down, west stands in.
    assert sums == ({"east": 40, "west": 80} if victim == "risk:E1" else {"east": 80, "west": 40})
    planned = {each.order.client_order_id: each for each in two.planned()}
    for venue, each in fills.items():
        for key in each:
            assert planned[key].venue == venue
            assert planned[key].order.account_id == ACCOUNTS[venue]
            assert planned[key].order.parent_order_id == "a" * 32
    two.check_books()


def test_a_resting_order_goes_to_one_venue_and_the_other_keeps_its_cash():
    two = TwoAccounts()
    two.bus.run(lambda: False, SECOND)
    two.execute(
        10,
        algorithm=Twap(window_ns=2 * SECOND, slices=1, style=SliceStyle.REST, must_complete=False),
    )
    parent = two.until_ended()
    assert parent.ended.code == "WINDOW_OVER"
    assert {child.venue for child in parent.children.values()} == {"east"}
    two.check_books()


def test_who_may_not_trade_is_refused_by_the_risk_manager_of_each_account():
    two = TwoAccounts()
    two.bus.run(lambda: False, SECOND)
    order = ExecuteOrder(
        client_order_id=ClientOrderId("b" * 32), strategy_id=StrategyId("stranger"), side=OrderSide.BUY,
        quantity=D(10), listings=(Listing(Venue("west"), ACCOUNTS[Venue("west")], KEY),), algorithm=TWAP,
    )  # fmt: skip
    two.bus.inject(DESK, Command(DESK, order))
    parent = two.until_ended()
    assert parent.ended.code == "REFUSED"
    assert two.filled(Venue("west")) == {}
