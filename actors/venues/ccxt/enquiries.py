"""What an exchange is asked about an account: orders, executions, positions, cash."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from actors.venues.ccxt.dialects import Lookup
from actors.venues.ccxt.executions import executions
from actors.venues.ccxt.instruments import Markets, Terms
from actors.venues.ccxt.memory import OrderMemory
from actors.venues.ccxt.order_ids import written
from actors.venues.ccxt.parse import NANOS_PER_MS, exact, trade_order_id
from actors.venues.ccxt.reading import Reader
from actors.venues.ccxt.session import CcxtSession
from trading.errors import OutcomeUnknown, VenueRefused
from trading.identifiers import AccountId, ClientOrderId
from trading.refusals import RefusalCode
from trading.reports import AccountReport, FillReport, OrderStatusReport, PositionReport
from trading.values import NANOS_PER_DAY, ZERO

_HISTORIES = (
    ("fetch_orders",),
    ("fetch_canceled_and_closed_orders",),
    ("fetch_closed_orders", "fetch_canceled_orders"),
    ("fetch_closed_orders",),
)
IDS_AT_ONCE = 20


class Enquiries:
    """Questions about one account. Every one raises `VenueError`s and nothing else."""

    def __init__(
        self,
        account_id: AccountId,
        session: CcxtSession,
        markets: Markets,
        memory: OrderMemory,
        reader: Reader,
    ) -> None:
        self._account_id = account_id
        self._session = session
        self._markets = markets
        self._memory = memory
        self._reader = reader

    # -- orders

    async def open_orders(self) -> tuple[OrderStatusReport, ...]:
        """Return all working orders."""
        need_symbol = self._session.dialect.orders_need_symbol
        symbols = self._markets.traded if need_symbol else ()
        return tuple(self._reader.orders(await self._listed("fetch_open_orders", symbols)))

    async def order(self, key: ClientOrderId) -> OrderStatusReport | None:
        """Return one order; None when the exchange says that it does not know it."""
        known = self._memory.by_client_id(key)
        symbols = self._markets.traded
        if known is not None:
            symbols = (self._markets.symbol(known.instrument_id),)
        match self._session.dialect.lookup:
            case Lookup.FETCH:
                return await self._fetched(key, symbols)
            case Lookup.FILTER:
                return await self._filtered(key)
            case Lookup.SEARCH:
                return await self._searched(key, symbols)

    async def _fetched(
        self, key: ClientOrderId, symbols: tuple[str, ...]
    ) -> OrderStatusReport | None:
        if not symbols:
            raise OutcomeUnknown(
                "orders are found by market there, and no instrument is configured"
            )
        dialect = self._session.dialect
        params = {dialect.lookup_param: written(key, dialect)}
        for symbol in symbols:
            try:
                raw = await self._session.call("fetch_order", None, symbol, params)
            except VenueRefused as error:
                if error.venue_code != RefusalCode.UNKNOWN_ORDER:
                    raise
                continue
            return self._readable(raw)
        return None

    async def _filtered(self, key: ClientOrderId) -> OrderStatusReport | None:
        dialect = self._session.dialect
        params = {dialect.lookup_param: written(key, dialect)}
        for name in ("fetch_open_orders", dialect.closed_orders):
            found = self._among(key, await self._listed(name, (), params=params))
            if found is not None:
                return found
        return None

    async def _searched(
        self, key: ClientOrderId, symbols: tuple[str, ...]
    ) -> OrderStatusReport | None:
        found = self._among(key, await self._listed("fetch_open_orders", symbols))
        if found is not None:
            return found
        names = next((n for n in _HISTORIES if all(self._session.has(_camel(m)) for m in n)), ())
        if not names:
            raise OutcomeUnknown(f"{self._session.name} does not list closed orders")
        since = int(time.time() * 1000) - self._session.options.history_days * 86_400_000
        for name in names:
            found = self._among(key, await self._listed(name, symbols, since))
            if found is not None:
                return found
        return None

    async def _listed(
        self,
        name: str,
        symbols: tuple[str, ...],
        since: int | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> list[Mapping[str, Any]]:
        """Return a list of orders; conditional ones are listed apart at some exchanges."""
        asked: list[tuple[str | None, dict[str, Any]]] = []
        for symbol in symbols or (None,):
            asked.append((symbol, {**(params or {})}))
            if self.lists_triggers_apart:
                asked.append((symbol, {**(params or {}), "trigger": True}))
        answers = await asyncio.gather(
            *(self._session.call(name, symbol, since, None, each) for symbol, each in asked)
        )
        return [raw for raws in answers for raw in raws]

    @property
    def lists_triggers_apart(self) -> bool:
        """True where conditional orders are listed and cancelled apart from the others."""
        kind = self._session.options.default_type
        features = (self._session.exchange.features or {}).get(kind) or {}
        if kind == "swap":
            features = features.get("linear") or {}
        return bool((features.get("fetchOpenOrders") or {}).get("trigger"))

    def _among(self, key: ClientOrderId, raws: list[Mapping[str, Any]]) -> OrderStatusReport | None:
        reports = self._reader.orders(raws)
        return next((report for report in reports if report.client_order_id == key), None)

    def _readable(self, raw: Mapping[str, Any]) -> OrderStatusReport:
        report = self._reader.order(raw)
        if report is None:
            raise OutcomeUnknown("the exchange describes an order without saying what it is")
        return report

    # -- executions

    async def fills(self, since: int) -> tuple[FillReport, ...]:
        """Return executions since a moment (ns UTC); since 0 means as far back as the options say."""
        history = self._session.options.history_days * NANOS_PER_DAY
        since_ms = (since or time.time_ns() - history) // NANOS_PER_MS
        trades = await executions(self._session, self._markets.traded, since_ms)
        trades = [trade for trade in trades if self._reader.is_traded(trade)]
        await self.learn(trades)
        return tuple(report for trade in trades if (report := self.fill(trade)) is not None)

    def fill(self, trade: Mapping[str, Any]) -> FillReport | None:
        """Return an execution of an order that is known by now; of any other it is somebody else's."""
        ours = self._reader.client_id(trade)
        key = ours or ClientOrderId(f"ext-{trade_order_id(trade)}")
        return self._reader.fill(trade, key)

    async def learn(self, trades: list[Mapping[str, Any]]) -> None:
        """Find out which orders these executions belong to, where they do not say so themselves."""
        unknown: defaultdict[str, set[str]] = defaultdict(set)
        for trade in trades:
            if self._reader.client_id(trade) is None:
                unknown[str(trade.get("symbol"))].add(trade_order_id(trade))
        for symbol, ids in unknown.items():
            await self._learn(symbol, sorted(ids - {""}))

    async def _learn(self, symbol: str, ids: list[str]) -> None:
        several = self._session.dialect.orders_by_ids
        if several:
            for start in range(0, len(ids), IDS_AT_ONCE):
                batch = ids[start : start + IDS_AT_ONCE]
                for raw in await self._session.call(several, batch):
                    self._reader.order(raw)
            return
        await asyncio.gather(*(self._learn_one(symbol, each) for each in ids))

    async def _learn_one(self, symbol: str, order_id: str) -> None:
        try:
            self._reader.order(await self._session.call("fetch_order", order_id, symbol))
        except VenueRefused as error:
            if error.venue_code != RefusalCode.UNKNOWN_ORDER:
                raise  # an order that the exchange has forgotten cannot be ours any more

    # -- positions and cash

    async def holdings(self, cash: str) -> tuple[tuple[PositionReport, ...], AccountReport]:
        """Return positions and cash; `cash` is the currency that counts as such."""
        balances = await self._session.call("fetch_balance")
        amounts = {str(name): exact(each) for name, each in (balances.get("total") or {}).items()}
        totals = {name: amount for name, amount in amounts.items() if amount}
        wallet = self._wallet(balances, cash)
        account = AccountReport(
            ts_event=time.time_ns(),
            account_id=self._account_id,
            cash=totals.get(cash, ZERO) if wallet is None else wallet,
            currency=cash,
            balances=tuple(sorted(totals.items())),
        )
        if self._session.options.default_type == "swap":
            return await self._contracts(), account
        return self._coins(totals), account

    def _wallet(self, balances: Mapping[str, Any], cash: str) -> Decimal | None:
        """Return the raw wallet balance where ccxt's total has unrealised profit in it; None elsewhere."""
        name = self._session.dialect.margin_cash
        if not name or self._session.options.default_type != "swap":
            return None
        info = balances.get("info")
        assets = info.get("assets") or () if isinstance(info, Mapping) else ()
        found = (exact(each.get(name)) for each in assets if each.get("asset") == cash)
        return next((amount for amount in found if amount is not None), ZERO)

    def _coins(self, totals: Mapping[str, Decimal]) -> tuple[PositionReport, ...]:
        """Return the balances of what is traded; a coin that several instruments share belongs to the first."""
        positions: dict[str, PositionReport] = {}
        for symbol in self._markets.traded:
            terms = self._markets.terms(symbol)
            if terms is not None and terms.base in totals:
                positions.setdefault(terms.base, self._position(terms, totals[terms.base], ZERO))
        return tuple(positions.values())

    async def _contracts(self) -> tuple[PositionReport, ...]:
        found = []
        for raw in await self._session.call("fetch_positions"):
            terms = self._markets.terms(raw.get("symbol"))
            contracts = exact(raw.get("contracts"))
            if terms is None or not contracts:
                continue
            sign = -1 if raw.get("side") == "short" else 1
            units = sign * abs(contracts) * terms.contract_size
            found.append(self._position(terms, units, exact(raw.get("entryPrice")) or ZERO))
        return tuple(found)

    def _position(self, terms: Terms, quantity: Decimal, price: Decimal) -> PositionReport:
        return PositionReport(
            ts_event=time.time_ns(),
            account_id=self._account_id,
            instrument_id=terms.instrument_id,
            quantity=quantity,
            avg_px=price,
        )


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
