"""What the desk between two venues is asked to do, and what goes wrong meanwhile."""

from decimal import Decimal

from actors.simulation.seeded_faults import Profile
from trading.algorithms.parameters import (
    Bracket,
    ChildRole,
    Iceberg,
    Listing,
    Oco,
    SliceStyle,
    Twap,
    Vwap,
)
from trading.commands import ExecuteOrder
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    Venue,
)
from trading.values import NANOS_PER_SECOND, OrderSide

D = Decimal
SECOND = NANOS_PER_SECOND
START = 1_700_000_000 * SECOND
KEY = InstrumentId("BTC/USD.X")
STRATEGIES = tuple(StrategyId(f"s{index}") for index in range(9))
"""One for each parent: an exit reduces the position of its own strategy alone."""
VENUES = {Venue("east"): AccountId("E1"), Venue("west"): AccountId("W1")}
LISTINGS = tuple(Listing(venue, account, KEY) for venue, account in VENUES.items())
TROUBLE = Profile(
    "a desk between two venues",
    lost={"reply": 0.05, "venue": 0.03, "report": 0.05, "publish": 0.02, "fact": 0.2},
    repeated_reports=0.2,
    crashes={"receive": 0.004, "effect": 0.003, "before_append": 0.005, "after_append": 0.005},
)
DESK_DIES = Profile(
    "the desk dies",
    lost={"fact": 0.2},
    crashes={"receive": 0.02, "effect": 0.04, "before_append": 0.04, "after_append": 0.04},
    crash_kinds=("execution", "risk"),
)
DISK_FULL = Profile("the disk fills up", lost={"fact": 0.2}, disk_full=True)
CALM = Profile("calm")
BOOKS_DIE = Profile(
    "the books die",
    lost={"fact": 0.2, "publish": 0.05},
    crashes={"receive": 0.01, "effect": 0.01, "before_append": 0.02, "after_append": 0.02},
    crash_kinds=("execution", "book", "feed"),
)


def parents() -> list[tuple[int, ExecuteOrder]]:
    """What is asked for, and when (seconds)."""

    def order(
        index: int, side: OrderSide, quantity: str, algorithm: object, **more: object
    ) -> ExecuteOrder:
        fields = {
            "client_order_id": ClientOrderId(f"{index:032x}"),
            "strategy_id": STRATEGIES[index],
            "side": side,
            "quantity": D(quantity),
            "listings": LISTINGS,
            "algorithm": algorithm,
        }
        return ExecuteOrder(**{**fields, **more})

    buy, sell = OrderSide.BUY, OrderSide.SELL
    twap = Twap(window_ns=10 * SECOND, slices=5, jitter=D("0.4"))
    vwap = Vwap(window_ns=8 * SECOND, volumes=(D(10), D(30), D(20), D(5)), style=SliceStyle.REST)
    prices = {"take_profit_px": D(101), "stop_loss_px": D(99)}
    return [
        (1, order(1, buy, "120.3", twap)),
        (1, order(2, sell, "65.1", vwap)),
        (2, order(3, buy, "30", Iceberg(display_qty=D(4), jitter=D("0.3")), limit_price=D("99.9"))),
        (3, order(4, buy, "12.5", Bracket(**prices), listings=LISTINGS[:1])),
        (4, order(5, buy, "7", Bracket(**prices, rests=ChildRole.TAKE_PROFIT), listings=LISTINGS[1:])),
        (6, order(6, sell, "9", Oco(**prices), listings=LISTINGS[1:], strategy_id=STRATEGIES[1])),
        (5, order(7, buy, "50", twap, limit_price=D("100.2"), expires_at=START + 12 * SECOND)),
        (6, order(8, buy, "0.4", twap)),
    ]  # fmt: skip


def large(count: int, *sides: OrderSide) -> list[tuple[float, ExecuteOrder]]:
    """Slices of more than the tops show, each decided on and traded between two moves of the market."""
    return [
        (
            1.02,
            ExecuteOrder(
                client_order_id=ClientOrderId(f"{index:032x}"),
                strategy_id=STRATEGIES[index],
                side=side,
                quantity=D(35 * count),
                listings=LISTINGS,
                algorithm=Twap(window_ns=10 * SECOND, slices=count),
            ),
        )
        for index, side in enumerate(sides)
    ]
