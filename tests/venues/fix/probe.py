"""Ways to use one adapter in a test: connect, wait, order."""

import asyncio
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from hashlib import blake2b

from tests.venues.fix.rig import AAPL, FixRig
from tests.venues.rig import Observed
from trading.commands import CancelOrder, ReplaceOrder, SubmitOrder
from trading.identifiers import ClientOrderId, StrategyId
from trading.outcomes import VenueConnected
from trading.values import OrderSide, OrderType, TimeInForce


def in_loop(tell):
    """Make a test of an async function that takes a folder."""

    def test(tmp_path):
        asyncio.run(tell(tmp_path))

    test.__name__, test.__doc__ = tell.__name__, tell.__doc__
    return test


async def until(holds: Callable[[], object], bound_s: float = 60.0) -> None:
    end = time.monotonic() + bound_s
    while not holds():  # tests of threads have nothing to wait on
        assert time.monotonic() < end, f"not within {bound_s} s"
        await asyncio.sleep(0.01)


PATIENT = {"heartbeat_s": 30, "logon_timeout_s": 30.0}
"""No session ends because a thread had to wait for the processor: only what a test does ends one."""


@asynccontextmanager
async def rig_at(folder, **options):
    rig = FixRig(folder, **{**PATIENT, **options})
    try:
        yield rig
    finally:
        await rig.close()


@asynccontextmanager
async def connected(rig: FixRig, *, is_up: bool = True, **options):
    """Open an adapter; yields it and what it says. At the end the venue knows that it is gone."""
    port, seen = rig.open_port(**options), Observed()
    await port.connect(seen)
    try:
        if is_up:
            await until(lambda: seen.of(VenueConnected))
        yield port, seen
    finally:
        begun = rig.venue.begun
        await port.disconnect()
        await until(lambda: rig.venue.ended >= begun)


def order(name: str, **changes) -> SubmitOrder:
    details = {
        "side": OrderSide.BUY,
        "quantity": Decimal(10),
        "order_type": OrderType.LIMIT,
        "price": Decimal("80.00"),
        "time_in_force": TimeInForce.GTC,
        **changes,
    }
    return SubmitOrder(
        client_order_id=ClientOrderId(blake2b(name.encode(), digest_size=16).hexdigest()),
        account_id="ACC",
        strategy_id=StrategyId("s"),
        instrument_id=AAPL,
        ts_init=time.time_ns(),
        **details,
    )


def market(name: str, **changes) -> SubmitOrder:
    return order(
        name,
        **{
            "order_type": OrderType.MARKET,
            "price": None,
            "time_in_force": TimeInForce.DAY,
            **changes,
        },
    )


def cancel(order: SubmitOrder) -> CancelOrder:
    return CancelOrder(client_order_id=order.client_order_id, account_id="ACC")


def replace(order: SubmitOrder, **changes) -> ReplaceOrder:
    return ReplaceOrder(client_order_id=order.client_order_id, account_id="ACC", **changes)
