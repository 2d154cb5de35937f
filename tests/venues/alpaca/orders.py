"""Orders to send, ports to send them with, and conditions to wait for."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import Any

from tests.venues.alpaca.rig import AAPL, AlpacaRig
from tests.venues.desk import ACCOUNT
from tests.venues.rig import Observed
from trading.commands import SubmitOrder
from trading.identifiers import StrategyId, derive_client_order_id
from trading.outcomes import VenueConnected
from trading.ports import VenuePort
from trading.values import OrderSide, OrderType

_numbers = count()


def order(**changes: Any) -> SubmitOrder:
    fields: dict[str, Any] = {
        "account_id": ACCOUNT,
        "strategy_id": StrategyId("test"),
        "instrument_id": AAPL.instrument_id,
        "side": OrderSide.BUY,
        "quantity": Decimal(10),
        **changes,
    }
    if "client_order_id" not in fields:
        fields["client_order_id"] = derive_client_order_id(
            ACCOUNT, "test", fields["instrument_id"], next(_numbers), "target"
        )
    return SubmitOrder(**fields)


def limit(price: float, **changes: Any) -> SubmitOrder:
    return order(order_type=OrderType.LIMIT, price=Decimal(str(price)), **changes)


async def until(condition: Callable[[], Any], bound_s: float = 20.0) -> Any:
    """Return the first true value of `condition`; fail when it takes too long."""
    end = time.monotonic() + bound_s
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(rig: AlpacaRig) -> AsyncIterator[tuple[VenuePort, Observed]]:
    port, seen = rig.open_port(), Observed()
    await port.connect(seen)
    try:
        await until(lambda: seen.of(VenueConnected))
        yield port, seen
    finally:
        await port.disconnect()
