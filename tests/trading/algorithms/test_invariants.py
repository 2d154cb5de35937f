"""What no algorithm ever breaks, whatever venues, people, clocks and crashes do."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.algorithms.world import (
    KEY,
    PARENT,
    SECOND,
    START,
    VenueOrder,
    World,
    account,
    listing,
    parent,
)
from trading.algorithms.parameters import (
    Algorithm,
    Bracket,
    CatchUp,
    ChildRole,
    Iceberg,
    Oco,
    SliceStyle,
    Twap,
    Vwap,
)
from trading.algorithms.parent import EXITS, PARTS
from trading.events import AccountOpened, OrderExpired
from trading.identifiers import AccountId
from trading.values import ZERO, OrderSide

D = Decimal
ACCOUNTS = (
    account("a", lot="1", least="2"),
    account("b", lot="0.5", least="1", notional="150"),
)
SPOT = tuple(
    msgspec.structs.replace(
        one, instruments=(msgspec.structs.replace(one.instruments[0], is_shortable=False),)
    )
    for one in ACCOUNTS
)
parts = st.sampled_from([D(0), D("0.3"), D(1)])
styles = st.sampled_from(SliceStyle)
catch_ups = st.sampled_from(CatchUp)
slicing = st.one_of(
    st.builds(
        Twap,
        window_ns=st.sampled_from([20 * SECOND, 60 * SECOND]),
        slices=st.integers(1, 6),
        catch_up=catch_ups,
        style=styles,
        jitter=parts,
        must_complete=st.booleans(),
    ),
    st.builds(
        Vwap,
        window_ns=st.just(30 * SECOND),
        volumes=st.lists(st.sampled_from([D(0), D(10), D(55)]), min_size=1, max_size=4)
        .map(tuple)
        .filter(any),
        participation=st.sampled_from([None, D("0.1"), D(1)]),
        catch_up=catch_ups,
        style=styles,
        must_complete=st.booleans(),
    ),
    st.builds(
        Iceberg,
        display_qty=st.sampled_from([D("0.5"), D(3), D(50)]),
        jitter=st.sampled_from([D(0), D("0.4")]),
    ),
)
rests = st.sampled_from([ChildRole.STOP_LOSS, ChildRole.TAKE_PROFIT])
stop_limits = st.sampled_from([None, D("89.00")])
exits = st.one_of(
    st.builds(
        Bracket,
        take_profit_px=st.just(D(110)),
        stop_loss_px=st.just(D(90)),
        stop_limit_px=stop_limits,
        rests=rests,
    ),
    st.builds(
        Oco,
        take_profit_px=st.just(D(110)),
        stop_loss_px=st.just(D(90)),
        stop_limit_px=stop_limits,
        rests=rests,
    ),
)
moves = st.tuples(
    st.sampled_from(
        ["accept", "fill", "part", "part", "cancelled", "expire", "reject", "deny", "wait", "wait",
         "quote", "quote", "quote", "book", "book", "restart", "outage", "recover", "cancel", "obey"]
    ),
    st.integers(0, 7),
)  # fmt: skip
PRICES = ((99.0, 101.0), (111.0, 112.0), (88.0, 89.0), (100.0, 100.5), (95.0, 120.0))


def play(world: World, move: str, number: int) -> None:
    live = world.live
    one = live[number % len(live)] if live else None
    match move:
        case "wait":
            world.wait((0.2, 1, 3, 6, 11, 25, 40, 1.5)[number])
        case "quote":
            world.quotes(*PRICES[number % len(PRICES)], size=(7.0, 1000.0)[number % 2])
        case "book" if world.requests:
            request = world.requests[-1 - number % min(len(world.requests), 3)]
            world.book(request, [(100.0 + number / 4, 3.0), (101.0 + number, 20.0)])
        case "restart" if not world.is_disk_full:
            world.restart()
        case "outage" if not world.is_disk_full:
            world.outage()
        case "recover" if world.is_disk_full:
            world.recover()
        case "cancel" if number == 0:
            world.cancel("enough")
        case _ if one is not None:
            answer(world, one, move, number)


def answer(world: World, one: VenueOrder, move: str, number: int) -> None:
    """What the venue, or risk, does with one child."""
    match move:
        case "accept":
            world.accept(one)
        case "fill":
            world.fill(one)
        case "part":
            lot = world.desk.config.instruments[listing(one.order.account_id[-1])].lot_size
            world.fill(one, min(one.live, lot * (number + 1)))
        case "cancelled" if one.order.order_type == "MARKET" or one.order.time_in_force == "IOC":
            world.end(one)
        case "expire" if one.order.order_type != "MARKET":
            world.end(one, OrderExpired)
        case "reject" if not one.is_known:
            world.reject(one)
        case "deny" if not one.is_known:
            world.deny(one)
        case "obey" if one.cancels:
            world.end(one)


def check(world: World) -> None:
    """The venue's own record against what was asked for."""
    if PARENT not in world.desk.parents:
        return
    execution = world.execution
    role = {key: child.role for key, child in execution.children.items()}
    assert role.keys() == world.orders.keys(), "planned and sent are the same"
    done = dict.fromkeys(ChildRole, ZERO)
    possible = dict(done)
    for key, one in world.orders.items():
        done[role[key]] += one.filled
        possible[role[key]] += one.filled + one.live
    held = done[ChildRole.PART]
    asked = execution.order.quantity
    if isinstance(execution.order.algorithm, Oco):
        held = asked
    assert possible[ChildRole.PART] <= asked, "more works than was asked for"
    leaving = possible[ChildRole.TAKE_PROFIT] + possible[ChildRole.STOP_LOSS]
    assert leaving <= held or not leaving, "more gets out than came in"
    assert execution.filled(PARTS) == done[ChildRole.PART]
    assert execution.filled(EXITS) == done[ChildRole.TAKE_PROFIT] + done[ChildRole.STOP_LOSS]


