"""One account: cash and positions as a fold over its facts. Cash is exact, nothing is rounded."""

from collections.abc import Mapping, Set
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from trading.events import AccountOpened, CashAdjusted, Event, OrderFilled
from trading.fills import cash_paid, commission_value, moved_units
from trading.identifiers import InstrumentId, StrategyId, TradeId
from trading.position import EXACT, Position, exact_sum
from trading.values import ZERO

EXTERNAL = StrategyId("EXTERNAL")
"""The strategy of positions and orders that the venue knows and we did not make."""
OPERATOR = StrategyId("operator")
"""The strategy of orders that people ask for in nobody else's name."""


class PriceBook(Protocol):
    """Where the price of an instrument can be looked up: a mapping, or something like one."""

    def get(self, instrument_id: InstrumentId, /) -> Decimal | None: ...


class Account:
    """Cash, positions of the account, and positions of each strategy in it.

    Every fill is applied once by `trade_id`. Cash is capital - buys + sells - commissions, exact. Of
    margined instruments the price is not paid: they move the cash by what they realise, less commissions,
    and count in the equity with their unrealised profit. Whether an instrument is margined is decided
    by the first that is heard of it.

    The account nets: strategy A long 5 and strategy B short 5 leave the account flat, so realised
    profit of the account and the sum over strategies differ while positions are open against each
    other; quantities and cash always agree.

    Parameters
    ----------
    initial_cash : Decimal
        In account currency; what counts until the account is opened with what the venue says.

    Attributes
    ----------
    capital : Decimal
        Cash at the start, cost of the paid positions at the start, and what was moved in (or out) since.
    adjusted : Decimal
        Sum of what the venue moved without a fill.
    """

    def __init__(self, initial_cash: Decimal) -> None:
        self.cash: Decimal = initial_cash
        self.capital: Decimal = initial_cash
        self.adjusted: Decimal = ZERO
        self._positions: dict[InstrumentId, Position] = {}
        self._strategy_positions: dict[tuple[StrategyId, InstrumentId], Position] = {}
        self._margined: set[InstrumentId] = set()
        self._trade_ids: set[TradeId] = set()

    def apply(self, event: Event) -> Decimal:
        """Fold one fact of the account's stream; return the realised profit (account level)."""
        match event:
            case OrderFilled():
                return self.apply_fill(event)
            case AccountOpened():
                self._open(event)
            case CashAdjusted():
                self.cash = EXACT.add(self.cash, event.amount)
                self.capital = EXACT.add(self.capital, event.amount)
                self.adjusted = EXACT.add(self.adjusted, event.amount)
            case _:
                pass  # no other fact moves money or units
        return ZERO

    def apply_fill(self, fill: OrderFilled) -> Decimal:
        """Fold one fill in; return the realised profit (account level); 0 when it is a repeat."""
        if fill.trade_id in self._trade_ids:
            return ZERO
        self._trade_ids.add(fill.trade_id)
        key = fill.instrument_id
        if fill.is_margined and key not in self._positions:
            self._margined.add(key)
        units, commission = moved_units(fill), commission_value(fill)
        by_strategy = self._strategy_positions.setdefault((fill.strategy_id, key), Position())
        by_strategy.trade(units, fill.last_px, commission)
        total = self._positions.setdefault(key, Position())
        realized = total.trade(units, fill.last_px, commission)
        if self.is_margined(key):
            self.cash = EXACT.subtract(EXACT.add(self.cash, realized), commission)
        else:
            self.cash = EXACT.subtract(self.cash, cash_paid(fill))
        return realized

    def has_fill(self, trade_id: TradeId) -> bool:
        return trade_id in self._trade_ids

    def is_margined(self, instrument_id: InstrumentId) -> bool:
        """Return whether the price of the instrument is not paid."""
        return instrument_id in self._margined

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
        """Return cash plus the market value of all positions, exact; of margined ones the unrealised profit.

        A position without a price counts at its cost (its average price).
        """
        equity = self.cash
        for key, position in self._positions.items():
            value = position.value(prices.get(key))
            if key in self._margined:
                value = EXACT.subtract(value, position.cost)
            equity = EXACT.add(equity, value)
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
        costs = exact_sum(p.cost for key, p in self._positions.items() if key not in self._margined)
        booked = EXACT.subtract(EXACT.subtract(self.realized_pnl(), costs), self.commissions())
        assert self.cash == EXACT.add(self.capital, booked), "cash does not follow from fills"

    def _open(self, event: AccountOpened) -> None:
        assert not self._positions, "an account is opened before its first fill"
        self._margined.update(event.margined)
        self.cash = self.capital = event.cash
        for key, quantity, price in event.positions:
            total = self._positions.setdefault(key, Position())
            by_strategy = self._strategy_positions.setdefault((EXTERNAL, key), Position())
            for position in (total, by_strategy):
                position.trade(quantity, price, ZERO)
            if key not in self._margined:
                self.capital = EXACT.add(self.capital, EXACT.multiply(quantity, price))
