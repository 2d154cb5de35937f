"""One order in the simulated TWS, and what it is at the desk."""

import time
from datetime import UTC, datetime
from decimal import Decimal

from tests.venues.ib import wire
from tests.venues.ib.contracts import CON_IDS, LISTINGS
from trading.commands import CancelOrder, ReplaceOrder, SubmitOrder
from trading.identifiers import ClientOrderId, StrategyId
from trading.values import OrderSide, OrderStatus, OrderType, TimeInForce

LIVE = ("PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel")
TYPES = {
    "MKT": OrderType.MARKET,
    "LMT": OrderType.LIMIT,
    "STP": OrderType.STOP_MARKET,
    "STP LMT": OrderType.STOP_LIMIT,
    "TRAIL": OrderType.TRAILING_STOP_MARKET,
}
NAMES = {kind: name for name, kind in TYPES.items()}
STATES = {
    OrderStatus.ACCEPTED: "Submitted",
    OrderStatus.PARTIALLY_FILLED: "Submitted",
    OrderStatus.FILLED: "Filled",
    OrderStatus.CANCELED: "Cancelled",
    OrderStatus.EXPIRED: "Cancelled",
    OrderStatus.REJECTED: "Inactive",
}
MANUAL = 0
"""Client id of orders that are made in TWS itself."""


class Ticket:
    """One order in TWS. `values` are the fields of its open order message; `desk_key` is its id at the desk."""

    def __init__(self, order_id, client_id, perm_id, instrument, values):
        self.order_id = order_id
        self.client_id = client_id
        self.perm_id = perm_id
        self.instrument = instrument
        self.values = values
        self.desk_key = ""
        self.status = "PreSubmitted"
        self.filled = Decimal(0)
        self.is_transmitted = True
        self.completed_status = ""

    @property
    def is_live(self):
        return self.status in LIVE

    @property
    def contracts(self):
        return Decimal(self.values["quantity"])

    def open_order(self):
        own = {
            "order_id": self.order_id,
            "client_id": self.client_id,
            "perm_id": self.perm_id,
            "status": self.status,
        }
        return wire.message(5, {**self.values, **own})

    def completed_order(self):
        own = {
            "perm_id": self.perm_id,
            "status": self.status,
            "filled": plain(self.filled),
            "completed_status": self.completed_status or self.status,
        }
        return wire.message(101, {**self.values, **own})

    def order_status(self):
        remaining = plain(self.contracts - self.filled)
        held = self.values.get("parent_id") or 0
        return [
            3, self.order_id, self.status, plain(self.filled), remaining, "0.0", self.perm_id, held,
            "0.0", self.client_id, "", "0.0",
        ]  # fmt: skip


def desk_order(ticket, account_id):
    values, units = ticket.values, ticket.instrument.multiplier
    name = {"MOC": "MKT", "LOC": "LMT"}.get(values["order_type"], values["order_type"])
    kind = TYPES[name]
    is_trailing = kind is OrderType.TRAILING_STOP_MARKET
    is_stop = kind in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)
    tif = "DAY" if values["tif"] == "OPG" else values["tif"]
    return SubmitOrder(
        ts_event=time.time_ns(),
        client_order_id=ClientOrderId(ticket.desk_key),
        account_id=account_id,
        strategy_id=StrategyId("tws"),
        instrument_id=ticket.instrument.instrument_id,
        side=OrderSide(values["action"]),
        quantity=Decimal(values["quantity"]) * units,
        order_type=kind,
        time_in_force=TimeInForce(tif),
        price=_number(values["limit_price"]) if name in ("LMT", "STP LMT") else None,
        trigger_price=_number(values["aux_price"]) if is_stop else None,
        trailing_offset=_number(values["aux_price"]) if is_trailing else None,
    )


