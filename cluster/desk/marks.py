"""The marks of an account: what it was worth, and what each strategy made, at each bar slice."""

import threading
from collections import defaultdict
from decimal import Decimal

from actors.blueprint import Blueprint
from cluster.desk.link import ClusterLink
from serve.desk.answers import EquityPoint, StrategyPoint, moment
from trading.codec import decode
from trading.curve import Curve
from trading.events import EquityMarked
from trading.identifiers import StrategyId, StreamName


class Marks:
    """Follows the ledger's stream of one account.

    Attributes
    ----------
    account : str
        Its id.
    """

    def __init__(self, link: ClusterLink, account: Blueprint) -> None:
        self.account = str(account.account_id)
        self._link = link
        self._lock = threading.Lock()
        self._stream = StreamName(account.name("ledger"))
        self._read = 0
        self._curve: Curve | None = None
        self._equity: list[tuple[int, Decimal, float]] = []
        self._strategies: defaultdict[StrategyId, list[tuple[int, Decimal, Decimal]]] = defaultdict(
            list
        )

    def equity(self, most: int) -> list[EquityPoint]:
        """Return the marks, oldest first, thinned evenly; the newest is always among them."""
        with self._lock:
            self._follow()
            found = self._equity
        count = len(found)
        if count > most:
            found = [found[(index + 1) * count // most - 1] for index in range(most)]
        return [
            EquityPoint(at=moment(ts), equity=equity, drawdown=drawdown)
            for ts, equity, drawdown in found
        ]

    def strategy(self, name: str, most: int) -> list[StrategyPoint]:
        """Return the newest marks of a strategy, oldest first; none when there are none of that name."""
        with self._lock:
            self._follow()
            found = self._strategies.get(StrategyId(name), [])[-most:] if most > 0 else []
        return [
            StrategyPoint(at=moment(ts), profit=profit, exposure=exposure)
            for ts, profit, exposure in found
        ]

    def _follow(self) -> None:
        with self._link.journal() as journal:
            if journal.head(self._stream) <= self._read:
                return
            for record in journal.read(self._stream, self._read):
                fact = decode(record.payload)
                if isinstance(fact, EquityMarked):
                    self._add(fact)
                self._read = record.seq

    def _add(self, mark: EquityMarked) -> None:
        if self._curve is None:
            self._curve = Curve(mark.capital or mark.equity)
        self._curve.add(mark.ts_event, mark.equity, mark.capital)
        self._equity.append((mark.ts_event, mark.equity, self._curve.drawdown(mark.equity)))
        for strategy, profit, gross in mark.by_strategy:
            self._strategies[strategy].append((mark.ts_event, profit, gross))
