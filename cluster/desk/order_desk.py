"""Orders of people and agents: asked for once, handed to risk, and watched until somebody has spoken.

What makes a request count once is the journal: its fact is durable before the command leaves, the first fact with an
id is the one that counts, and the broker applies an id once. A command that may have got lost is handed over again
with the same id when the request is repeated.
"""

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from cluster.desk.connection import Connection, Session
from cluster.desk.known_order import OUTCOME_UNKNOWN, KnownOrder, known_order
from cluster.desk.looking import look_until
from cluster.desk.new_order import digest_of_terms, order_of, stamped
from cluster.desk.quotes import machine_of
from serve.desk.accounts import source_of
from serve.desk.answers import OrderReceipt
from serve.desk.port import NewOrder, Replacement
from serve.desk.principal import Principal, trading_permission
from serve.desk.view import ClusterSnapshot
from trading.codec import encode
from trading.commands import CancelAllOrders, CancelOrder, ReplaceOrder, SubmitOrder
from trading.desk_facts import OrderRequested
from trading.errors import ClusterUnreachable, Conflict, NotFound, UsageError
from trading.events import OrderCancelRejected, OrderEvent, OrderUpdated, OrderUpdateRejected
from trading.identifiers import ClientOrderId, StrategyId
from trading.values import NANOS_PER_SECOND, OrderType, TimeInForce

ANSWER_S = 1.0
"""How long risk and the venue are waited for."""
FILL_S = 0.25
"""How much longer an order that trades at once is watched after it was accepted."""
LIFE_NS = 60 * NANOS_PER_SECOND
"""After this time risk refuses what still waits to be handed over: nobody trades on a wish of long ago."""
KEY_MAX = 200
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_UNANSWERED = {
    "code": OUTCOME_UNKNOWN,
    "reason": "It was asked for, and nobody has answered yet; look at the order again.",
}


