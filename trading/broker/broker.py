"""The broker machine: one per account, the only writer of the account's stream."""

from collections.abc import Callable, Mapping
from typing import Any

from trading.broker.cancellation import CANCEL_ALL, Cancellation
from trading.broker.config import BrokerConfig
from trading.broker.kill_switch import KILL, KillSwitch
from trading.broker.opening import Opening
from trading.broker.recovery import RECONCILE, Recovery
from trading.broker.replacement import Replacement
from trading.broker.reports import MISSING_FILLS, Reports
from trading.broker.resolution import TIMER_PREFIX, Resolution
from trading.broker.state import BrokerState
from trading.broker.submission import Submission
from trading.broker.view import broker_view
from trading.broker.watermark import WatermarkGate
from trading.commands import (
    AnnounceRisk,
    CancelAllOrders,
    CancelOrder,
    PermittedOrder,
    PermittedOrderList,
    PermittedReplace,
    RiskAcknowledged,
    SubmitOrder,
    SubmitOrderList,
    Watermark,
)
from trading.effects import Effect, Send
from trading.events import Event, KillSwitchReset, KillSwitchTripped
from trading.identifiers import (
    ClientOrderId,
    MachineName,
    StreamName,
    account_stream,
    kill_stream,
    machine_name,
)
from trading.messages import Message
from trading.outcomes import (
    CancelAcknowledged,
    CancelAllAcknowledged,
    CancelOutcomeUnknown,
    CancelRefused,
    JournalRecovered,
    JournalUnavailable,
    MassStatusReceived,
    OrderQueried,
    QueryFailed,
    ReplaceAcknowledged,
    ReplaceOutcomeUnknown,
    ReplaceRefused,
    Started,
    SubmitAcknowledged,
    SubmitListAcknowledged,
    SubmitListNotSent,
    SubmitListOutcomeUnknown,
    SubmitListRefused,
    SubmitNotSent,
    SubmitOutcomeUnknown,
    SubmitRefused,
    TimerFired,
    VenueClockRead,
    VenueConnected,
    VenueDisconnected,
)
from trading.reports import FillReport, OrderStatusReport

_Handler = Callable[[Any, int], list[Effect]]


