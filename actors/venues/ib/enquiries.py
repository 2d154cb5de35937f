"""Questions to IB about one account: orders, executions, positions, cash."""

import time

from ib_async.objects import ExecutionFilter

from actors.venues.ib.connection import COMPLETED_ORDERS, OPEN_ORDERS, Connection
from actors.venues.ib.contract_book import ContractBook
from actors.venues.ib.fills import Fill
from actors.venues.ib.known_orders import KnownOrder
from actors.venues.ib.messages import Holding
from actors.venues.ib.parse import account_report, pair_positions, position_report
from actors.venues.ib.reporting import Reporting
from trading.errors import OutcomeUnknown
from trading.identifiers import AccountId, ClientOrderId
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)
from trading.values import NANOS_PER_SECOND

_CASH = "CASH"


class Enquiries:
    """Asks TWS and answers in reports.

    Parameters
    ----------
    account : str
        IB's code.
    """

    def __init__(
        self, account_id: AccountId, account: str, contracts: ContractBook, reporting: Reporting
    ) -> None:
        self._account_id = account_id
        self._account = account
        self._contracts = contracts
        self._reporting = reporting

    async def learn(self, connection: Connection) -> None:
        """Learn what TWS knows of orders and executions, without a report."""
        await self.live_orders(connection)
        await self._completed_orders(connection)
        await self._executions(connection)

    async def live_orders(self, connection: Connection) -> list[KnownOrder]:
        """Return the orders that work, of every client of TWS."""
        rows = await connection.ask_kind(OPEN_ORDERS, "reqAllOpenOrders")
        listed = self._reporting.orders.of(row[0] for row in rows)
        return [known for known in listed if known.is_live]

    async def open_orders(self, connection: Connection) -> tuple[OrderStatusReport, ...]:
        reports = [
            await self._reporting.order_report(connection, known)
            for known in await self.live_orders(connection)
        ]
        return tuple(report for report in reports if report is not None)

    async def order_status(
        self, connection: Connection, key: ClientOrderId
    ) -> OrderStatusReport | None:
        """Return what became of an order; None when IB lists it nowhere.

        Working orders are asked for first, then those of today that are done, then executions: an order only
        moves in that direction.

        Raises
        ------
        OutcomeUnknown
            If IB knows something of the order, but does not list it.
        """
        orders = self._reporting.orders
        listed = await self.live_orders(connection)
        known = orders.find(key)
        if known is None or (known.is_live and known not in listed):
            await self._completed_orders(connection)
            known = orders.find(key)
        if known is not None and (not known.is_live or known in listed):
            return await self._reporting.order_report(connection, known)
        fills = await self._executions(connection)
        if known is not None or any(fill.execution.order_ref == key for fill in fills):
            raise OutcomeUnknown(f"IB knows of order {key} and does not list it")
        return None

    async def executions(self, connection: Connection, since: int) -> tuple[FillReport, ...]:
        """Return the executions of today (IB keeps no older ones) from the second of `since` on."""
        start = since - since % NANOS_PER_SECOND
        fills = await self._executions(connection)
        wanted = [fill for fill in fills if fill.execution.time_ns >= start]
        await self._reporting.commissions_of(wanted)
        return tuple([await self._reporting.fill_report(connection, fill) for fill in wanted])

    async def account(self, connection: Connection) -> AccountReport:
        rows = await connection.ask(
            "reqAccountUpdatesMulti", self._account, "", False, cancel="cancelAccountUpdatesMulti"
        )
        values = [(key, value, currency) for _, _, key, value, currency in rows]
        return account_report(values, self._account_id, time.time_ns())

    async def positions(
        self, connection: Connection, account: AccountReport | None = None
    ) -> tuple[PositionReport, ...]:
        """Return all positions; currency pairs are what the account holds of the foreign currency."""
        rows = await connection.ask(
            "reqPositionsMulti", self._account, "", cancel="cancelPositionsMulti"
        )
        if account is None:
            account = await self.account(connection)
        now = time.time_ns()
        reports = []
        for row in rows:
            holding: Holding = row[0]
            if holding.account == self._account and holding.contract.sec_type != _CASH:
                instrument = await self._contracts.of(connection, holding.contract)
                reports.append(position_report(holding, instrument, self._account_id, now))
        reports += pair_positions(account, self._contracts.configured, now)
        return tuple(report for report in reports if report.quantity)

    async def mass_status(self, connection: Connection, since: int) -> MassStatus:
        """Return everything; asked again, once, when something happened meanwhile."""
        answer = await self._mass_status(connection, since)
        version = self._reporting.version
        again = await self._mass_status(connection, since) if answer[1] != version else answer
        return again[0]

    async def _mass_status(self, connection: Connection, since: int) -> tuple[MassStatus, int]:
        """Return the answer, and the version of our record after its first part."""
        open_orders = await self.open_orders(connection)
        fills = await self.executions(connection, since)
        version = self._reporting.version
        account = await self.account(connection)
        positions = await self.positions(connection, account)
        now = time.time_ns()
        status = MassStatus(
            ts_event=now,
            ts_init=now,
            account_id=self._account_id,
            open_orders=open_orders,
            fills=fills,
            positions=positions,
            account=account,
        )
        return status, version

    async def _completed_orders(self, connection: Connection) -> None:
        await connection.ask_kind(COMPLETED_ORDERS, "reqCompletedOrders", False)

    async def _executions(self, connection: Connection) -> list[Fill]:
        wanted = ExecutionFilter(acctCode=self._account)
        rows = await connection.ask("reqExecutions", wanted)
        ids = dict.fromkeys(row[0].exec_id for row in rows if row[0].account == self._account)
        found = [self._reporting.fills.find(exec_id) for exec_id in ids]
        unique = {id(fill): fill for fill in found if fill is not None}
        return sorted(unique.values(), key=lambda fill: fill.execution.time_ns)