class OrderDesk:
    """Asks for orders and for their end, in one cluster.

    Parameters
    ----------
    mode : str
        `paper` or `live`: what trading needs permission for.
    """

    def __init__(self, connection: Connection, cluster: str, mode: str) -> None:
        self._connection = connection
        self._cluster = cluster
        self._mode = mode

    def submit(self, asked: NewOrder, by: Principal, key: str, correlation_id: str) -> OrderReceipt:
        """See `serve.desk.port.TradingDesk`."""
        self._require(by)
        if not 0 < len(key) <= KEY_MAX:
            raise UsageError(
                f"an order needs a key of 1 to {KEY_MAX} characters (Idempotency-Key)."
            )
        snapshot = self._connection.snapshot()
        with self._connection.changing() as session:
            account, order = order_of(session.link.blueprint, asked)
            order = msgspec.structs.replace(
                stamped(order, snapshot, account, session.link.now_ns()),
                client_order_id=self._id_of(by, key),
                correlation_id=correlation_id,
            )
            wanted = OrderRequested(
                ts_event=order.ts_event,
                ts_init=order.ts_init,
                correlation_id=correlation_id,
                key=f"{by.name} {key}",
                digest=digest_of_terms(order),
                actor=by.name,
                order=msgspec.structs.replace(order, expires_at=order.ts_init + LIFE_NS),
            )
            request, is_repeated = _journalled(session, wanted)
            return self._hand_over(session, request.order, snapshot, is_repeated=is_repeated)

    def cancel(self, key: str, by: Principal, reason: str) -> OrderReceipt:
        """See `serve.desk.port.TradingDesk`."""
        self._require(by)
        snapshot = self._connection.snapshot()
        with self._connection.changing() as session:
            known = self.find(session, ClientOrderId(key))
            if known.is_over:
                return known.receipt(source_of(snapshot), snapshot.clock_ns)
            command = CancelOrder(
                ts_init=session.link.now_ns(),
                client_order_id=known.fold.client_order_id,
                account_id=known.account_id,
                reason=f"{by.name}: {reason}" if reason else by.name,
            )
            return self._tell(session, known, "broker", command, snapshot)

    def replace(self, key: str, terms: Replacement, by: Principal) -> OrderReceipt:
        """See `serve.desk.port.TradingDesk`."""
        self._require(by)
        if terms == Replacement():
            raise UsageError("nothing is to be changed; name a quantity or a price.")
        snapshot = self._connection.snapshot()
        with self._connection.changing() as session:
            known = self.find(session, ClientOrderId(key))
            if known.is_over:
                raise Conflict(f"order {key} is over ({known.status}); ask for a new one.")
            command = ReplaceOrder(
                ts_event=snapshot.clock_ns,
                ts_init=session.link.now_ns(),
                client_order_id=known.fold.client_order_id,
                account_id=known.account_id,
                quantity=terms.quantity,
                price=terms.limit_price,
                trigger_price=terms.stop_price,
            )
            return self._tell(session, known, "risk", command, snapshot)

    def cancel_all(self, by: Principal, reason: str, strategy: str) -> int:
        """See `serve.desk.port.TradingDesk`."""
        self._require(by)
        snapshot = self._connection.snapshot()
        with self._connection.changing() as session:
            count = 0
            for account in session.link.blueprint.accounts:
                working = machine_of(snapshot, account, "broker").get("open_orders", ())
                count += sum(strategy in ("", row["strategy_id"]) for row in working)
                command = CancelAllOrders(
                    ts_init=session.link.now_ns(),
                    account_id=account.account_id,
                    strategy_id=StrategyId(strategy) if strategy else None,
                    reason=f"{by.name}: {reason}" if reason else by.name,
                )
                session.link.command(account.name("broker"), command)
            return count

    def find(self, session: Session, key: ClientOrderId) -> KnownOrder:
        """Return what the journal says of an order now.

        Raises
        ------
        NotFound
            If it says nothing.
        """
        session.facts.refresh()
        known = known_order(session.link.blueprint, session.facts.of(key))
        if known is None:
            raise NotFound(f"nobody knows an order {str(key)[:40]!r}; its id has 32 digits.")
        return known

    # -- pieces

    def _require(self, by: Principal) -> None:
        by.require(trading_permission(self._mode))

    def _id_of(self, by: Principal, key: str) -> ClientOrderId:
        text = f"{self._cluster}\x1f{by.name}\x1f{key}"
        return ClientOrderId(blake2b(text.encode(), digest_size=16).hexdigest())

    def _hand_over(
        self, session: Session, order: SubmitOrder, snapshot: ClusterSnapshot, *, is_repeated: bool
    ) -> OrderReceipt:
        """Give the order to risk unless somebody has spoken about it already, and wait for what is said."""
        known = self.find(session, order.client_order_id)
        problem = ""
        if not known.is_decided:
            try:
                session.link.command(known.account.name("risk"), order)
            except ClusterUnreachable as error:
                problem = f"{error} It is journalled; repeat it with the same key."
        if not problem:
            known = self._answered(session, known)
        return known.receipt(
            source_of(snapshot), snapshot.clock_ns, is_repeated=is_repeated, problem=problem
        )

    def _answered(self, session: Session, known: KnownOrder) -> KnownOrder:
        key, request = known.fold.client_order_id, known.fold.request
        known = self._watch(session, key, lambda now: now.is_decided, ANSWER_S)
        is_at_once = request is not None and (
            request.order_type is OrderType.MARKET or request.time_in_force in _AT_ONCE
        )
        if known.is_decided and is_at_once:
            known = self._watch(session, key, lambda now: now.is_over, FILL_S)
        return known

    def _tell(
        self,
        session: Session,
        known: KnownOrder,
        to: str,
        command: CancelOrder | ReplaceOrder,
        snapshot: ClusterSnapshot,
    ) -> OrderReceipt:
        """Send a command about a working order, and wait until it is over or somebody has answered."""
        key = known.fold.client_order_id
        before = len(_answers(session, key))
        session.link.command(known.account.name(to), command)

        def is_told(now: KnownOrder) -> bool:
            return now.is_over or len(_answers(session, key)) > before

        known = self._watch(session, key, is_told, ANSWER_S)
        receipt = known.receipt(source_of(snapshot), snapshot.clock_ns)
        answer = next(iter(_answers(session, key)[before:]), None)
        if isinstance(answer, OrderCancelRejected | OrderUpdateRejected):
            return receipt.model_copy(update={"code": answer.code, "reason": answer.reason})
        if answer is None and not known.is_over:
            return receipt.model_copy(update=_UNANSWERED)
        return receipt

    def _watch(
        self,
        session: Session,
        key: ClientOrderId,
        is_told: Callable[[KnownOrder], bool],
        seconds: float,
    ) -> KnownOrder:
        """Look until `is_told`, or until the time is over."""
        return look_until(session.link, lambda: self.find(session, key), is_told, seconds)


def _answers(session: Session, key: ClientOrderId) -> list[OrderEvent]:
    """Return what was said to requests about a working order, oldest first."""
    kinds = (OrderUpdated, OrderUpdateRejected, OrderCancelRejected)
    return [each.fact for each in session.facts.of(key) if isinstance(each.fact, kinds)]


def _journalled(session: Session, wanted: OrderRequested) -> tuple[OrderRequested, bool]:
    """Return the request that counts for the id, and whether it was there before.

    Raises
    ------
    Conflict
        If it asked for something else.
    JournalUnavailable
        If it cannot be written: then nothing is sent.
    """
    facts, key = session.facts, wanted.order.client_order_id
    facts.refresh()
    ours = 0
    if facts.request(key) is None:
        with session.link.journal() as journal:
            stream = facts.requests_stream
            ours = journal.append_shared(stream, [encode(wanted)], wanted.ts_init)
        facts.refresh()
    first = facts.request(key)
    assert first is not None, "it was appended"
    assert isinstance(first.fact, OrderRequested)
    if first.fact.digest != wanted.digest:
        raise Conflict(
            "IDEMPOTENCY_KEY_REUSED: this key was used for another order "
            f"({key}); take a new key for a new order."
        )
    return first.fact, first.sequence != ours