class Broker:
    """Owns the orders of one account at one venue.

    The order of things: intent journalled, then sent, once; every answer of the venue becomes a fact
    once; every doubt is a question to the venue. Not ready until reconciled. While the journal
    cannot be written, only cancels, the kill switch and refusals work; what the venue says meanwhile
    is fetched again afterwards.

    Each start asks the risk manager to announce itself again (`RiskAcknowledged` with epoch 0): the
    epoch that rules is not journalled, so until then no permit counts.
    """

    def __init__(self, config: BrokerConfig) -> None:
        self.config = config
        self._name = machine_name("broker", config.venue, config.account_id)
        self._stream = account_stream(config.venue, config.account_id)
        self._kill_stream = kill_stream(config.account_id)
        self._state = state = BrokerState(config, self._name, self._kill_stream)
        self._opening = opening = Opening(state)
        self._reports = Reports(state, opening)
        self._resolution = Resolution(state, self._reports)
        self._submission = Submission(state, self._resolution)
        self._cancellation = Cancellation(state, self._resolution)
        self._replacement = Replacement(state, self._reports, self._resolution)
        self._kill_switch = KillSwitch(state, self._submission, self._cancellation)
        self._recovery = Recovery(state, opening, self._reports, self._resolution)
        self._watermark = WatermarkGate(state)
        self._announcement: AnnounceRisk | None = None
        self._without_journal = self._handlers_without_journal()
        self._handlers = {**self._without_journal, **self._handlers_with_journal()}

    @property
    def name(self) -> MachineName:
        return self._name

    @property
    def stream(self) -> StreamName:
        return self._stream

    @property
    def follows(self) -> tuple[StreamName, ...]:
        return (self._kill_stream,)

    @property
    def subscribes(self) -> tuple[str, ...]:
        return ()

    def handle(self, message: Message, now: int) -> list[Effect]:
        self._state.now = max(self._state.now, now)
        handlers = self._handlers if self._state.is_journal_up else self._without_journal
        handler = handlers.get(type(message))
        if handler is None:
            self._state.ignore(message)
            return []
        effects = handler(message, now)
        return [*effects, *self._kill_switch.follow_up(now), *self._watermark.release(now)]

    def apply(self, event: Event) -> None:
        self._state.record.apply(event)

    def view(self) -> Mapping[str, Any]:
        return {
            **broker_view(self._state),
            "kill": self._kill_switch.view(),
            "questions": self._resolution.view(),
        }

    def state_hash(self) -> str:
        return self._state.record.state_hash()

    def validate(self) -> None:
        self._state.record.validate()

    def _handlers_without_journal(self) -> dict[type[Message], _Handler]:
        """What works without a journal: nothing here appends while it is down."""
        return {
            Started: self._started,
            JournalUnavailable: self._journal_unavailable,
            JournalRecovered: self._journal_recovered,
            VenueConnected: self._recovery.connected,
            VenueDisconnected: self._recovery.disconnected,
            VenueClockRead: self._clock_read,
            PermittedOrder: self._submission.permitted,
            PermittedOrderList: self._submission.permitted_list,
            SubmitOrder: self._submission.unpermitted,
            SubmitOrderList: self._submission.unpermitted_list,
            PermittedReplace: self._replacement.permitted,
            CancelOrder: self._cancellation.cancel,
            CancelAllOrders: self._cancellation.cancel_all,
            CancelAllAcknowledged: self._all_cancelled,
            KillSwitchTripped: self._kill_switch.tripped,
            KillSwitchReset: self._kill_switch.reset,
            AnnounceRisk: self._risk_announced,
            Watermark: self._watermark.arrived,
            QueryFailed: self._query_failed,
            TimerFired: self._timer_fired,
        }

    def _handlers_with_journal(self) -> dict[type[Message], _Handler]:
        return {
            SubmitAcknowledged: self._submission.acknowledged,
            SubmitRefused: self._submission.refused,
            SubmitNotSent: self._submission.not_sent,
            SubmitOutcomeUnknown: self._submission.unknown,
            SubmitListAcknowledged: self._submission.list_answered,
            SubmitListRefused: self._submission.list_answered,
            SubmitListNotSent: self._submission.list_answered,
            SubmitListOutcomeUnknown: self._submission.list_answered,
            CancelAcknowledged: self._cancellation.acknowledged,
            CancelRefused: self._cancellation.refused,
            CancelOutcomeUnknown: self._cancellation.unknown,
            ReplaceAcknowledged: self._replacement.acknowledged,
            ReplaceRefused: self._replacement.refused,
            ReplaceOutcomeUnknown: self._replacement.unknown,
            OrderQueried: self._order_queried,
            MassStatusReceived: self._mass_status_received,
            OrderStatusReport: self._reports.status,
            FillReport: self._reports.fill,
        }

    def _started(self, message: Started, now: int) -> list[Effect]:
        self._state.epoch = message.epoch
        return self._begin(message, now) if self._state.is_journal_up else []

    def _journal_unavailable(self, message: JournalUnavailable, now: int) -> list[Effect]:
        self._state.is_journal_up = False
        return []

    def _journal_recovered(self, message: JournalRecovered, now: int) -> list[Effect]:
        """Begin again: the session may have come up before the journal failed, so ask at once."""
        self._state.is_journal_up = True
        self._state.is_connected = self._state.is_connected is not False
        return self._begin(message, now)

    def _begin(self, message: Started | JournalRecovered, now: int) -> list[Effect]:
        """Doubt what was under way, journal what waited, and ask for risk and for the venue."""
        effects = [
            *self._submission.restarted(message, now),
            *self._submission.write_refusals(),
            *self._kill_switch.copy(now),
        ]
        account_seq = self._state.record.sequence
        please_announce = RiskAcknowledged(ts_init=now, risk_epoch=0, account_seq=account_seq)
        effects.append(Send(self.config.risk, please_announce))
        self._resolution.forget()
        effects += self._recovery.begin(now)
        return effects + self._cancellation.resume(now) + self._kill_switch.resume(now)

    def _risk_announced(self, message: AnnounceRisk, now: int) -> list[Effect]:
        """A newer risk manager voids the permits of the older; an older one gets no answer."""
        if message.risk_epoch < (self._state.risk_epoch or 0):
            self._state.ignore(message)
            return []
        self._state.risk_epoch = message.risk_epoch
        self._announcement = message
        return self._acknowledge_risk(now)

    def _acknowledge_risk(self, now: int) -> list[Effect]:
        """Answer the risk manager once the account is open: what it measures begins with that."""
        announced = self._announcement
        if announced is None or self._opening.is_awaited:
            return []
        self._announcement = None
        answer = RiskAcknowledged(
            ts_init=now,
            risk_epoch=announced.risk_epoch,
            account_seq=self._state.record.sequence,
        )
        return [Send(announced.reply_to, answer)]

    def _clock_read(self, message: VenueClockRead, now: int) -> list[Effect]:
        self._state.clock.take(message, now)
        return []

    def _all_cancelled(self, message: CancelAllAcknowledged, now: int) -> list[Effect]:
        effects = self._cancellation.all_acknowledged(message, now)
        return effects + self._kill_switch.flatten(now)

    def _order_queried(self, message: OrderQueried, now: int) -> list[Effect]:
        effects = self._resolution.queried(message, now)
        if message.report is not None:
            effects += self._cancellation.described(message.client_order_id, now)
        return effects

    def _mass_status_received(self, message: MassStatusReceived, now: int) -> list[Effect]:
        effects = self._recovery.received(message, now) + self._acknowledge_risk(now)
        return effects + self._kill_switch.flatten(now)

    def _query_failed(self, message: QueryFailed, now: int) -> list[Effect]:
        match message.query:
            case "CancelAllOrders":
                return self._cancellation.failed(message, now)
            case "QueryMassStatus":
                return self._recovery.failed(message, now)
            case _:
                return []  # the question's own timer asks again

    def _timer_fired(self, message: TimerFired, now: int) -> list[Effect]:
        if message.key == CANCEL_ALL:
            return self._cancellation.timer(now)
        if message.key == KILL:
            return self._kill_switch.timer(now)
        if not self._state.is_journal_up:
            return []  # answers could not be kept; recovery starts over
        if message.key == RECONCILE:
            return self._recovery.ask(now)
        if message.key == MISSING_FILLS:
            return self._recovery.missing_fills(now)
        assert message.key.startswith(TIMER_PREFIX), f"unknown timer {message.key}"
        return self._resolution.timer(ClientOrderId(message.key.removeprefix(TIMER_PREFIX)), now)
