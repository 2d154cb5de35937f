"""What answers mean to the request that waits: functions for `Waiting`, None while more is to come."""

import time
from decimal import Decimal

from actors.venues.fix.known_orders import KnownOrders
from actors.venues.fix.messages import Fields, MsgType, repeated
from actors.venues.fix.parse import ExecType, Reading, decimal_of, read_execution
from actors.venues.fix.refusals import UNKNOWN_ORDER, refusal
from trading.errors import OutcomeUnknown
from trading.identifiers import ClientOrderId, VenueOrderId
from trading.reports import AccountReport, OrderStatusReport, PositionReport
from trading.values import ZERO

_UNKNOWN_ID = "1"
"""Of BusinessRejectReason (380) and CxlRejReason (102)."""
_NO_POSITIONS = "2"
"""Of PosReqResult (728)."""


class Answers:
    """Reads answers with what is known of the orders."""

    def __init__(self, reading: Reading, known: KnownOrders) -> None:
        self._reading = reading
        self._known = known

    def submitted(self, text: str, fields: Fields) -> VenueOrderId | None:
        self._refuse(fields)
        if fields.get(150) == ExecType.PENDING_NEW:
            return None
        order_id = fields.get(37, "")
        if not order_id:
            raise OutcomeUnknown("the venue answered a new order without its own id of it")
        return VenueOrderId(order_id)

    def canceled(self, text: str, fields: Fields) -> bool | None:
        self._refuse(fields)
        return True if fields.get(150) == ExecType.CANCELED else None

    def replaced(self, text: str, fields: Fields) -> OrderStatusReport | None:
        self._refuse(fields)
        return self.status(fields) if fields.get(150) == ExecType.REPLACED else None

    def described(self, text: str, fields: Fields) -> tuple[OrderStatusReport | None]:
        """Return the state of one order, in a tuple: (None,) when the venue does not know it."""
        if _is_unknown(fields):
            return (None,)
        if fields.get(35) != MsgType.EXECUTION_REPORT:
            raise refusal(fields, self._reading.dialect)
        return (self.status(fields),)

    def all_canceled(self, text: str, fields: Fields) -> tuple[ClientOrderId, ...] | None:
        """Return our ids of the orders that a mass cancel reached."""
        if fields.get(35) == MsgType.EXECUTION_REPORT:
            return None  # of one of the orders
        if fields.get(35) != MsgType.MASS_CANCEL_REPORT or fields.get(531) == "0":
            raise refusal(fields, self._reading.dialect)
        orders = (self._known.find({11: each}) for each in repeated(text, 41))
        return tuple(sent.client_order_id for sent in orders if sent is not None)

    def status(self, fields: Fields) -> OrderStatusReport:
        """Return the state of the order that a report describes, and remember it.

        Raises
        ------
        OutcomeUnknown
            If the report does not say it.
        """
        execution = read_execution(fields, self._reading, self._known.find(fields), time.time_ns())
        if execution.status is None:
            raise OutcomeUnknown("the venue answered without a state of the order")
        self._known.add(execution)
        return execution.status

    def _refuse(self, fields: Fields) -> None:
        is_report = fields.get(35) == MsgType.EXECUTION_REPORT
        if not is_report or fields.get(150) == ExecType.REJECTED:
            raise refusal(fields, self._reading.dialect)


class OpenOrders:
    """Gathers the answers to an OrderMassStatusRequest (AF)."""

    def __init__(self, answers: Answers, reading: Reading) -> None:
        self._answers = answers
        self._reading = reading
        self._found: dict[ClientOrderId, OrderStatusReport] = {}
        self._count = 0

    def __call__(self, text: str, fields: Fields) -> tuple[OrderStatusReport, ...] | None:
        if fields.get(35) != MsgType.EXECUTION_REPORT:
            raise refusal(fields, self._reading.dialect)
        total = fields.get(911, "")
        if total == "0":
            return ()
        self._count += 1
        report = self._answers.status(fields)
        if not report.status.is_terminal:
            self._found[report.client_order_id] = report
        is_last = fields.get(912) == "Y" or total == str(self._count)
        return tuple(self._found.values()) if is_last else None


class Positions:
    """Gathers the answers to a RequestForPositions (AN)."""

    def __init__(self, reading: Reading, now: int) -> None:
        self._reading = reading
        self._now = now
        self._found: list[PositionReport] = []

    def __call__(self, text: str, fields: Fields) -> tuple[PositionReport, ...] | None:
        total = fields.get(727, "")
        match fields.get(35):
            case MsgType.POSITIONS_ACK if fields.get(728) == _NO_POSITIONS or total == "0":
                return ()
            case MsgType.POSITIONS_ACK if fields.get(728, "0") == "0":
                return None
            case MsgType.POSITION_REPORT:
                self._found.append(self._position(fields))
            case _:
                raise refusal(fields, self._reading.dialect)
        return tuple(self._found) if total == str(len(self._found)) else None

    def _position(self, fields: Fields) -> PositionReport:
        instrument = self._reading.names.of(fields)
        if fields.get(702, "1") != "1":
            raise OutcomeUnknown(f"the venue tells {instrument.instrument_id} in several parts")
        quantity: Decimal = decimal_of(fields, 704, ZERO) - decimal_of(fields, 705, ZERO)
        return PositionReport(
            ts_event=self._now,
            ts_init=self._now,
            account_id=self._reading.account_id,
            instrument_id=instrument.instrument_id,
            quantity=quantity,
            avg_px=decimal_of(fields, 730, ZERO),
        )


class Cash:
    """Reads the CollateralReport (BA) that answers a CollateralInquiry (BB)."""

    def __init__(self, reading: Reading, now: int) -> None:
        self._reading = reading
        self._now = now

    def __call__(self, text: str, fields: Fields) -> AccountReport | None:
        if fields.get(35) != MsgType.COLLATERAL_REPORT:
            raise refusal(fields, self._reading.dialect)
        return AccountReport(
            ts_event=self._now,
            ts_init=self._now,
            account_id=self._reading.account_id,
            cash=decimal_of(fields, 901),
            currency=fields.get(15) or "USD",
            equity=decimal_of(fields, 900) if fields.get(900) else None,
        )


def _is_unknown(fields: Fields) -> bool:
    """Say whether the venue says that it does not know the order."""
    match fields.get(35):
        case MsgType.EXECUTION_REPORT:
            return fields.get(39) == "8" and fields.get(103) == UNKNOWN_ORDER
        case MsgType.CANCEL_REJECT:
            return fields.get(102) == _UNKNOWN_ID
        case MsgType.BUSINESS_REJECT:
            return fields.get(380) == _UNKNOWN_ID
        case _:
            return False