def desk_change(ticket, values, account_id):
    name = values["order_type"]
    return ReplaceOrder(
        client_order_id=ClientOrderId(ticket.desk_key),
        account_id=account_id,
        quantity=Decimal(values["quantity"]) * ticket.instrument.multiplier,
        price=_number(values["limit_price"]) if name in ("LMT", "STP LMT") else None,
        trigger_price=_number(values["aux_price"]) if name in ("STP", "STP LMT") else None,
    )


def desk_cancel(ticket, account_id):
    key = ClientOrderId(ticket.desk_key)
    return CancelOrder(client_order_id=key, account_id=account_id)


def plain(number):
    return "" if number is None else format(number, "f")


def _number(text):
    return Decimal(text) if text and Decimal(text) else None


def listing_fields(key):
    con_id = CON_IDS[key]
    listing = next(each for each in LISTINGS if each["con_id"] == con_id)
    return {name: listing.get(name, "") for name in wire.CONTRACT}


def order_fields(asked):
    """Return the fields of the open order message that follow from what was asked."""
    names = (
        "action", "quantity", "order_type", "tif", "oca_group", "account", "order_ref", "parent_id",
        "outside_rth", "oca_type", "trail_stop_price",
    )  # fmt: skip
    found = {name: asked.get(name) or None for name in names}
    con_id = int(asked["con_id"])
    listing = next(each for each in LISTINGS if each["con_id"] == con_id)
    return {
        **{name: listing.get(name, "") for name in wire.CONTRACT},
        **found,
        "oca_group": asked["oca_group"],
        "order_ref": asked["order_ref"],
        "limit_price": asked["limit_price"] or "0.0",
        "aux_price": asked["aux_price"] or "0.0",
        "open_close": asked["open_close"],
    }


def children(tickets, ticket):
    """Return the working orders that wait for this one."""
    return [
        each
        for each in tickets
        if each.is_live
        and each.client_id == ticket.client_id
        and int(each.values.get("parent_id") or 0) == ticket.order_id != 0
    ]


def held_back_with(tickets, ticket):
    """Return the orders that TWS holds back until this one is transmitted."""
    parent = int(ticket.values.get("parent_id") or 0) or ticket.order_id
    return [
        each
        for each in tickets
        if not each.is_transmitted
        and each.client_id == ticket.client_id
        and parent in (each.order_id, int(each.values.get("parent_id") or 0))
    ]


def others_of_group(tickets, ticket):
    """Return the working orders of the same OCA group."""
    name = ticket.values.get("oca_group")
    return [
        each
        for each in tickets
        if name and each is not ticket and each.is_live and each.values["oca_group"] == name
    ]


def manual_fields(state, instrument, account):
    """Return the fields of an order that somebody made in TWS, from what the desk says of it."""
    return {
        **listing_fields(state.instrument_id),
        "action": str(state.side),
        "quantity": plain(state.quantity / instrument.multiplier),
        "order_type": NAMES[state.order_type],
        "limit_price": plain(state.price) or "0.0",
        "aux_price": plain(state.trigger_price) or "0.0",
        "tif": str(state.time_in_force),
        "account": account,
        "order_ref": "",
        "oca_group": "",
    }


def execution_fields(ticket, report, number, account):
    """Return the fields of the message of one execution."""
    moment = datetime.fromtimestamp(report.ts_event // 10**9, UTC)
    return {
        **{name: ticket.values.get(name, "") for name in wire.CONTRACT},
        "request_id": -1,
        "order_id": ticket.order_id,
        "exec_id": f"0000e0d5.{number:08x}.01.01",
        "time": moment.strftime("%Y%m%d-%H:%M:%S"),
        "account": account,
        "execution_exchange": "ISLAND",
        "side": "SLD" if report.side is OrderSide.SELL else "BOT",
        "shares": plain(report.last_qty / ticket.instrument.multiplier),
        "price": plain(report.last_px),
        "perm_id": ticket.perm_id,
        "client_id": ticket.client_id,
        "cum_qty": plain(ticket.filled),
        "avg_price": plain(report.last_px),
        "order_ref": ticket.values["order_ref"],
    }
