"""What an order would do, and which of risk's own rules speak against it now. Pure: from one look, nothing is sent.

The checks are those of the risk manager. It knows more than a look shows (how orders in flight stand this very moment,
how prices move together), so it has the last word.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from actors.blueprint import Blueprint
from cluster.desk.quotes import books_of, machine_of
from serve.desk.port import Preview
from serve.desk.view import ClusterSnapshot
from trading.commands import SubmitOrder
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.risk.breakers import Counters
from trading.risk.checks import LIMIT_CHECKS, ORDER_CHECKS, TERM_CHECKS, Check
from trading.risk.desk_book import DeskBook
from trading.risk.desk_checks import DESK_CHECKS, correlated_exposure, value_at_risk
from trading.risk.exposure import ExposureLedger
from trading.risk.limits import RiskLimits
from trading.risk.situation import Situation
from trading.risk.standing import Hold
from trading.values import ZERO, OrderSide, TradingState

_HALF = Decimal("0.5")
_UNSEEN = (correlated_exposure, value_at_risk)
"""What they measure is not in a look."""
_LIMITS: tuple[Check, ...] = (
    *LIMIT_CHECKS,
    *(each for each in DESK_CHECKS if each not in _UNSEEN),
)
_NEED_PRICE = frozenset(LIMIT_CHECKS) | frozenset(DESK_CHECKS)


class Market:
    """What a look says of one account's prices."""

    def __init__(self, snapshot: ClusterSnapshot, account: Blueprint) -> None:
        self._books = books_of(snapshot, account)
        self._instruments = account.instruments_by_id
        ledger = machine_of(snapshot, account, "ledger")
        self._last = {row["instrument_id"]: row["last_px"] for row in ledger.get("positions", ())}

    def book(self, key: InstrumentId) -> Mapping[str, Any]:
        return self._books.get(key, {})

    def side_px(self, key: InstrumentId, side: OrderSide) -> Decimal | None:
        """Return what an order of `side` could trade at now."""
        price = self.book(key).get("ask_px" if side is OrderSide.BUY else "bid_px")
        return None if price is None else self._instruments[key].price(price)

    def quote_at(self, key: InstrumentId) -> int | None:
        """Return the host time (ns) of the book; None when it has not two sides."""
        book = self.book(key)
        has_sides = book and book["bid_px"] is not None and book["ask_px"] is not None
        return int(book["ts_init"]) if has_sides else None

    def exposure_px(self, key: InstrumentId) -> Decimal | None:
        """Return the higher side of the book, which exposure is counted at; else the last price."""
        sides = [self.side_px(key, side) for side in OrderSide if key in self._instruments]
        known = [price for price in sides if price is not None]
        last: Decimal | None = self._last.get(key)
        return max(known) if known else last


def preview_of(
    snapshot: ClusterSnapshot,
    account: Blueprint,
    order: SubmitOrder,
    limits: RiskLimits,
    now: int,
) -> Preview:
    """Return what an order would do.

    Parameters
    ----------
    order : SubmitOrder
        With its market time.
    limits : RiskLimits
        In force.
    now : int
        Time of the hosts (ns UTC).
    """
    market = Market(snapshot, account)
    instrument = account.instruments_by_id[order.instrument_id]
    reference = market.side_px(order.instrument_id, order.side)
    price = order.price or order.trigger_price or reference
    value = None if price is None else order.quantity * price
    cost = None if price is None else _cost(account, market, order, price)
    ledger = machine_of(snapshot, account, "ledger")
    held = {row["instrument_id"]: row["quantity"] for row in ledger.get("positions", ())}
    before = held.get(order.instrument_id, ZERO)
    objections = _objections(snapshot, account, order, limits, now)
    return Preview(
        instrument_id=order.instrument_id,
        side=order.side,
        quantity=order.quantity,
        reference_price=reference,
        estimated_value=value,
        estimated_cost=cost,
        position_before=before,
        position_after=before + order.side.sign * order.quantity,
        cash_after=_cash_after(ledger.get("cash"), instrument, order, value, cost),
        is_allowed=not objections,
        objections=objections,
    )


def _cost(account: Blueprint, market: Market, order: SubmitOrder, price: Decimal) -> Decimal:
    """Return half the spread, for what trades at once, and the fees that are configured."""
    takes = order.price is None
    bid = market.side_px(order.instrument_id, OrderSide.SELL)
    ask = market.side_px(order.instrument_id, OrderSide.BUY)
    spread = (ask - bid) * _HALF * order.quantity if takes and bid and ask else ZERO
    if account.feed is None:
        fees = account.assumptions.fees.commission(order.quantity, price, is_maker=not takes)
    else:
        bps = account.fees.taker_bps if takes else account.fees.maker_bps
        fees = order.quantity * (account.fees.per_unit + price * bps / 10_000)
    return spread + fees


