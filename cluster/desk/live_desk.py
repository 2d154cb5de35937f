"""The trading side of the front desk, over any running cluster."""

from collections.abc import Callable
from pathlib import Path

from cluster.desk.connection import Connection
from cluster.desk.limit_book import change_limit, limit_use, limit_uses, limits_in_force
from cluster.desk.link import ClusterLink
from cluster.desk.log_tail import log_tail
from cluster.desk.new_order import order_of, stamped
from cluster.desk.order_desk import OrderDesk
from cluster.desk.preview import preview_of
from cluster.desk.quotes import listed_of, quotes_of
from cluster.desk.story import forecast_before, step_of
from cluster.desk.trading_state import obeyed, set_trading_state
from cluster.journal_slippage import slippage_of
from serve.desk.accounts import accounts_of, least_room, source_of
from serve.desk.answers import (
    AccountCurve,
    KillReport,
    LimitUse,
    Listed,
    LogLine,
    OrderReceipt,
    OrderStory,
    Quote,
    StrategyPoint,
    moment,
)
from serve.desk.port import NewOrder, Preview, Replacement
from serve.desk.principal import Permission, Principal, require_one_of, trading_permission
from serve.desk.view import ClusterSnapshot, VenueKillReport
from trading.codec import encode
from trading.errors import ClusterUnreachable, NotFound
from trading.events import LimitChanged
from trading.identifiers import ClientOrderId, StreamName
from trading.slippage import SlippageReport
from trading.values import TradingState

Latch = Callable[[str, str, bool], list[VenueKillReport]]
"""Latches the kill switch of a cluster that does not answer: actor, reason, flatten."""


class LiveDesk:
    """`serve.desk.port.TradingDesk` over what a `ClusterLink` offers.

    Parameters
    ----------
    connect : callable
        Finds the cluster; asked for at first use, and again when the cluster was gone.
    cluster, mode : str
        Name of the cluster, and `paper` or `live`.
    logs : Path
        Folder of the log files of this machine.
    latch : callable
        What the kill switch does while no cluster answers.
    """

    def __init__(
        self,
        connect: Callable[[], ClusterLink],
        *,
        cluster: str,
        mode: str,
        logs: Path,
        latch: Latch,
    ) -> None:
        self.connection = Connection(connect)
        self._orders = OrderDesk(self.connection, cluster, mode)
        self._mode = mode
        self._logs = logs
        self._latch = latch

    @property
    def mode(self) -> str:
        return self._mode

    # -- looking

    def snapshot(self) -> ClusterSnapshot:
        return self.connection.snapshot()

    def instruments(self) -> list[Listed]:
        return listed_of(self.connection.session().link.blueprint)

    def quotes(self) -> list[Quote]:
        snapshot = self.snapshot()
        return quotes_of(self.connection.session().link.blueprint, snapshot)

    def log_tail(self, lines: int) -> list[LogLine]:
        return log_tail(self._logs, lines)

    def equity(self, points: int) -> list[AccountCurve]:
        return [
            AccountCurve(account=each.account, points=each.equity(points))
            for each in self.connection.session().marks
        ]

    def strategy_course(self, strategy: str, points: int) -> list[StrategyPoint]:
        courses = (each.strategy(strategy, points) for each in self.connection.session().marks)
        found = next((course for course in courses if course), None)
        if found is None:
            raise NotFound(f"no account marks a strategy {strategy[:60]!r}; see the portfolio.")
        return found

    def slippage(self) -> SlippageReport:
        with self.connection.session().link.journal() as journal:
            return slippage_of(journal)

    def story(self, client_order_id: str) -> OrderStory:
        key = ClientOrderId(client_order_id)
        snapshot, session = self.snapshot(), self.connection.session()
        known = self._orders.find(session, key)
        steps = session.facts.of(key)
        with session.link.journal() as journal:
            steps = [*forecast_before(journal, session.link.blueprint, known), *steps]
        return OrderStory(
            source=source_of(snapshot),
            as_of=moment(snapshot.clock_ns),
            order=known.row(),
            steps=[step_of(each) for each in steps],
        )

    # -- orders

    def preview(self, order: NewOrder) -> Preview:
        snapshot, session = self.snapshot(), self.connection.session()
        account, wanted = order_of(session.link.blueprint, order)
        now = session.link.now_ns()
        with session.link.journal() as journal:
            limits = limits_in_force(journal, account.account_id, account.limits).limits
        return preview_of(snapshot, account, stamped(wanted, snapshot, account, now), limits, now)

    def submit(self, order: NewOrder, by: Principal, key: str, correlation_id: str) -> OrderReceipt:
        return self._orders.submit(order, by, key, correlation_id)

    def cancel(self, client_order_id: str, by: Principal, reason: str) -> OrderReceipt:
        return self._orders.cancel(client_order_id, by, reason)

    def replace(self, client_order_id: str, terms: Replacement, by: Principal) -> OrderReceipt:
        return self._orders.replace(client_order_id, terms, by)

    def cancel_all(self, by: Principal, reason: str, strategy: str = "") -> int:
        return self._orders.cancel_all(by, reason, strategy)

    # -- whether anything trades

    def set_state(self, state: TradingState, by: Principal, reason: str) -> str:
        require_one_of(by, trading_permission(self._mode), Permission.RISK_ADMIN)
        with self.connection.changing() as session:
            return set_trading_state(session.link, state, by.name, reason)

    def kill(self, by: Principal, reason: str, *, flatten: bool) -> list[KillReport]:
        require_one_of(by, trading_permission(self._mode), Permission.RISK_ADMIN)
        try:
            with self.connection.changing() as session:
                reports = session.link.kill(actor=by.name, reason=reason, flatten=flatten)
        except ClusterUnreachable:
            reports = self._latch(by.name, reason, flatten)
        return [
            KillReport(
                venue=each.venue,
                account=each.account_id,
                reached=each.reached,
                canceled=each.canceled,
                flattened=each.flattened,
                reason=each.reason,
            )
            for each in reports
        ]

    def reset_kill(self, by: Principal, reason: str) -> None:
        by.require(Permission.RISK_ADMIN)
        with self.connection.changing() as session:
            session.link.reset_kill(actor=by.name, reason=reason)

    # -- limits

    def limits(self) -> list[LimitUse]:
        snapshot, link = self.snapshot(), self.connection.session().link
        blueprint = link.blueprint
        with link.journal() as journal:
            book = limits_in_force(journal, blueprint.account_id, blueprint.limits)
        return limit_uses(book, least_room(accounts_of(snapshot)))

    def change_limit(self, name: str, value: str, by: Principal, reason: str) -> LimitUse:
        by.require(Permission.RISK_ADMIN)
        with self.connection.changing() as session:
            link, blueprint = session.link, session.link.blueprint
            now = link.now_ns()
            change = LimitChanged(
                ts_event=now, ts_init=now, actor=by.name, name=name, value=value, reason=reason
            )
            with link.journal() as journal:
                book = limits_in_force(journal, blueprint.account_id, blueprint.limits)

                def append(stream: StreamName, fact: LimitChanged) -> None:
                    journal.append_shared(stream, [encode(fact)], fact.ts_init)

                change_limit(book, [a.account_id for a in blueprint.accounts], change, append)
            snapshot = obeyed(link, change)
        return limit_use(book, name.partition(".")[0], least_room(accounts_of(snapshot)))