def check_held(world: World, held: dict[str, Decimal]) -> None:
    for account_id, units in held.items():
        sales = [one for one in world.sent if one.order.account_id == account_id]
        assert sum((one.filled + one.live for one in sales), ZERO) <= units, "sold short"


def check_orders(world: World) -> None:
    for index, one in enumerate(world.sent):
        order = one.order
        instrument = world.desk.config.instruments[listing(order.account_id[-1])]
        assert order.client_order_id == world.execution.child_id(
            listing(order.account_id[-1]), index
        ), "ids follow from parent and index"
        assert order.parent_order_id == PARENT
        assert order.quantity % instrument.lot_size == 0
        assert order.quantity >= instrument.min_quantity
        for price in (order.price, order.trigger_price):
            assert price is None or price % instrument.tick_size == 0
        limit = world.execution.order.limit_price
        if (
            limit is not None
            and world.execution.children[order.client_order_id].role is ChildRole.PART
        ):
            assert order.price is not None
            assert order.side.sign * order.price <= order.side.sign * limit


def calm_down(world: World) -> None:
    """Everybody does what is asked of him: the execution must come to its end."""
    if world.is_disk_full:
        world.recover()
    for turn in range(90):
        if world.code:
            return
        world.quotes(*((111.0, 111.5) if turn % 8 < 4 else (99.0, 99.5)))
        for one in world.live:
            if one.cancels:
                world.end(one)
            elif one.order.trigger_price is None:
                world.fill(one)
            else:
                world.accept(one)
        check(world)
        world.wait(2.5)
    raise AssertionError(f"no end: {world.desk.view()}")


def run(
    algorithm: Algorithm,
    quantity: str,
    story: list[tuple[str, int]],
    settle_s: int,
    held: dict[str, Decimal] | None = None,
    **more: object,
) -> World:
    world = World(SPOT if held else ACCOUNTS, settle_ns=settle_s * SECOND)
    for account_id, units in (held or {}).items():
        about = {"account_id": AccountId(account_id), "cash": ZERO}
        world.fact(AccountOpened(**about, positions=((KEY, units, D(100)),)))
    world.quotes(size=7.0)
    venues = ("a",) if isinstance(algorithm, Bracket | Oco) else ("a", "b")
    world.execute(parent(algorithm, quantity, *venues, **more))
    assert PARENT in world.desk.parents, world.refusal
    for move, number in story:
        was_over = bool(world.code)
        count = len(world.orders)
        play(world, move, number)
        check(world)
        check_held(world, held or {})
        assert not was_over or len(world.orders) == count, "sent after the end"
    calm_down(world)
    check_held(world, held or {})
    check_orders(world)
    world.restart()
    return world


@settings(deadline=None, max_examples=60)
@given(
    algorithm=slicing,
    quantity=st.sampled_from(["2", "10", "37.5", "100"]),
    story=st.lists(moves, max_size=40),
    settle_s=st.sampled_from([0, 2]),
)
def test_slices_and_icebergs(
    algorithm: Algorithm, quantity: str, story: list[tuple[str, int]], settle_s: int
) -> None:
    limit = D("101.25") if isinstance(algorithm, Iceberg) else None
    world = run(algorithm, quantity, story, settle_s, limit_price=limit)
    if world.code == "FILLED":
        assert world.execution.filled() == D(quantity)


@settings(deadline=None, max_examples=30)
@given(algorithm=slicing, story=st.lists(moves, max_size=30), expiry=st.integers(1, 40))
def test_with_a_limit_and_an_expiry(
    algorithm: Algorithm, story: list[tuple[str, int]], expiry: int
) -> None:
    more = {"limit_price": D("100.75"), "expires_at": START + expiry * SECOND}
    run(algorithm, "37.5", story, 0, **more)


@settings(deadline=None, max_examples=40)
@given(
    algorithm=slicing,
    story=st.lists(moves, max_size=30),
    settle_s=st.sampled_from([0, 2]),
    units=st.tuples(*[st.sampled_from([D(0), D("3.5"), D(20), D(90)])] * 2),
)
def test_nothing_is_sold_that_is_not_held(
    algorithm: Algorithm, story: list[tuple[str, int]], settle_s: int, units: tuple[Decimal, ...]
) -> None:
    held = {"ACC-a": units[0], "ACC-b": units[1]}
    more = {"side": OrderSide.SELL}
    if isinstance(algorithm, Iceberg):
        more["limit_price"] = D("99.25")
    world = run(algorithm, "37.5", story, settle_s, held, **more)
    if world.code == "FILLED":
        assert sum(units) >= D("37.5")


@settings(deadline=None, max_examples=90)
@given(
    algorithm=exits,
    quantity=st.sampled_from(["2", "10", "37"]),
    limit=st.sampled_from([None, D(100)]),
    story=st.lists(moves, max_size=50),
    settle_s=st.sampled_from([0, 2]),
)
def test_brackets_and_ocos(
    algorithm: Algorithm,
    quantity: str,
    limit: Decimal | None,
    story: list[tuple[str, int]],
    settle_s: int,
) -> None:
    more: dict[str, object] = {"limit_price": limit}
    if isinstance(algorithm, Oco):
        more = {"side": OrderSide.SELL}
    world = run(algorithm, quantity, story, settle_s, **more)
    if world.code == "EXITED":
        held = D(quantity) if isinstance(algorithm, Oco) else world.execution.filled()
        assert world.execution.filled(EXITS) == held
