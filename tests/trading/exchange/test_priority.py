"""The engine against a matcher that is too simple to be wrong."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.exchange.liquidity import Liquidity

ORDER = st.tuples(
    st.just("submit"),
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 30),
    st.integers(9_990, 10_010),
)
CHANGE = st.tuples(
    st.just("replace"), st.integers(0, 40), st.integers(1, 40), st.integers(9_990, 10_010)
)
CANCEL = st.tuples(st.just("cancel"), st.integers(0, 40))


class NaiveMatcher:
    """Looks at every order every time: best price, then the oldest stamp."""

    def __init__(self):
        self.open = {}
        self.fills = []
        self.stamp = 0

    def submit(self, key, side, quantity, price):
        self.stamp += 1
        self.open[key] = {"side": side, "left": quantity, "done": 0, "px": price, "at": self.stamp}
        self.match(key)

    def replace(self, key, quantity, price):
        order = self.open.get(key)
        if order is None or quantity <= order["done"]:
            return
        if price != order["px"] or quantity - order["done"] > order["left"]:
            self.stamp += 1
            order["at"] = self.stamp
        order["left"], order["px"] = quantity - order["done"], price
        self.match(key)

    def cancel(self, key):
        self.open.pop(key, None)

    def match(self, key):
        taker = self.open[key]
        sign = 1 if taker["side"] == "BUY" else -1
        while taker["left"]:
            rivals = [
                (sign * o["px"], o["at"], other)
                for other, o in self.open.items()
                if o["side"] != taker["side"] and sign * o["px"] <= sign * taker["px"]
            ]
            if not rivals:
                return
            maker_key = min(rivals)[2]
            maker = self.open[maker_key]
            quantity = min(taker["left"], maker["left"])
            for name, order in ((maker_key, maker), (key, taker)):
                order["left"] -= quantity
                order["done"] += quantity
                self.fills.append((name, str(quantity), f"{maker['px'] / 100:.2f}"))
                if not order["left"]:
                    del self.open[name]


@settings(deadline=None, max_examples=120)
@given(st.lists(st.one_of(ORDER, ORDER, ORDER, CHANGE, CANCEL), min_size=10, max_size=40))
def test_fills_equal_those_of_the_naive_matcher(new_desk, actions):
    desk = new_desk(liquidity=Liquidity(levels=0))
    desk.market(100.0)
    naive = NaiveMatcher()
    for number, (action, *rest) in enumerate(actions):
        if action == "submit":
            side, quantity, cents = rest
            desk.submit(str(number), side, quantity, f"{cents / 100:.2f}", account="AB"[number % 2])
            naive.submit(str(number), side, quantity, cents)
            continue
        key, account = str(rest[0]), "AB"[rest[0] % 2]
        if action == "replace":
            desk.replace(key, rest[1], f"{rest[2] / 100:.2f}", account=account)
            naive.replace(key, rest[1], rest[2])
        else:
            desk.cancel(key, account=account)
            naive.cancel(key)
    assert desk.fills() == naive.fills
    left = {
        o.client_order_id: int(o.leaves_qty) for a in "AB" for o in desk.mass_status(a).open_orders
    }
    assert left == {key: order["left"] for key, order in naive.open.items()}
    assert sum(Decimal(quantity) for _, quantity, _ in desk.fills()) % 2 == 0
