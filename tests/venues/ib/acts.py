"""What every test of IB begins with: a stub of TWS, a connected adapter, and orders to send."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count

from tests.venues.ib.rig import IbRig
from tests.venues.rig import Observed
from trading.commands import CancelOrder, ReplaceOrder, SubmitOrder
from trading.identifiers import ClientOrderId, StrategyId
from trading.outcomes import VenueConnected
from trading.values import OrderSide, OrderType, TimeInForce

_numbers = count(1)


def run(story):
    """Run `story(rig)` to its end."""

    async def whole():
        rig = IbRig()
        try:
            await story(rig)
        finally:
            await rig.close()

    asyncio.run(whole())


@asynccontextmanager
async def trading(rig, **options):
    """Yield a connected adapter and what it says."""
    port, said = rig.open_port(**options), Observed()
    await port.connect(said)
    try:
        await said.until(lambda: said.of(VenueConnected))
        yield port, said
    finally:
        await port.disconnect()


@asynccontextmanager
async def watching(rig, **options):
    """Yield a connected feed and what it says."""
    feed, said = rig.open_feed(**options), Observed()
    await feed.connect(said)
    try:
        await said.until(lambda: said.of(VenueConnected))
        yield feed, said
    finally:
        await feed.disconnect()


def order(rig, quantity=10, **details):
    details = {
        "instrument_id": rig.traded,
        "side": OrderSide.BUY,
        "client_order_id": ClientOrderId(f"{next(_numbers):032x}"),
        **details,
    }
    return SubmitOrder(
        account_id=rig.desk.account_id,
        strategy_id=StrategyId("tests"),
        quantity=Decimal(quantity),
        **details,
    )


def limit(rig, price, quantity=10, **details):
    details = {"time_in_force": TimeInForce.GTC, **details}
    return order(rig, quantity, order_type=OrderType.LIMIT, price=Decimal(str(price)), **details)


def cancel(rig, key):
    return CancelOrder(client_order_id=key, account_id=rig.desk.account_id)


def replace(rig, key, **changes):
    return ReplaceOrder(client_order_id=key, account_id=rig.desk.account_id, **changes)


async def until(holds, bound_s=60.0):
    """Wait until something is true."""
    async with asyncio.timeout(bound_s):
        while not holds():  # noqa: ASYNC110  # of another thread
            await asyncio.sleep(0.005)
