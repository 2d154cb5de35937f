"""FixVenue: one account behind one FIX session, as the port that every venue offers."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.venues.fix import messages
from actors.venues.fix.answers import Answers
from actors.venues.fix.config import FixOptions
from actors.venues.fix.dialect import Dialect, capabilities
from actors.venues.fix.enquiries import NOT_OFFERED, Enquiries
from actors.venues.fix.known_orders import KnownOrders
from actors.venues.fix.messages import Fields, MsgType, SentOrder, parse_fields
from actors.venues.fix.order_ids import RisingNumbers, request_id
from actors.venues.fix.parse import ExecType, Execution, Reading, read_execution
from actors.venues.fix.record import Record, StoreInUse
from actors.venues.fix.refusals import is_throttled
from actors.venues.fix.session import Session, SessionListener, SessionSettings
from actors.venues.fix.waiting import Take, Waiting
from actors.venues.pacing import Pacing, Priority
from trading.capabilities import unsupported
from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
)
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.identifiers import AccountId, ClientOrderId, VenueOrderId
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.ports import VenueMessage
from trading.refusals import RefusalCode
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)
from trading.values import NANOS_PER_DAY

log = logging.getLogger(__name__)

_RECORD_RETRY_S = 1.0


class FixVenue:
    """One account at one venue that speaks FIX 4.4.

    `VenueConnected` comes when the logon is done and all that was missed has been replayed and told.
    Nothing waits for a session: what cannot be sent now raises `VenueUnreachable`.

    Parameters
    ----------
    reading : Reading
        What the messages are read with.
    session : SessionSettings
        How to connect.
    record : Path
        File of `Record`.
    """

    def __init__(
        self, options: FixOptions, reading: Reading, session: SessionSettings, record: Path
    ) -> None:
        dialect = reading.dialect
        self.capabilities = capabilities(dialect, replays_missed=not options.reset_on_logon)
        self._options = options
        self._record_path = record
        self._reading = reading
        self._dialect: Dialect = dialect
        self._known = KnownOrders(dialect)
        self._answers = Answers(reading, self._known)
        self._waiting = Waiting()
        self._pacing = Pacing(dialect.throttle.count, dialect.throttle.per_s)
        self._record: Record | None = None
        self._opening: asyncio.Task[None] | None = None
        self._on_message: Callable[[VenueMessage], None] | None = None
        self._report_count = 0
        self._numbers = RisingNumbers()
        self._enquiries = Enquiries(
            reading, self._known, self._ask, self._pacing, options.account, self._numbers
        )
        listener = SessionListener(self._keep, self._up, self._down, self._clock, self._message)
        self._session = Session(session, listener)

    # -- the session

    async def connect(self, on_message: Callable[[VenueMessage], None]) -> None:
        """Begin to connect, and go on trying; `VenueConnected` tells when everything is there."""
        self._on_message = on_message
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def disconnect(self) -> None:
        """Log out and close everything; open calls end as unknown."""
        self._on_message = None
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._session.close()
        self._waiting.give_up("the session was closed")
        if self._record is not None:
            self._record.close()

    async def _open(self) -> None:
        path = self._record_path
        keep_from = time.time_ns() - self._options.keep_days * NANOS_PER_DAY
        said = ""
        while self._record is None:
            try:
                self._record = await asyncio.to_thread(Record, path, keep_from)
            except StoreInUse as error:
                if str(error) != said:
                    said = str(error)
                    self._down(f"{said}; trying again", is_final=False)
                await asyncio.sleep(_RECORD_RETRY_S)
            except OSError as error:
                self._down(f"{path} cannot be written: {error.strerror}", is_final=True)
                return
        await asyncio.to_thread(self._remember, self._record)
        self._session.open()

    def _remember(self, record: Record) -> None:
        for entry in record.entries:
            if entry.sent is not None:
                self._known.add_order(entry.sent)
                continue
            try:
                self._known.add(self._read(parse_fields(entry.text), entry.ts))
            except OutcomeUnknown as error:
                log.warning("an entry of the record cannot be read: %s", error)
        record.entries.clear()

    def _up(self) -> None:
        self._tell(VenueConnected(ts_event=time.time_ns(), ts_init=time.time_ns()))

    def _compare(self) -> None:
        """Let the broker reconcile; before the session is up it is going to anyway."""
        if self._session.is_up:
            self._up()

    def _down(self, reason: str, is_final: bool) -> None:
        self._waiting.give_up(reason)
        now = time.time_ns()
        self._tell(VenueDisconnected(ts_event=now, ts_init=now, reason=reason, is_final=is_final))

    def _clock(self, skew_ns: int) -> None:
        now = time.time_ns()
        self._tell(VenueClockRead(ts_event=now, ts_init=now, skew_ns=skew_ns))

    def _tell(self, message: VenueMessage) -> None:
        if self._on_message is not None:
            self._on_message(message)

    # -- what the venue says

    def _keep(self, text: str) -> None:
        """In the engine's thread: write reports down before they count as received."""
        is_report = "\x0135=8\x01" in text and "\x01150=I\x01" not in text
        if not is_report or self._record is None:
            return
        try:
            self._record.add_report(text, time.time_ns())
        except OSError:
            log.exception("an execution report is not in the record; a restart would miss it")

    def _message(self, text: str, fields: Fields) -> None:
        other_keys: tuple[str, ...] = ()
        is_report = fields.get(35) == MsgType.EXECUTION_REPORT
        if is_report:
            other_keys = self._report(fields)
        if is_throttled(fields, self._dialect):
            self._pacing.pause(self._dialect.throttle.per_s)
        if not self._waiting.arrived(text, fields, *other_keys) and not is_report:
            log.info("nobody waits for this message of the venue: 35=%s", fields.get(35))

    def _report(self, fields: Fields) -> tuple[str, ...]:
        """Tell what a report says; return the keys of requests that it may answer besides its ids."""
        if fields.get(150) == ExecType.ORDER_STATUS:
            sent = self._known.find(fields)
            ours = "" if sent is None else sent.client_order_id
            return (f"status:{ours}", f"status:{fields.get(11, '')}")
        try:
            execution = self._read(fields, time.time_ns())
        except OutcomeUnknown as error:
            log.error("%s; comparing everything with the venue", error)
            self._compare()
            return ()
        self._report_count += 1
        if self._known.add(execution):
            self._publish(execution)
        is_canceled = execution.exec_type == ExecType.CANCELED
        return (f"cancel:{execution.client_order_id}",) if is_canceled else ()

    def _read(self, fields: Fields, now: int) -> Execution:
        return read_execution(fields, self._reading, self._known.find(fields), now)

    def _publish(self, execution: Execution) -> None:
        if execution.exec_type in {ExecType.TRADE_CANCEL, ExecType.TRADE_CORRECT}:
            log.error(
                "the venue changed execution %s of order %s afterwards (ExecType %s): a fill that was "
                "booked stays booked; correct the account by hand",
                execution.ref_id,
                execution.client_order_id,
                execution.exec_type,
            )
            self._compare()
            return
        if execution.fill is not None:
            self._tell(execution.fill)
        if execution.status is not None:
            self._tell(execution.status)

    # -- orders

    async def submit(self, order: SubmitOrder) -> VenueOrderId:
        instrument = self._reading.names.by_id.get(order.instrument_id)
        if instrument is None:
            raise VenueRefused(
                "UNKNOWN_INSTRUMENT", f"{order.instrument_id} is not among the instruments"
            )
        objection = unsupported(order, instrument, self.capabilities)
        if objection is not None:
            raise VenueRefused(NOT_OFFERED, objection)
        await self._pacing.turn(Priority.ORDER)
        account, now = self._options.account, time.time_ns()
        fields = messages.new_order(order, instrument, now, account, self._dialect)
        self._remember_order(messages.sent_order(order, fields))
        found: VenueOrderId = await self._ask(
            MsgType.NEW_ORDER, fields, (fields[11],), self._answers.submitted
        )
        return found

    async def submit_list(self, order_list: SubmitOrderList) -> tuple[VenueOrderId, ...]:
        """Refuse: the standard's list orders (E) are not what bracket and OCO mean."""
        raise VenueRefused(NOT_OFFERED, f"the venue takes no {order_list.kind} lists over FIX")

    async def cancel(self, cancel: CancelOrder) -> None:
        sent = self._sent(cancel.client_order_id)
        await self._pacing.turn(Priority.CANCEL)
        await self._cancel(sent)

    async def replace(self, replace: ReplaceOrder) -> OrderStatusReport:
        if not self._dialect.requests.replace:
            raise VenueRefused(NOT_OFFERED, "the venue takes no replacements over FIX")
        sent = self._sent(replace.client_order_id)
        key = self._new_id(sent.client_order_id)
        account = self._options.account
        await self._pacing.turn(Priority.ORDER)
        fields = messages.replace_order(sent, replace, key, time.time_ns(), account, self._dialect)
        report: OrderStatusReport = await self._ask(
            MsgType.REPLACE, fields, (key,), self._answers.replaced
        )
        return report

    async def cancel_all(self, cancel: CancelAllOrders) -> tuple[ClientOrderId, ...]:
        if cancel.strategy_id is not None:
            raise VenueRefused(NOT_OFFERED, "the venue knows no strategies; cancel their orders")
        if self._dialect.requests.mass_cancel:
            key = f"all-{self._numbers.next()}"
            await self._pacing.turn(Priority.CANCEL)
            fields = messages.mass_cancel(key, time.time_ns())
            found: tuple[ClientOrderId, ...] = await self._ask(
                MsgType.MASS_CANCEL, fields, (key,), self._answers.all_canceled
            )
            return found
        keys = [report.client_order_id for report in await self.open_orders(cancel.account_id)]
        return await self._cancel_each(keys)

    async def _cancel_each(self, keys: list[ClientOrderId]) -> tuple[ClientOrderId, ...]:
        """Cancel order by order; one that is closed meanwhile is none to wait for."""
        canceled = []
        for key in keys:
            await self._pacing.turn(Priority.CANCEL)
            try:
                await self._cancel(self._sent(key))
            except VenueRefused as error:
                log.info("order %s was not cancelled: %s", key, error)
            else:
                canceled.append(key)
        return tuple(canceled)

    async def _cancel(self, sent: SentOrder) -> None:
        key = self._new_id(sent.client_order_id)
        fields = messages.cancel_order(
            sent, key, time.time_ns(), self._options.account, self._dialect
        )
        keys = (key, f"cancel:{sent.client_order_id}")
        await self._ask(MsgType.CANCEL, fields, keys, self._answers.canceled)

    # -- questions

    async def order_status(
        self, account_id: AccountId, client_order_id: ClientOrderId
    ) -> OrderStatusReport | None:
        return await self._enquiries.order_status(client_order_id)

    async def mass_status(self, account_id: AccountId, since: int) -> MassStatus:
        """Return one answer, asked for again once when something happened in the middle of it.

        Positions and cash are None where the dialect has no question for them.
        """
        offered = self._dialect.requests
        for _ in range(2):
            count = self._report_count
            now = time.time_ns()
            status = MassStatus(
                ts_event=now,
                ts_init=now,
                account_id=account_id,
                open_orders=await self.open_orders(account_id),
                fills=self._known.fills_since(since),
                positions=await self.positions(account_id) if offered.positions else None,
                account=await self.account(account_id) if offered.collateral else None,
            )
            if count == self._report_count:
                break
        return status

    async def open_orders(self, account_id: AccountId) -> tuple[OrderStatusReport, ...]:
        return await self._enquiries.open_orders()

    async def executions_since(self, account_id: AccountId, since: int) -> tuple[FillReport, ...]:
        """Return the executions of the record: what was missed, the venue replays by itself."""
        return self._known.fills_since(since)

    async def positions(self, account_id: AccountId) -> tuple[PositionReport, ...]:
        return await self._enquiries.positions()

    async def account(self, account_id: AccountId) -> AccountReport:
        return await self._enquiries.account()

    # -- parts

    async def _ask(self, kind: MsgType, fields: Fields, keys: tuple[str, ...], take: Take) -> Any:
        return await self._waiting.answer(
            keys, lambda: self._session.send(kind, fields), take, self._options.answer_timeout_s
        )

    def _sent(self, client_order_id: ClientOrderId) -> SentOrder:
        """Return what is known of an order.

        Raises
        ------
        VenueRefused
            If nothing is: neither we nor the venue have spoken of it.
        """
        sent = self._known.orders.get(client_order_id)
        if sent is None:
            raise VenueRefused(
                RefusalCode.UNKNOWN_ORDER, f"nothing is known of order {client_order_id}"
            )
        return sent

    def _remember_order(self, sent: SentOrder) -> None:
        """Write an order down before it is sent; one that is known already stays as it is."""
        if self._record is None:
            raise VenueUnreachable("the FIX session is not open yet; nothing was sent")
        if sent.client_order_id in self._known.orders:
            return
        try:
            self._record.add_order(sent, time.time_ns())
        except OSError as error:
            reason = f"the record cannot be written ({error}); nothing was sent"
            raise VenueUnreachable(reason) from error
        self._known.add_order(sent)

    def _new_id(self, ours: ClientOrderId) -> str:
        return request_id(ours, self._numbers.next(), self._dialect.ids)
