"""Orders to send, ports to send them with, and conditions to wait for."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import Any

from actors.venues.alpaca.stream_session import StreamSession
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


async def until(condition: Callable[[], Any], bound_s: float = 60.0) -> Any:
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


class LoopClock:
    """The clock of the running event loop, which can be put forward: a time-out without waiting for it."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        loop = asyncio.get_running_loop()
        clock = loop.time
        loop.time = lambda: clock() + self._ahead_s  # type: ignore[method-assign]

    async def run_until(self, condition: Callable[[], Any]) -> Any:
        """Run ten times as fast until something is true, and return it."""

        def holds() -> Any:
            self._ahead_s += 0.1
            return condition()

        return await until(holds)

    async def run_through(self, session: StreamSession, timeouts: int) -> None:
        """Let so many time-outs of a stream pass on which nothing is said but answers to probes.

        The next probe comes when the answer to the one before was read, however long that took.
        """
        heard, take = 0, session._dialect.take

        async def counted(frame: bytes | str) -> bool:
            nonlocal heard
            confirms = await take(frame)
            heard += 1
            return confirms

        session._dialect.take = counted  # type: ignore[method-assign]
        for number in range(3 * timeouts):
            self._ahead_s += 0.35 * session._timeout_s
            await until(lambda: heard > number)  # noqa: B023


@asynccontextmanager
async def connected(rig: AlpacaRig) -> AsyncIterator[tuple[VenuePort, Observed]]:
    port, seen = rig.open_port(), Observed()
    await port.connect(seen)
    try:
        await until(lambda: seen.of(VenueConnected))
        yield port, seen
    finally:
        await port.disconnect()
