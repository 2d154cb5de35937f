"""The order side of the simulated TWS: what it knows of orders, in front of the desk."""

import threading
from decimal import Decimal

from tests.venues.faults import Fault
from tests.venues.ib import wire
from tests.venues.ib.contracts import CON_IDS
from tests.venues.ib.tickets import (
    MANUAL,
    STATES,
    Ticket,
    children,
    desk_cancel,
    desk_change,
    desk_order,
    execution_fields,
    held_back_with,
    manual_fields,
    order_fields,
    others_of_group,
    plain,
)
from trading.outcomes import ReplaceRefused, SubmitRefused
from trading.reports import FillReport


class Orders:
    """All orders and executions of one account.

    Parameters
    ----------
    tell : function of client id, list of messages
        Sends what TWS says of its own accord; nothing when that client is not connected.
    """

    def __init__(self, desk, faults, account, tell):
        self.desk = desk
        self.faults = faults
        self.account = account
        self.tell = tell
        self.tickets = {}
        self.executions = []
        self.commissions = {}
        self.lacks_commissions = False
        self.next_valid = 1
        self.last_asked = 0
        self.transmitted = []
        self._perm_id = 1_000_000
        self._executed = 0
        self._captured = None
        self._held_back = []
        self._thread = None
        self._loop = None
        self._mics = {con_id: key for key, con_id in CON_IDS.items()}
        desk.on_report(self._reported)

    def run_in(self, loop):
        self._loop, self._thread = loop, threading.current_thread()

    # -- requests of a client; each returns nothing and tells

    def place(self, client_id, fields):
        asked = dict(zip(wire.PLACE_ORDER, fields, strict=False))
        order_id = self.last_asked = int(asked["order_id"])
        known = self._session_ticket(client_id, order_id)
        if known is not None and known.is_live:
            self._modify(known, asked)
        elif self._is_turned_away(client_id, order_id):
            return
        elif order_id < self.next_valid:
            self._error(client_id, order_id, 103, "Duplicate order id")
        else:
            self.next_valid = order_id + 1
            self._open(client_id, order_id, asked)

    def cancel(self, client_id, order_id):
        ticket = self._session_ticket(client_id, order_id)
        if ticket is None:
            text = f"OrderId {order_id} that needs to be cancelled is not found."
            self._error(client_id, order_id, 10147, text)
        elif not ticket.is_live:
            text = f"OrderId {order_id} that needs to be cancelled can not be cancelled, state: {ticket.status}."
            self._error(client_id, order_id, 10148, text)
        else:
            self._withdraw(ticket)

    def cancel_all(self):
        for ticket in [each for each in self.tickets.values() if each.is_live]:
            if ticket.is_live:
                self._withdraw(ticket)

    def live(self):
        return [
            # A copy: the tests look from another thread.
            ticket
            for ticket in list(self.tickets.values())
            if ticket.is_live and ticket.is_transmitted
        ]

    def completed(self):
        return [ticket for ticket in list(self.tickets.values()) if not ticket.is_live]

    def roll_back(self, next_valid):
        """Begin to count orders again, as TWS does when its settings are reset."""
        self.next_valid = next_valid

    def correct(self, price):
        """Correct the price of the last execution: another revision of it."""
        last = dict(self.executions[-1])
        head, _, revision = last["exec_id"].rpartition(".")
        last |= {"exec_id": f"{head}.{int(revision) + 1:02}", "price": price}
        self.executions.append(last)
        self._tell_execution(last, Decimal(1))

    def run_auction(self):
        """Hold the auction: orders that wait for it trade at the market price."""
        for ticket in self.live():
            if not ticket.desk_key and not int(ticket.values.get("parent_id") or 0):
                self._send_to_desk(ticket)

    def release(self):
        held, self._held_back = self._held_back[::-1], []
        for client_id, messages in held:
            self.tell(client_id, messages)

    # -- new orders

    def _is_turned_away(self, client_id, order_id):
        if self.faults.happens(Fault.DROP_REQUEST):
            return True
        if self.faults.happens(Fault.RATE_LIMIT):
            text = "Max rate of messages per second has been exceeded"
            self._error(client_id, order_id, 100, text)
            return True
        if self.faults.happens(Fault.ERROR_5XX):
            self._error(client_id, order_id, 504, "Not connected")
            return True
        return False

    def _open(self, client_id, order_id, asked):
        key = self._mics.get(int(asked["con_id"] or 0))
        if key is None:
            text = "No security definition has been found for the request"
            self._error(client_id, order_id, 200, text)
            return
        ticket = self._new_ticket(client_id, order_id, key, order_fields(asked))
        ticket.is_transmitted = asked["transmit"] == "1"
        self.transmitted.append(ticket.is_transmitted)
        if not ticket.is_transmitted:
            return
        family = [ticket, *held_back_with(self.tickets.values(), ticket)]
        family.sort(key=lambda each: each.order_id)
        for each in family:
            each.is_transmitted = True
        for each in family:
            if not each.desk_key:  # an entry that filled at once has sent its exits
                self._transmit(each)

    def _transmit(self, ticket):
        parent = self._parent(ticket)
        if (
            (parent is not None and parent.status != "Filled")
            or ticket.values["tif"] == "OPG"
            or ticket.values["order_type"] in ("MOC", "LOC")
        ):
            self._acknowledge(ticket)
        else:
            self._send_to_desk(ticket)

    def _send_to_desk(self, ticket):
        ticket.desk_key = self._desk_key(ticket)
        outcome, reports = self._at_desk(
            desk_order(ticket, self.desk.account_id), ticket.values["order_ref"]
        )
        if isinstance(outcome, SubmitRefused):
            self._refuse(ticket, outcome)
            return
        ticket.status = "Submitted"
        is_early = self.faults.happens(Fault.FILL_BEFORE_ACK)
        is_lost = self._loses_answer(ticket)
        if is_early:
            self._take(reports)
        if not is_lost:
            self._acknowledge(ticket)
        if not is_early:
            self._take([each for each in reports if not is_lost or isinstance(each, FillReport)])
        self._reject_after_ack(ticket)

    def _loses_answer(self, ticket):
        """Say whether the acknowledgement is lost, in one of the ways in which it can be."""
        faults, client = self.faults, ticket.client_id
        if faults.happens(Fault.DROP_RESPONSE):
            return True
        if faults.happens(Fault.ERROR_5XX_EXECUTED):
            self._error(client, ticket.order_id, 504, "Not connected")
            return True
        if faults.happens(Fault.RESET_EXECUTED):
            self.tell(client, "reset")
            return True
        if faults.happens(Fault.HALF_ANSWER):
            self.tell(client, ["half", ticket.open_order()])
            return True
        return False

    def _refuse(self, ticket, outcome):
        ticket.status = "Inactive"
        ticket.completed_status = f"Order rejected - reason:{outcome.reason}"
        code, text = 201, ticket.completed_status
        if outcome.code in ("BAD_PRICE", "BAD_TRIGGER_PRICE"):
            code = 110
            text = "The price does not conform to the minimum price variation for this contract."
        self._error(ticket.client_id, ticket.order_id, code, text)
        self.tell(ticket.client_id, [ticket.open_order(), ticket.order_status()])
        self._fate_of_family(ticket)

    def _reject_after_ack(self, ticket):
        if not ticket.is_live or not self.faults.happens(Fault.REJECT_AFTER_ACK):
            return
        ticket.status = "Inactive"
        ticket.completed_status = "Order rejected - reason:margin"
        self._at_desk(desk_cancel(ticket, self.desk.account_id))
        self._error(ticket.client_id, ticket.order_id, 201, ticket.completed_status)
        self.tell(ticket.client_id, [ticket.order_status()])

    def _acknowledge(self, ticket):
        self.tell(ticket.client_id, [ticket.open_order(), ticket.order_status()])

    # -- working orders

    def _modify(self, ticket, asked):
        values = order_fields(asked)
        client, order_id = ticket.client_id, ticket.order_id
        if ticket.desk_key:
            outcome, reports = self._at_desk(desk_change(ticket, values, self.desk.account_id))
            if isinstance(outcome, ReplaceRefused):
                code = 104 if outcome.code == "ORDER_CLOSED" else 201
                self._error(client, order_id, code, outcome.reason)
                return
        else:
            reports = []
        ticket.values = {**values, "order_ref": ticket.values["order_ref"]}
        self._acknowledge(ticket)
        self._take(reports)

    def _withdraw(self, ticket):
        if ticket.desk_key:
            _, reports = self._at_desk(desk_cancel(ticket, self.desk.account_id))
            self._take(reports)
            return
        ticket.status = "Cancelled"
        self._tell_state(ticket)
        self._fate_of_family(ticket)

    def _fate_of_family(self, ticket):
        """Let the orders that depend on this one follow it."""
        if ticket.status == "Filled":
            for child in children(self.tickets.values(), ticket):
                if not child.desk_key:
                    self._send_to_desk(child)
        elif not ticket.is_live:
            for child in children(self.tickets.values(), ticket):
                self._withdraw(child)
        for other in others_of_group(self.tickets.values(), ticket):
            if ticket.status == "Filled" or ticket.filled >= other.contracts:
                self._withdraw(other)

    def _parent(self, ticket):
        return self._session_ticket(ticket.client_id, int(ticket.values.get("parent_id") or 0))

    # -- the desk

    def _at_desk(self, body, ours=""):
        """Ask the desk; return its answer and what it told of its own accord meanwhile."""
        outer, self._captured = self._captured, []
        try:
            outcome = self.desk.request(body, ours)
            return outcome, self._captured
        finally:
            self._captured = outer

    def _reported(self, report):
        if self._captured is not None and threading.current_thread() is self._thread:
            self._captured.append(report)
        elif self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, [report])

    def _take(self, reports):
        for report in reports:
            ticket = self._ticket_of(report)
            if isinstance(report, FillReport):
                self._fill(ticket, report)
            else:
                self._status(ticket, report)

    def _fill(self, ticket, report):
        ticket.filled += report.last_qty / ticket.instrument.multiplier
        self._executed += 1
        execution = execution_fields(ticket, report, self._executed, self.account)
        self.executions.append(execution)
        self._tell_execution(execution, report.commission)
        if ticket.filled >= ticket.contracts:
            ticket.status = "Filled"
        self.tell(ticket.client_id, [ticket.order_status()])
        self._fate_of_family(ticket)

    def _tell_execution(self, execution, commission):
        self.commissions[execution["exec_id"]] = plain(commission)
        messages = [wire.message(11, execution)]
        if not self.lacks_commissions:
            messages.append(self.commission_report(execution))
        copies = 3 if self.faults.happens(Fault.DUPLICATE_FILLS) else 1
        if self.faults.happens(Fault.REORDER_FILLS):
            self._held_back.append((execution["client_id"], messages * copies))
        else:
            self.tell(execution["client_id"], messages * copies)

    def commission_report(self, execution):
        key = execution["exec_id"]
        return [
            59,
            1,
            key,
            self.commissions[key],
            execution["currency"],
            "1.7976931348623157E308",
            "",
            "",
        ]

    def _status(self, ticket, report):
        if ticket.status in ("Inactive", "Filled"):
            return
        was_live = ticket.is_live
        ticket.status = STATES[report.status]
        if ticket.is_live and ticket.values["order_type"].startswith(("STP", "TRAIL")):
            ticket.status = "Submitted" if report.is_triggered else "PreSubmitted"
        self._tell_state(ticket)
        if was_live and ticket.status == "Cancelled":
            self._fate_of_family(ticket)

    def _tell_state(self, ticket):
        messages = [ticket.order_status()]
        if ticket.status == "Cancelled":
            text = "Order Canceled - reason:"
            messages.append([4, 2, ticket.order_id, 202, text, ""])
        self.tell(ticket.client_id, messages)

    # -- tickets

    def _ticket_of(self, report):
        found = next(
            (each for each in self.tickets.values() if each.desk_key == report.client_order_id),
            None,
        )
        if found is not None:
            return found
        state = self.desk.order(report.client_order_id)  # somebody traded in TWS itself
        instrument = self.desk.instruments[state.instrument_id]
        values = manual_fields(state, instrument, self.account)
        ticket = self._new_ticket(MANUAL, 0, state.instrument_id, values)
        ticket.desk_key, ticket.status = report.client_order_id, "Submitted"
        return ticket

    def _new_ticket(self, client_id, order_id, key, values):
        self._perm_id += 1
        ticket = Ticket(order_id, client_id, self._perm_id, self.desk.instruments[key], values)
        self.tickets[self._perm_id] = ticket
        return ticket

    def _session_ticket(self, client_id, order_id):
        """Return the newest order that has this number: numbers roll back."""
        found = [
            each
            for each in self.tickets.values()
            if (each.client_id, each.order_id) == (client_id, order_id) and order_id > 0
        ]
        return next((each for each in found if each.is_live), found[-1] if found else None)

    def _desk_key(self, ticket):
        """Return the id at the desk: TWS itself does not mind the same reference twice."""
        reference = ticket.values["order_ref"] or f"tws{ticket.perm_id}"
        is_known = any(each.desk_key == reference for each in self.tickets.values())
        return f"{reference[:50]}/{ticket.perm_id}" if is_known else reference

    def _error(self, client_id, order_id, code, text):
        self.tell(client_id, [[4, 2, order_id, code, text, ""]])
