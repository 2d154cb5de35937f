"""Lists between a broker that dies and a venue that loses answers: nothing twice, nothing lost."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commands import AnnounceRisk, PermittedOrderList, SubmitOrderList, VenueRequest
from trading.data import Bar, MarketSlice
from trading.effects import Publish, Reply
from trading.exchange.exchange import ExchangeSettings, SimulatedExchange
from trading.exchange.faults import FaultPlan, FaultyExchange, RequestFault
from trading.identifiers import derive_leg_id
from trading.instruments import Instrument
from trading.outcomes import Started, SubmitListOutcomeUnknown, VenueConnected
from trading.risk.permits import sign
from trading.values import OrderListKind, OrderSide, OrderType

KEY = b"shared secret"
APPLE = "AAPL.XNAS"
DAY = 86_400 * 10**9


class Pair:
    """A desk whose calls go to an exchange behind a bad gateway, and whose broker can die."""

    def __init__(self, kit, plan):
        self.kit = kit
        self.desk = kit.Desk()
        self.exchange = FaultyExchange(
            SimulatedExchange(
                ExchangeSettings(
                    venue="paper",
                    accounts={"DEMO": Decimal(100_000)},
                    instruments=(Instrument(instrument_id=APPLE),),
                )
            ),
            plan,
        )
        self.exchange.handle(Started(epoch=1), 1)
        self.slices = self.requests = 0
        self.unheard = []
        self.market(50.0)

    def start(self):
        self.desk.calls.clear()
        self.desk.start()
        self.desk.give(VenueConnected())
        self.settle()
        self.desk.give(AnnounceRisk(risk_epoch=7, reply_to=self.kit.RISK))

    def market(self, close):
        self.slices += 1
        bar = Bar(
            ts_event=DAY + self.slices,
            instrument_id=APPLE,
            open=close,
            high=close,
            low=close,
            close=close,
        )
        self.hear(
            self.exchange.handle(
                MarketSlice(ts_event=DAY + self.slices, sequence=self.slices, bars=(bar,)),
                self.desk.now,
            )
        )

    def submit(self, order_list, keep=None):
        permit = sign(order_list, KEY, 7, self.desk.now)
        self.desk.give(PermittedOrderList(order_list=order_list, permit=permit), keep)

    def settle(self, rounds=40):
        """Let calls be answered and timers fire; what is lost is lost."""
        for _ in range(rounds):
            while self.desk.calls:
                self.call(self.desk.calls.pop(0))
            if not self.desk.timers:
                return
            self.desk.wait(max(0, min(self.desk.timers.values()) - self.desk.now))

    def call(self, body):
        self.requests += 1
        request = VenueRequest(request_id=f"r{self.requests}", reply_to="broker", body=body)
        effects = self.exchange.handle(request, self.desk.now)
        if not any(isinstance(effect, Reply) for effect in effects) and isinstance(
            body, SubmitOrderList
        ):
            keys = tuple(order.client_order_id for order in body.orders)
            self.desk.give(SubmitListOutcomeUnknown(client_order_ids=keys, reason="time-out"))
        self.hear(effects)

    def hear(self, effects):
        for effect in effects:
            match effect:
                case Reply(_, outcome):
                    self.desk.give(outcome)
                case Publish(topic, report) if topic.startswith("exec."):
                    self.desk.give(report)


def bracket(kit, name, quantity, entry):
    first = kit.key(name)
    common = {"side": OrderSide.SELL, "parent_order_id": first, "quantity": Decimal(quantity)}
    return SubmitOrderList(
        ts_event=500,
        kind=OrderListKind.BRACKET,
        account_id="DEMO",
        orders=(
            kit.order(name, quantity=Decimal(quantity), price=Decimal(entry)),
            kit.order(client_order_id=derive_leg_id(first, 1), price=Decimal(55), **common),
            kit.order(
                client_order_id=derive_leg_id(first, 2),
                order_type=OrderType.STOP_MARKET,
                price=None,
                trigger_price=Decimal(45),
                **common,
            ),
        ),
    )


FAULTS = st.dictionaries(st.integers(1, 30), st.sampled_from(list(RequestFault)), max_size=12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("list"), st.integers(1, 60), st.sampled_from([51, 48])),
        st.tuples(st.just("die"), st.integers(0, 4), st.sampled_from([51, 48])),
        st.tuples(st.just("move"), st.integers(44, 56), st.just(0)),
    ),
    min_size=1,
    max_size=10,
)


@settings(deadline=None, max_examples=150)
@given(FAULTS, STEPS)
def test_no_list_is_sent_twice_or_lost_and_both_sides_end_alike(kit, faults, steps):
    pair = Pair(kit, FaultPlan(schedule=faults))
    pair.start()
    for number, (act, amount, entry) in enumerate(steps):
        if act == "move":
            pair.market(float(amount))
        elif act == "list":
            pair.submit(bracket(kit, f"{number:x}", amount, entry))
            pair.settle(3)
        else:
            pair.submit(bracket(kit, f"{number:x}", 5, entry), keep=amount)
            if pair.desk.calls and amount == 4:
                pair.exchange.handle(
                    VenueRequest(request_id=f"x{number}", reply_to="b", body=pair.desk.calls[-1]),
                    pair.desk.now,
                )
            pair.start()
    pair.exchange.plan = FaultPlan()
    pair.desk.give(VenueConnected())
    pair.settle()
    check(pair)


def check(pair):
    desk, truth = pair.desk, pair.exchange.exchange
    record = desk.broker._state.record
    theirs = {order.client_order_id: order for order in truth.orders("DEMO")}
    for key, order in record.orders.items():
        sent = [r for r in truth.requests_for(key) if r.kind == "SubmitOrderList"]
        assert len(sent) <= 1
        if key in theirs and order.status != "DENIED":
            assert order.status == theirs[key].status
            assert order.filled_qty == theirs[key].filled_qty
    assert theirs.keys() <= record.orders.keys()
    assert record.account.cash == truth.cash("DEMO")
    held = {key: p.quantity for key, p in record.account.positions().items() if p.quantity}
    assert held == truth.positions("DEMO")
    assert desk.broker.view()["is_ready"]
    assert not any(order.is_in_flight for order in record.open_orders.values())
