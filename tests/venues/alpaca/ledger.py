"""The venue's side of orders: its own ids, lists and replacements, in front of the desk."""

import time
import uuid
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.venues.alpaca.activities import Activities
from tests.venues.alpaca.records import CLASSES, OPEN, TYPES, Record, Refused, rfc3339
from tests.venues.desk import Desk
from trading.commands import CancelOrder, ReplaceOrder, SubmitOrder
from trading.identifiers import ClientOrderId, StrategyId, derive_leg_id, symbol_of
from trading.instruments import Instrument
from trading.outcomes import CancelAcknowledged, ReplaceAcknowledged, SubmitAcknowledged
from trading.reports import FillReport, OrderStatusReport
from trading.values import AssetClass, OrderSide, OrderStatus, TimeInForce


class Ledger:
    """Records of orders. Used in the simulator's thread alone, but for `_heard`."""

    def __init__(self, desk: Desk, on_event: Callable[[dict[str, Any]], None]) -> None:
        self.desk = desk
        self.records: dict[str, Record] = {}
        self.by_client: dict[str, Record] = {}
        self.activities = Activities()
        self._by_desk: dict[str, Record] = {}
        self._on_event = on_event
        self._heard: deque[FillReport | OrderStatusReport] = deque()
        self.on_heard: Callable[[], None] = lambda: None
        desk.on_report(self._hear)

    # -- what the desk says

    def _hear(self, report: FillReport | OrderStatusReport) -> None:
        self._heard.append(report)
        self.on_heard()

    def drain(self) -> None:
        """Bring the records up to date, and tell the stream."""
        while self._heard:
            report = self._heard.popleft()
            record = self._by_desk.get(report.client_order_id) or self._of_others(report)
            if record is None:
                continue
            if isinstance(report, FillReport):
                self._filled(record, report)
            else:
                self._changed(record, report)

    def _of_others(self, report: FillReport | OrderStatusReport) -> Record | None:
        """Return the record of an order that came by another way than this wire; none of a refused one."""
        if isinstance(report, FillReport) or report.status is not OrderStatus.ACCEPTED:
            return None
        held = self.desk.instruments[report.instrument_id]
        body = {
            "symbol": held.venue_symbol or symbol_of(held.instrument_id),
            "qty": f"{report.quantity / held.multiplier:f}",
            "side": report.side.lower(),
            "type": next(name for name, kind in TYPES.items() if kind is report.order_type),
            "time_in_force": report.time_in_force.lower(),
        }
        if report.price is not None:
            body["limit_price"] = f"{report.price:f}"
        if report.trigger_price is not None:
            body["stop_price"] = f"{report.trigger_price:f}"
        return self._record(body, report.client_order_id, report.client_order_id, "simple")

    def _filled(self, record: Record, report: FillReport) -> None:
        units = record.instrument.multiplier
        quantity = report.last_qty / units
        record.filled += quantity
        record.cost += quantity * report.last_px
        record.status = "filled" if record.filled >= record.qty else "partially_filled"
        record.updated_at = report.ts_init
        execution = str(uuid.uuid5(uuid.NAMESPACE_OID, report.trade_id))
        event = "fill" if record.status == "filled" else "partial_fill"
        self.activities.note(record, report, quantity, execution)
        if record.parent is None or record.order_class != "mleg":
            self.tell(
                event,
                record,
                execution_id=execution,
                price=f"{report.last_px:f}",
                qty=f"{quantity:f}",
                timestamp=rfc3339(report.ts_event),
            )
        if record.status == "filled":
            self._after_fill(record)

    def _changed(self, record: Record, report: OrderStatusReport) -> None:
        record.updated_at = report.ts_init
        if report.status in {OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}:
            record.status = report.status.lower()
            self.tell(record.status, record)
            self._after_close(record)
        elif record.status in {"pending_new", "accepted", "held"}:
            record.status = "new" if not record.filled else "partially_filled"
            self.tell("new", record)

    def _after_fill(self, record: Record) -> None:
        if record.order_class == "mleg" and record.parent is not None:
            frame = record.parent
            if all(leg.status == "filled" for leg in frame.legs):
                frame.status, frame.filled = "filled", frame.qty
                self.tell(
                    "fill", frame, execution_id=str(uuid.uuid4()), price="0", qty=frame.body["qty"]
                )
            return
        if record.order_class in {"bracket", "oto"} and record.parent is None:
            for leg in record.legs:
                self._submit_to_desk(leg)
        for sibling in self._siblings(record):
            self._cancel_at_desk(sibling)

    def _after_close(self, record: Record) -> None:
        for leg in record.legs:
            if leg.status in OPEN:
                self._cancel_at_desk(leg)

    def _siblings(self, record: Record) -> list[Record]:
        if record.order_class == "oco":
            family = (
                [record, *record.legs]
                if record.parent is None
                else [record.parent, *record.parent.legs]
            )
        elif record.order_class == "bracket" and record.parent is not None:
            family = record.parent.legs
        else:
            return []
        return [each for each in family if each is not record and each.status in OPEN]

    def tell(self, event: str, record: Record, **details: Any) -> None:
        self._on_event(
            {
                "event": event,
                "event_id": str(len(self.activities.rows)),
                "timestamp": rfc3339(time.time_ns()),
                **details,
                "order": record.view(nested=record.order_class == "mleg"),
            }
        )

    # -- what clients ask for

    def submit(self, body: dict[str, Any], reach_desk: bool = True) -> Record:
        client_id = body.get("client_order_id") or str(uuid.uuid4())
        if client_id in self.by_client:
            raise Refused(422, 40010001, "client_order_id must be unique")
        order_class = body.get("order_class") or "simple"
        if order_class == "mleg":
            return self._submit_mleg(body, client_id)
        record = self._record(body, client_id, ClientOrderId(client_id), order_class)
        self._check(record)
        record.legs = self._exits(record)
        if not reach_desk:
            record.status = "accepted"
            return record
        try:
            self._submit_to_desk(record, first=True)
        except Refused:
            self._forget(record)
            raise
        if order_class == "oco":
            self._submit_to_desk(record.legs[0])
        return record

    def _submit_mleg(self, body: dict[str, Any], client_id: str) -> Record:
        frame = self._record({**body}, client_id, ClientOrderId(f"frame-{client_id}"[:64]), "mleg")
        for index, leg in enumerate(body["legs"]):
            desk_id = (
                ClientOrderId(client_id)
                if index == 0
                else derive_leg_id(ClientOrderId(client_id), index)
            )
            quantity = Decimal(body["qty"]) * Decimal(leg["ratio_qty"])
            leg_body = {
                "symbol": leg["symbol"],
                "side": leg["side"],
                "qty": f"{quantity:f}",
                "type": "market",
                "time_in_force": body["time_in_force"],
            }
            record = self._record(leg_body, str(uuid.uuid4()), desk_id, "mleg")
            record.parent = frame
            frame.legs.append(record)
        frame.status = "new"
        self.tell("new", frame)
        if self._is_marketable(frame):
            for leg in frame.legs:
                self._submit_to_desk(leg)
        else:
            for leg in frame.legs:
                leg.status = "new"
        return frame

    def _is_marketable(self, frame: Record) -> bool:
        limit = frame.body.get("limit_price")
        if limit is None:
            return True
        net = sum(
            Decimal(str(self.desk.prices[leg.instrument.instrument_id]))
            * (leg.qty / frame.qty)
            * (1 if leg.body["side"] == "buy" else -1)
            for leg in frame.legs
        )
        return net <= Decimal(limit)

    def _exits(self, record: Record) -> list[Record]:
        opposite = "sell" if record.body["side"] == "buy" else "buy"
        side = record.body["side"] if record.order_class == "oco" else opposite
        found: list[Record] = []
        first = ClientOrderId(record.client_order_id)
        for name in ("take_profit", "stop_loss"):
            prices = record.body.get(name)
            if prices is None or (record.order_class == "oco" and name == "take_profit"):
                continue
            kind = (
                "limit"
                if name == "take_profit"
                else "stop_limit"
                if "limit_price" in prices
                else "stop"
            )
            index = 2 if record.order_class == "bracket" and name == "stop_loss" else 1
            body = {
                "symbol": record.body["symbol"],
                "qty": record.body["qty"],
                "side": side,
                "type": kind,
                "time_in_force": record.body["time_in_force"],
                **prices,
            }
            leg = self._record(
                body, str(uuid.uuid4()), derive_leg_id(first, index), record.order_class
            )
            leg.parent, leg.status = record, "held"
            found.append(leg)
        return found

    def _record(self, body, client_id: str, desk_id: ClientOrderId, order_class: str) -> Record:
        if order_class == "oco" and "limit_price" not in body and "take_profit" in body:
            body = {**body, "limit_price": body["take_profit"]["limit_price"]}
        instrument = None
        if body.get("symbol"):
            instrument = self.instrument(body["symbol"])
        record = Record(str(uuid.uuid4()), client_id, desk_id, instrument, dict(body), order_class)
        self.records[record.id] = record
        self.by_client[client_id] = record
        self._by_desk[desk_id] = record
        return record

    def _forget(self, record: Record) -> None:
        for each in (record, *record.legs):
            del (
                self.records[each.id],
                self.by_client[each.client_order_id],
                self._by_desk[each.desk_id],
            )

    def instrument(self, symbol: str) -> Instrument:
        for each in self.desk.instruments.values():
            name = each.venue_symbol or symbol_of(each.instrument_id)
            if symbol in {name, name.replace("/", "")}:
                return each
        raise Refused(422, 42210000, f'asset "{symbol}" not found')

    def _check(self, record: Record) -> None:
        """The rules that the venue itself has, beyond those of any exchange."""
        body, kind = record.body, record.instrument.asset_class
        times = {
            AssetClass.CRYPTO: {"gtc", "ioc"},
            AssetClass.OPTION: {"day"},
        }.get(kind, {"day", "gtc", "opg", "cls", "ioc", "fok"})
        message = ""
        if body["time_in_force"] not in times:
            message = f"invalid {CLASSES[kind]} time_in_force"
        elif body.get("extended_hours") and body["type"] != "limit":
            message = "extended hours order must be DAY or GTC limit orders"
        elif kind is AssetClass.EQUITY and record.qty % 1 and body["time_in_force"] != "day":
            message = "fractional orders must be DAY orders"
        elif kind is AssetClass.OPTION and record.qty % 1:
            message = "options quantity must be whole contracts"
        if message:
            self._forget(record)
            raise Refused(422, 42210000, message)

    def _submit_to_desk(self, record: Record, first: bool = False) -> None:
        outcome = self.desk.request(self._command(record))
        if isinstance(outcome, SubmitAcknowledged):
            return
        if first:
            raise self._said(outcome)
        record.status = "rejected"
        self.tell("rejected", record)

    def _said(self, outcome: Any) -> Refused:
        match outcome.code:
            case "DUPLICATE_CLIENT_ORDER_ID":
                return Refused(422, 40010001, "client_order_id must be unique")
            case "INSUFFICIENT_CASH" | "SHORT_NOT_ALLOWED":
                return Refused(403, 40310000, "insufficient buying power")
            case _:
                return Refused(422, 42210000, outcome.reason)

    def _command(self, record: Record) -> SubmitOrder:
        body = record.body
        number = lambda name: None if body.get(name) is None else Decimal(body[name])  # noqa: E731
        return SubmitOrder(
            client_order_id=record.desk_id,
            account_id=self.desk.account_id,
            strategy_id=StrategyId("wire"),
            instrument_id=record.instrument.instrument_id,
            side=OrderSide(body["side"].upper()),
            quantity=record.qty * record.instrument.multiplier,
            order_type=TYPES[body["type"]],
            time_in_force=TimeInForce(body["time_in_force"].upper()),
            price=number("limit_price"),
            trigger_price=number("stop_price"),
            trailing_offset=number("trail_price"),
            ts_init=time.time_ns(),
        )

    def cancel(self, order_id: str) -> None:
        record = self.find(order_id)
        if record.order_class == "mleg" and record.parent is not None:
            raise Refused(422, 42210000, "legs of a multi-leg order cannot be canceled alone")
        if record.status not in OPEN:
            raise Refused(422, 42210000, f'order is already in "{record.status}" state')
        if record.order_class == "mleg":
            for each in (record, *record.legs):
                each.status = "canceled"
            self.tell("canceled", record)
            return
        self._cancel_at_desk(record)

    def _cancel_at_desk(self, record: Record) -> None:
        if record.status == "held":
            record.status = "canceled"
            self.tell("canceled", record)
            return
        command = CancelOrder(client_order_id=record.desk_id, account_id=self.desk.account_id)
        outcome = self.desk.request(command)
        if not isinstance(outcome, CancelAcknowledged):
            raise Refused(422, 42210000, outcome.reason)

    def replace(self, order_id: str, body: dict[str, Any]) -> Record:
        old = self.find(order_id)
        client_id = body.get("client_order_id") or str(uuid.uuid4())
        if client_id in self.by_client:
            raise Refused(422, 40010001, "client_order_id must be unique")
        if old.status not in {"new", "partially_filled"}:
            raise Refused(422, 42210000, f"cannot replace order in {old.status} status")
        number = lambda name: None if body.get(name) is None else Decimal(body[name])  # noqa: E731
        quantity = number("qty")
        command = ReplaceOrder(
            client_order_id=old.desk_id,
            account_id=self.desk.account_id,
            quantity=None if quantity is None else quantity * old.instrument.multiplier,
            price=number("limit_price"),
            trigger_price=number("stop_price"),
        )
        outcome = self.desk.request(command)
        if not isinstance(outcome, ReplaceAcknowledged):
            raise Refused(422, 42210000, outcome.reason)
        changes = {k: v for k, v in body.items() if k != "client_order_id"}
        new = self._record({**old.body, **changes}, client_id, old.desk_id, old.order_class)
        new.filled, new.cost, new.replaces, new.parent = old.filled, old.cost, old.id, old.parent
        new.legs = old.legs
        if old.parent is not None:
            old.parent.legs[old.parent.legs.index(old)] = new
        old.status, old.replaced_by, old.updated_at = "replaced", new.id, time.time_ns()
        self.tell("replaced", old)
        return new

    def find(self, order_id: str) -> Record:
        record = self.records.get(order_id)
        if record is None:
            raise Refused(404, 40410000, f"order not found for {order_id}")
        return record
