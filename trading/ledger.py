"""The ledger: the account folded from its fills, valued at each bar slice, measured per strategy."""

from collections import Counter, deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from trading.account import EXTERNAL, Account
from trading.codec import digest_of
from trading.curve import Curve
from trading.data import BarSlice, BookTop
from trading.effects import Append, Effect
from trading.events import (
    EquityMarked,
    Event,
    OrderDenied,
    OrderEvent,
    OrderFilled,
    OrderSubmitted,
)
from trading.identifiers import (
    AccountId,
    InstrumentId,
    MachineName,
    StrategyId,
    StreamName,
    Venue,
    account_stream,
    machine_name,
)
from trading.instruments import Instrument
from trading.last_prices import LastPrices
from trading.messages import Message
from trading.order import Order
from trading.outcomes import JournalRecovered, JournalUnavailable
from trading.position import EXACT, Position, exact_sum
from trading.values import ZERO, OrderStatus


class LedgerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one ledger.

    Attributes
    ----------
    initial_cash : Decimal
        Cash of the account before its first fill, in account currency.
    capital : mapping of strategy to Decimal
        What each strategy was given: the base of its return. Strategies that are not listed
        (`EXTERNAL`, `KILL`) show a profit but no return.
    recent : int
        How many orders and fills the view shows.
    """

    venue: Venue
    account_id: AccountId
    initial_cash: Decimal
    instruments: tuple[Instrument, ...]
    capital: Mapping[StrategyId, Decimal]
    recent: int = 50


class Ledger:
    """Follows the account's stream; writes one `EquityMarked` per bar slice.

    Prices come from the book and are never journalled: after a restart a position counts at cost
    until its first price. A slice is marked once, also across restarts.
    """

    def __init__(self, config: LedgerConfig) -> None:
        self.config = config
        self._account = Account(config.initial_cash)
        self._orders: dict[str, Order] = {}
        self._submitted_count = 0
        self._traded: Counter[StrategyId] = Counter()
        self._denials: Counter[str] = Counter()
        self._recent_orders: deque[Order] = deque(maxlen=config.recent)
        self._recent_fills: deque[tuple[OrderFilled, Decimal]] = deque(maxlen=config.recent)
        self._curve = Curve(config.initial_cash)
        self._curves = {name: Curve(capital) for name, capital in config.capital.items()}
        self._marked = 0
        self._ts_event = 0
        self._prices = LastPrices(config.instruments)
        self._is_journal_up = True

    @property
    def name(self) -> MachineName:
        return machine_name("ledger", self.config.account_id)

    @property
    def stream(self) -> StreamName:
        return StreamName(f"ledger:{self.config.account_id}")

    @property
    def follows(self) -> tuple[StreamName, ...]:
        return (account_stream(self.config.venue, self.config.account_id),)

    @property
    def subscribes(self) -> tuple[str, ...]:
        return (f"book.{self.config.venue}.",)

    def handle(self, message: Message, now: int) -> list[Effect]:
        match message:
            case BookTop():
                self._price_from_top(message)
            case BarSlice():
                return self._mark(message, now)
            case Event():
                self.apply(message)
            case JournalUnavailable():
                self._is_journal_up = False
            case JournalRecovered():
                self._is_journal_up = True
            case _:
                pass  # links and timers are no business of a ledger
        return []

    def apply(self, event: Event) -> None:
        match event:
            case EquityMarked():
                self._apply_mark(event)
            case OrderEvent():
                self._apply_order(event)
            case _:
                self._account.apply(event)

    def view(self) -> Mapping[str, Any]:
        account = self._account
        gross, net = account.exposure(self._prices)
        equity = account.equity(self._prices)
        strategies = self._by_strategy()
        positions = account.positions()
        unrealized = exact_sum(self._unrealized(key, one) for key, one in positions.items())
        return {
            "equity": equity,
            "initial": account.capital,
            "cash": account.cash,
            "realized_pnl": account.realized_pnl(),
            "unrealized_pnl": unrealized,
            "commissions": account.commissions(),
            "gross": gross,
            "net": net,
            "drawdown": self._curve.drawdown(equity),
            "max_drawdown": max(self._curve.max_drawdown, self._curve.drawdown(equity)),
            "sharpe": self._curve.sharpe(),
            "positions": [
                self._position_view(key, positions[key])
                for key in sorted(positions)
                if not positions[key].is_flat
            ],
            "strategies": {name: self._strategy_view(name, *sums) for name, sums in strategies},
            "recent_orders": [_order_view(order) for order in reversed(self._recent_orders)],
            "recent_fills": [_fill_view(*item) for item in reversed(self._recent_fills)],
            "orders": self._order_counts(),
            "bad_prices": self._prices.bad_count,
            "sequence": self._marked,
            "ts_event": self._ts_event,
        }

    def state_hash(self) -> str:
        account = self._account
        positions = {
            f"{strategy}/{key}": (one.quantity, one.cost, one.realized_pnl, one.commissions)
            for (strategy, key), one in account.strategy_positions().items()
        }
        statuses = {key: order.status for key, order in self._orders.items()}
        return digest_of(
            (account.cash, positions, statuses, self._marked, self._curve.max_drawdown)
        )

    def validate(self) -> None:
        self._account.validate()
        fills = sum(len(order.trade_ids) for order in self._orders.values())
        assert fills == len(self._account.trade_ids), "orders and account disagree on the fills"

    # -- the fold

    def _apply_mark(self, event: EquityMarked) -> None:
        self._marked = max(self._marked, event.sequence)
        self._ts_event = event.ts_event
        self._curve.add(event.ts_event, event.equity, event.capital)
        for strategy_id, profit, _ in event.by_strategy:
            curve = self._curves.get(strategy_id)
            if curve is not None:
                capital = self.config.capital[strategy_id]
                curve.add(event.ts_event, EXACT.add(capital, profit))

    def _apply_order(self, event: OrderEvent) -> None:
        order = self._orders.get(event.client_order_id)
        if order is None:
            order = self._orders[event.client_order_id] = Order.of(event)
            self._recent_orders.append(order)
        is_first_fill = isinstance(event, OrderFilled) and not order.trade_ids
        order.apply(event)
        if isinstance(event, OrderFilled) and not self._account.has_fill(event.trade_id):
            self._recent_fills.append((event, self._account.apply_fill(event)))
            self._traded[order.strategy_id] += is_first_fill
        elif isinstance(event, OrderDenied):
            self._denials[event.code] += 1
        elif isinstance(event, OrderSubmitted) and event.strategy_id != EXTERNAL:
            self._submitted_count += 1

    # -- prices and marks

    def _price_from_top(self, top: BookTop) -> None:
        makes_sense = 0 < top.bid_px <= top.ask_px  # not so for NaN, one side, or a crossed book
        middle = (top.bid_px + top.ask_px) / 2 if makes_sense else 0.0
        self._prices.set(top.instrument_id, middle)

    def _mark(self, bars: BarSlice, now: int) -> list[Effect]:
        if bars.sequence <= self._marked:
            return []
        for bar in bars.bars:
            self._prices.set(bar.instrument_id, bar.close)
        if not self._is_journal_up:
            return []
        gross, net = self._account.exposure(self._prices)
        event = EquityMarked(
            ts_event=bars.ts_event,
            ts_init=now,
            correlation_id=bars.correlation_id,
            causation_id=bars.causation_id,
            account_id=self.config.account_id,
            sequence=bars.sequence,
            equity=self._account.equity(self._prices),
            cash=self._account.cash,
            gross=gross,
            net=net,
            by_strategy=tuple([(name, *sums) for name, sums in self._by_strategy()]),
            capital=self._account.capital,
        )
        self.apply(event)
        return [Append(event)]

    # -- strategies

    def _by_strategy(self) -> list[tuple[StrategyId, tuple[Decimal, Decimal]]]:
        """Return profit and gross exposure of the configured strategies, then of others that traded.

        The profit is realised plus unrealised less commissions. Both are exact.
        """
        nothing = (ZERO, ZERO)
        sums = dict.fromkeys(self.config.capital, nothing)
        for (strategy, key), one in self._account.strategy_positions().items():
            profit, gross = sums.get(strategy, nothing)
            value = one.value(self._prices.get(key))
            realized = EXACT.subtract(one.realized_pnl, one.commissions)
            own = EXACT.add(realized, EXACT.subtract(value, one.cost))
            sums[strategy] = EXACT.add(profit, own), EXACT.add(gross, value.copy_abs())
        others = sorted(sums.keys() - self.config.capital.keys())
        return [(name, sums[name]) for name in (*self.config.capital, *others)]

    def _unrealized(self, key: InstrumentId, position: Position) -> Decimal:
        return EXACT.subtract(position.value(self._prices.get(key)), position.cost)

    # -- the view

    def _position_view(self, key: InstrumentId, position: Position) -> dict[str, Any]:
        price = self._prices.get(key)
        return {
            "instrument_id": key,
            "quantity": position.quantity,
            "avg_px": position.avg_px,
            "last_px": price,
            "value": position.value(price),
            "unrealized_pnl": self._unrealized(key, position),
            "realized_pnl": position.realized_pnl,
        }

    def _strategy_view(
        self, strategy_id: StrategyId, profit: Decimal, gross: Decimal
    ) -> dict[str, Any]:
        """Describe one strategy; `trades` counts its orders that were filled, wholly or in part."""
        capital = self.config.capital.get(strategy_id, ZERO)
        curve = self._curves.get(strategy_id)
        return {
            "capital": capital,
            "profit": profit,
            "return": float(profit / capital) if capital > 0 else 0.0,
            "sharpe": None if curve is None else curve.sharpe(),
            "max_drawdown": 0.0 if curve is None else curve.max_drawdown,
            "exposure": gross,
            "trades": self._traded[strategy_id],
        }

    def _order_counts(self) -> dict[str, Any]:
        """Count orders by how they ended; `submitted` leaves out those that others sent."""
        counts = Counter(order.status for order in self._orders.values())
        return {
            "submitted": self._submitted_count,
            "filled": counts[OrderStatus.FILLED],
            "canceled": counts[OrderStatus.CANCELED],
            "expired": counts[OrderStatus.EXPIRED],
            "rejected": counts[OrderStatus.REJECTED],
            "denied": dict(sorted(self._denials.items())),
            "open": sum(order.is_open for order in self._orders.values()),
        }


def _order_view(order: Order) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "strategy_id": order.strategy_id,
        "instrument_id": order.instrument_id,
        "side": "" if order.side is None else str(order.side),
        "quantity": order.quantity,
        "filled_qty": order.filled_qty,
        "avg_px": order.avg_px,
        "status": str(order.status),
        "code": order.code,
        "purpose": order.request.purpose if order.request else "",
        "ts_last": order.ts_last,
    }


def _fill_view(fill: OrderFilled, realized: Decimal) -> dict[str, Any]:
    return {
        "ts_event": fill.ts_event,
        "strategy_id": fill.strategy_id,
        "instrument_id": fill.instrument_id,
        "side": str(fill.side),
        "quantity": fill.last_qty,
        "price": fill.last_px,
        "commission": fill.commission,
        "realized_pnl": realized,
        "purpose": fill.purpose,
        "trade_id": fill.trade_id,
        "client_order_id": fill.client_order_id,
    }
