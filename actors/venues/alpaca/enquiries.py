"""What the venue says of the account when it is asked: everything that reconciliation needs."""

from collections.abc import Callable

from actors.venues.alpaca.executions import Executions
from actors.venues.alpaca.http import RestChannel
from actors.venues.alpaca.identity import foreign_id
from actors.venues.alpaca.instruments import InstrumentTable
from actors.venues.alpaca.messages import Account, Activity, Clock, Order, Position
from actors.venues.alpaca.orders import OrderLookup
from actors.venues.alpaca.parse import (
    Subject,
    account_report,
    activity_fill,
    coin_fee,
    is_working,
    order_report,
    position_report,
)
from actors.venues.alpaca.wire import moment, shaped
from actors.venues.clock import clock_skew
from trading.identifiers import AccountId, ClientOrderId
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)
from trading.values import AssetClass

_ATTEMPTS = 2


class Enquiries:
    """Questions about one account; all raise as calls of a venue port do.

    Parameters
    ----------
    now : function
        The host's clock (ns UTC).
    """

    def __init__(
        self,
        account_id: AccountId,
        rest: RestChannel,
        table: InstrumentTable,
        lookup: OrderLookup,
        executions: Executions,
        now: Callable[[], int],
    ) -> None:
        self._account_id = account_id
        self._rest = rest
        self._table = table
        self._lookup = lookup
        self._executions = executions
        self._now = now

    async def report(self, order: Order, key: ClientOrderId) -> OrderStatusReport:
        """Return the state of an order of the venue as that of ours."""
        return order_report(order, await self.subject(order.symbol or "", key))

    async def subject(self, symbol: str, key: ClientOrderId) -> Subject:
        """Return what a report about an order of ours in this symbol is about."""
        instrument = await self._table.of_symbol(symbol)
        return Subject(self._account_id, key, instrument, self._now())

    async def order_status(self, key: ClientOrderId) -> OrderStatusReport | None:
        """Return the state of one order; None when the venue does not know it."""
        order = await self._lookup.find(key)
        return None if order is None else await self.report(order, key)

    async def open_orders(self) -> tuple[OrderStatusReport, ...]:
        """Return every order that works."""
        working = [order for order in await self._lookup.open_orders() if is_working(order)]
        return tuple([await self.report(o, await self._lookup.name(o)) for o in working])

    async def executions_since(self, since: int) -> tuple[FillReport, ...]:
        """Return executions and fees in coins from `since` (ns UTC, 0 is all) on; some before it too."""
        fills = await self._executions.fills_since(since)
        await self._lookup.name_all(each.order_id or "" for each in fills)
        reports = [await self._fill(each) for each in fills]
        if self._table.holds(AssetClass.CRYPTO):
            for fee in await self._executions.coin_fees_since(since):
                subject = await self.subject(fee.symbol or "", foreign_id(fee.id))
                report = coin_fee(fee, subject)
                reports += [] if report is None else [report]
        return tuple(reports)

    async def positions(self) -> tuple[PositionReport, ...]:
        """Return every position that is not flat."""
        raw = shaped(await self._rest.get("/positions"), list[Position])
        return tuple(
            [
                position_report(each, self._account_id, await self._table.of_symbol(each.symbol))
                for each in raw
            ]
        )

    async def account(self) -> AccountReport:
        """Return the cash of the account."""
        raw = shaped(await self._rest.get("/account"), Account)
        return account_report(raw, self._account_id, self._now())

    async def mass_status(self, since: int, told: Callable[[], int]) -> MassStatus:
        """Return everything, once more when the stream told something in between.

        Parameters
        ----------
        told : function
            How many updates the stream has told so far.
        """
        for _ in range(_ATTEMPTS):
            before = told()
            status = MassStatus(
                ts_event=self._now(),
                ts_init=self._now(),
                account_id=self._account_id,
                open_orders=await self.open_orders(),
                fills=await self.executions_since(since),
                positions=await self.positions(),
                account=await self.account(),
            )
            if told() == before:
                break
        return status

    async def clock_skew(self) -> int:
        """Return the venue's clock minus ours (ns); a slow answer is no skew."""
        asked = self._now()
        clock = shaped(await self._rest.get("/clock"), Clock)
        return clock_skew((moment(clock.timestamp), 0), asked, self._now())

    async def _fill(self, activity: Activity) -> FillReport:
        key = await self._lookup.name_of(activity.order_id or "")
        return activity_fill(activity, await self.subject(activity.symbol or "", key))
