"""One account: cash and positions as a fold over fills. Cash is exact, nothing is rounded."""

from collections.abc import Mapping, Set
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from trading.events import OrderFilled
from trading.identifiers import InstrumentId, StrategyId, TradeId
from trading.position import EXACT, Position, exact_sum
from trading.values import ZERO, OrderSide


class PriceBook(Protocol):
    """Where the price of an instrument can be looked up: a mapping, or something like one."""

    def get(self, instrument_id: InstrumentId, /) -> Decimal | None: ...


class Account:
    """Cash, positions of the account, and positions of each strategy in it.

    Every fill is applied once by `trade_id`. Cash is initial - buys + sells - commissions, exact.
    The account nets: strategy A long 5 and strategy B short 5 leave the account flat, so realised
    profit of the account and the sum over strategies differ while positions are open against each
    other; quantities and cash always agree.

    Parameters
    ----------
    initial_cash : Decimal
        In account currency.
    """

    def __init__(self, initial_cash: Decimal) -> None:
        self.initial_cash: Decimal = initial_cash
        self.cash: Decimal = initial_cash
        self._positions: dict[InstrumentId, Position] = {}
        self._strategy_positions: dict[tuple[StrategyId, InstrumentId], Position] = {}
        self._trade_ids: set[TradeId] = set()

    def apply_fill(self, fill: OrderFilled) -> Decimal:
        """Fold one fill in; return the realised profit (account level); 0 when it is a repeat."""
        if fill.trade_id in self._trade_ids:
            return ZERO
        self._trade_ids.add(fill.trade_id)
        flow = EXACT.multiply(fill.last_qty, fill.last_px)
        signed = flow.copy_negate() if fill.side is OrderSide.BUY else flow
        self.cash = EXACT.subtract(EXACT.add(self.cash, signed), fill.commission)
        by_strategy = self._strategy_positions.setdefault(
            (fill.strategy_id, fill.instrument_id), Position()
        )
        by_strategy.apply_fill(fill.side, fill.last_qty, fill.last_px, fill.commission)
        total = self._positions.setdefault(fill.instrument_id, Position())
        return total.apply_fill(fill.side, fill.last_qty, fill.last_px, fill.commission)

    def has_fill(self, trade_id: TradeId) -> bool:
        return trade_id in self._trade_ids

    @property
    def trade_ids(self) -> Set[TradeId]:
        """Every fill that was applied; read-only."""
        return self._trade_ids

    def position(self, instrument_id: InstrumentId) -> Position:
        """Return the account's position; a flat one if there is none. Not to be changed."""
        return self._positions.get(instrument_id) or Position()

    def strategy_position(self, strategy_id: StrategyId, instrument_id: InstrumentId) -> Position:
        """Return one strategy's position; a flat one if there is none. Not to be changed."""
        return self._strategy_positions.get((strategy_id, instrument_id)) or Position()

    def positions(self) -> Mapping[InstrumentId, Position]:
        """Return every position that the account ever held, flat ones too; read-only, follows fills."""
        return MappingProxyType(self._positions)

    def strategy_positions(self) -> Mapping[tuple[StrategyId, InstrumentId], Position]:
        """Return every position that a strategy ever held, flat ones too; read-only, follows fills."""
        return MappingProxyType(self._strategy_positions)

    def realized_pnl(self) -> Decimal:
        """Return the realised profit of the account before commissions."""
        return exact_sum(position.realized_pnl for position in self._positions.values())

    def commissions(self) -> Decimal:
        return exact_sum(position.commissions for position in self._positions.values())

    def equity(self, prices: PriceBook) -> Decimal:
        """Return cash plus the market value of all positions, exact.

        A position without a price counts at its cost (its average price).
        """
        equity = self.cash
        for key, position in self._positions.items():
            equity = EXACT.add(equity, position.value(prices.get(key)))
        return equity

    def exposure(self, prices: PriceBook) -> tuple[Decimal, Decimal]:
        """Return (gross, net): the sums of the absolute and of the signed position values."""
        gross = net = ZERO
        for key, position in self._positions.items():
            value = position.value(prices.get(key))
            gross = EXACT.add(gross, value.copy_abs())
            net = EXACT.add(net, value)
        return gross, net

    def validate(self) -> None:
        """Assert that strategies add up to the account, and that cash follows from the positions."""
        for key, position in self._positions.items():
            parts = [p for (_, other), p in self._strategy_positions.items() if other == key]
            assert position.quantity == exact_sum(p.quantity for p in parts), key
            assert position.commissions == exact_sum(p.commissions for p in parts), key
            assert (position.quantity == 0) <= (position.cost == 0), key
        costs = exact_sum(position.cost for position in self._positions.values())
        booked = EXACT.subtract(EXACT.subtract(self.realized_pnl(), costs), self.commissions())
        assert self.cash == EXACT.add(self.initial_cash, booked), "cash does not follow from fills"