def _cash_after(
    cash: Decimal | None,
    instrument: Instrument,
    order: SubmitOrder,
    value: Decimal | None,
    cost: Decimal | None,
) -> Decimal | None:
    if cash is None or value is None or cost is None:
        return None
    return cash - cost - (ZERO if instrument.is_margined else order.side.sign * value)


def _objections(
    snapshot: ClusterSnapshot,
    account: Blueprint,
    order: SubmitOrder,
    limits: RiskLimits,
    now: int,
) -> list[str]:
    risk = machine_of(snapshot, account, "risk")
    if not risk:
        return ["RISK_UNAVAILABLE: The risk manager is down; nothing is sendable until it is back."]
    situation = _situation(risk, Market(snapshot, account), account, order, limits)
    checks = ORDER_CHECKS if situation.reduces_account else ORDER_CHECKS + _LIMITS
    if any(check(order, situation, limits, now) for check in TERM_CHECKS):
        checks = TERM_CHECKS
    found = [
        check(order, situation, limits, now)
        for check in checks
        if situation.price is not None or check not in _NEED_PRICE
    ]
    return [f"{denied.code}: {denied.reason}" for denied in found if denied is not None]


def _situation(
    risk: Mapping[str, Any],
    market: Market,
    account: Blueprint,
    order: SubmitOrder,
    limits: RiskLimits,
) -> Situation:
    """Return what the checks look at, as far as a look shows it."""
    key, side, more = order.instrument_id, order.side, order.quantity
    desk = DeskBook(account.instruments_by_id, limits)
    whole, own = _exposures(risk, market, order.strategy_id, desk)
    line, own_line = whole.line(key), own.line(key)
    known = [p for p in (market.exposure_px(key), order.price, order.trigger_price) if p]
    price = max(known, default=None)
    after, at = line.units_with(side, more), price or ZERO
    return Situation(
        instrument=account.instruments_by_id.get(key),
        hold=Hold(TradingState(risk["state"]), risk["code"], risk["reason"], risk["until"]),
        kill_reason=risk["kill_switch"],
        quote_at=market.quote_at(key),
        price=price,
        reduces_account=line.is_reduced_by(side, more),
        reduces_strategy=own_line.is_reduced_by(side, more),
        position_after=after,
        strategy_position_after=own_line.units_with(side, more),
        gross_elsewhere=whole.gross - line.value,
        strategy_gross_elsewhere=own.gross - own_line.value,
        positions_elsewhere=len(whole.lines) - (not line.is_empty),
        unpriced_count=whole.unpriced,
        counters=_counters(risk),
        unfilled_count=sum(not row["filled"] for row in risk["reservations"]),
        strategy_halt=risk["halted_strategies"].get(order.strategy_id),
        is_market_open=account.hours.is_open(risk["market_time"]),
        working_count=len(risk["reservations"]),
        equity=risk["equity"],
        opposite_px=market.side_px(key, side),
        short_after=line.sells + more - line.quantity if side.sign < 0 else ZERO,
        net_after=desk.net_after(side, more * at),
        groups_after=desk.groups_after(key, after * at),
    )


def _exposures(
    risk: Mapping[str, Any], market: Market, strategy: str, desk: DeskBook
) -> tuple[ExposureLedger, ExposureLedger]:
    """Return what the account, and what one strategy in it, holds and works; `desk` notes the account's."""
    whole, own = ExposureLedger(market.exposure_px), ExposureLedger(market.exposure_px)
    whole.watch = desk.note
    for key, quantity in risk["positions"].items():
        whole.move(InstrumentId(key), quantity)
    for key, quantity in risk["strategy_positions"].get(strategy, {}).items():
        own.move(InstrumentId(key), quantity)
    for row in risk["reservations"]:
        key, side = InstrumentId(row["instrument"]), OrderSide(row["side"])
        whole.reserve(key, side, row["reserved"])
        if row["strategy"] == strategy:
            own.reserve(key, side, row["reserved"])
    return whole, own


def _counters(risk: Mapping[str, Any]) -> Counters:
    day, peak, equity = risk["day_equity"], risk["peak_equity"], risk["equity"]
    used = {name: use["used"] for name, use in risk["limits"].items()}
    is_read = equity is not None
    return Counters(
        daily_loss=day - equity if is_read and day is not None else None,
        drawdown=used["max_drawdown"] if is_read and peak is not None else None,
        consecutive_losses=used["max_consecutive_losses"],
        trades_today=used["max_trades_per_day"],
    )
