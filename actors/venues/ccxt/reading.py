"""From what ccxt hands over to reports, with the help of what is known already."""

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from actors.venues.ccxt.dialects import Dialect
from actors.venues.ccxt.instruments import Markets, Terms
from actors.venues.ccxt.memory import OrderMemory
from actors.venues.ccxt.parse import (
    fill_report,
    foreign_fees,
    order_report,
    trade_client_id,
    trade_order_id,
)
from trading.errors import OutcomeUnknown
from trading.identifiers import AccountId, ClientOrderId
from trading.reports import FillReport, OrderStatusReport

log = logging.getLogger(__name__)


class Reader:
    """Reads orders and executions of one account, and remembers the orders.

    Parameters
    ----------
    default_type : str
        `spot` or `swap`: anything else on the same account is not ours to read.
    """

    def __init__(
        self,
        account_id: AccountId,
        dialect: Dialect,
        markets: Markets,
        memory: OrderMemory,
        default_type: str = "spot",
    ) -> None:
        self._account_id = account_id
        self._dialect = dialect
        self._markets = markets
        self._memory = memory
        self._category = dialect.categories.get(default_type, "")
        self._foreign: set[str] = set()

    def order(self, raw: Mapping[str, Any]) -> OrderStatusReport | None:
        """Return the state of an order; None for a market that we do not trade, or when it says too little.

        Raises
        ------
        OutcomeUnknown
            If it cannot be read.
        """
        known = self._memory.by_venue_id(_text(raw, "id"))
        terms = self._terms(raw, known)
        if terms is None:
            return None
        report = order_report(raw, terms, self._account_id, self._dialect, known)
        if report is None:
            return None
        if report.ts_event == 0:
            report = msgspec.structs.replace(report, ts_event=time.time_ns())
        self._memory.remember(report)
        return report

    def orders(self, raws: Iterable[Mapping[str, Any]]) -> list[OrderStatusReport]:
        """Return the orders of a list, each once; those of markets that we do not trade are left out."""
        found: dict[str, OrderStatusReport] = {}
        for raw in raws:
            report = self.order(raw)
            if report is not None:
                found[report.venue_order_id] = report
            elif self._terms(raw, None) is not None:
                raise OutcomeUnknown("the exchange lists an order without saying what it is")
        return list(found.values())

    def client_id(self, trade: Mapping[str, Any]) -> ClientOrderId | None:
        """Return our id of the order that an execution belongs to; None when it must be asked for."""
        told = trade_client_id(trade, self._dialect)
        if told is not None:
            return told
        known = self._memory.by_venue_id(trade_order_id(trade))
        return None if known is None else known.client_order_id

    def is_traded(self, trade: Mapping[str, Any]) -> bool:
        return self._terms(trade, None) is not None

    def fill(self, trade: Mapping[str, Any], client_order_id: ClientOrderId) -> FillReport | None:
        """Return an execution; None when it is none.

        Raises
        ------
        OutcomeUnknown
            If it cannot be read.
        """
        terms = self._terms(trade, None)
        if terms is None:
            return None
        self._warn_of_foreign_fees(trade, terms)
        return fill_report(trade, terms, self._account_id, client_order_id)

    def _terms(self, raw: Mapping[str, Any], known: OrderStatusReport | None) -> Terms | None:
        if self._is_of_other_category(raw):
            return None
        symbol = _text(raw, "symbol")
        if not symbol and known is not None:
            symbol = self._markets.symbol(known.instrument_id)
        return self._markets.terms(symbol)

    def _is_of_other_category(self, raw: Mapping[str, Any]) -> bool:
        """Two markets may share a name: BTCUSDT is a pair and a perpetual."""
        info = raw.get("info")
        if not self._category or not isinstance(info, Mapping):
            return False
        return info.get("category") not in {None, "", self._category}

    def _warn_of_foreign_fees(self, trade: Mapping[str, Any], terms: Terms) -> None:
        for currency in foreign_fees(trade, terms):
            if currency not in self._foreign:
                self._foreign.add(currency)
                log.warning(
                    "fees on %s are taken in %s: they change that balance, and no figure of ours",
                    terms.symbol,
                    currency,
                )


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    return value if isinstance(value, str) else ""
