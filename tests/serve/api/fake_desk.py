"""A front desk whose cluster is what a test says: for outages, streams and receipts that are hard to bring about."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from actors.journal.sqlite import SqliteJournal
from serve.desk.answers import (
    AccountCurve,
    EquityPoint,
    KillReport,
    LimitUse,
    Listed,
    LogLine,
    OrderReceipt,
    OrderStory,
    Quote,
    Source,
    StrategyPoint,
)
from serve.desk.audit import AuditTrail
from serve.desk.front_desk import FrontDesk
from serve.desk.jobs import NO_FILES, Job, JobState
from serve.desk.port import NewOrder, Preview, Replacement
from serve.desk.principal import Principal
from serve.desk.view import ClusterSnapshot, VenueView
from trading.errors import ClusterUnreachable, NotFound
from trading.slippage import SlippageReport
from trading.values import TradingState

DAY_NS = 86_400_000_000_000
START_NS = 19_000 * DAY_NS
MOMENT = datetime(2022, 1, 8, tzinfo=UTC)
BROKER, LEDGER, RISK = "broker:A1", "ledger:A1", "risk:A1"


def order_row(
    name: str, at: int, *, symbol: str = "AAPL", strategy: str = "momentum"
) -> dict[str, Any]:
    return {
        "client_order_id": name,
        "strategy_id": strategy,
        "instrument_id": f"{symbol}.XNAS",
        "side": "BUY",
        "order_type": "MARKET",
        "time_in_force": "DAY",
        "quantity": Decimal(10),
        "filled_qty": Decimal(0),
        "avg_px": Decimal(0),
        "status": "ACCEPTED",
        "purpose": "TARGET",
        "ts_last": START_NS + at * DAY_NS,
    }


def fill_row(
    name: str, at: int, *, symbol: str = "AAPL", strategy: str = "momentum"
) -> dict[str, Any]:
    return {
        "trade_id": name,
        "strategy_id": strategy,
        "instrument_id": f"{symbol}.XNAS",
        "side": "BUY",
        "quantity": Decimal(10),
        "price": Decimal("101.5"),
        "commission": Decimal(1),
        "realized_pnl": Decimal(0),
        "purpose": "TARGET",
        "ts_event": START_NS + at * DAY_NS,
    }


def a_receipt(**changes: Any) -> OrderReceipt:
    facts: dict[str, Any] = {
        "source": Source.PAPER,
        "as_of": MOMENT,
        "client_order_id": "O-1",
        "status": "ACCEPTED",
    }
    return OrderReceipt(**(facts | changes))


class FakeTrading:
    """`TradingDesk`: says what its attributes say, and remembers what it was asked."""

    def __init__(self) -> None:
        self.mode = "paper"
        self.ledger: dict[str, Any] = {"equity": Decimal(1000), "cash": Decimal(400)}
        self.broker: dict[str, Any] = {"is_ready": True}
        self.risk: dict[str, Any] = {"state": "ACTIVE"}
        self.venue: VenueView | None = None
        self.clock_ns = START_NS
        self.lines: list[LogLine] = []
        self.shown: list[Quote] = []
        self.receipt = a_receipt()
        self.is_down = False
        self.asked: list[tuple[str, Any]] = []
        self.looks = 0
        self.quote_looks = 0

    def snapshot(self) -> ClusterSnapshot:
        self.looks += 1
        self._require_up()
        machines: dict[str, Mapping[str, Any]] = {BROKER: self.broker, LEDGER: self.ledger}
        if self.risk:
            machines[RISK] = self.risk
        return ClusterSnapshot(
            name="fake",
            mode=self.mode,
            clock_ns=self.clock_ns,
            machines=machines,
            venue=self.venue,
        )

    def _require_up(self) -> None:
        if self.is_down:
            raise ClusterUnreachable("no cluster answers; start it with `trader up`.")

    def instruments(self) -> list[Listed]:
        tick, lot = Decimal("0.01"), Decimal(1)
        return [
            Listed(
                instrument_id=f"{name}.XNAS",
                symbol=name,
                account="A1",
                venue="XNAS",
                tick=tick,
                lot=lot,
            )
            for name in ("AAPL", "KO")
        ]

    def quotes(self) -> list[Quote]:
        self.quote_looks += 1
        self._require_up()
        return list(self.shown)

    def log_tail(self, lines: int) -> list[LogLine]:
        return self.lines[-lines:]

    def preview(self, order: NewOrder) -> Preview:
        raise NotFound(f"{order.symbol} is not traded here.")

    def submit(self, order: NewOrder, by: Principal, key: str, correlation_id: str) -> OrderReceipt:
        self.asked.append(("submit", (order, by.name, key, correlation_id)))
        self._require_up()
        return self.receipt

    def cancel(self, client_order_id: str, by: Principal, reason: str) -> OrderReceipt:
        self.asked.append(("cancel", (client_order_id, by.name, reason)))
        return self.receipt

    def replace(self, client_order_id: str, terms: Replacement, by: Principal) -> OrderReceipt:
        self.asked.append(("replace", (client_order_id, terms, by.name)))
        return self.receipt

    def cancel_all(self, by: Principal, reason: str, strategy: str = "") -> int:
        self.asked.append(("cancel_all", (by.name, reason, strategy)))
        return 3

    def story(self, client_order_id: str) -> OrderStory:
        raise NotFound(f"nobody knows an order {client_order_id!r}.")

    def equity(self, points: int) -> list[AccountCurve]:
        return [
            AccountCurve(
                account=name, points=[EquityPoint(at=MOMENT, equity=worth, drawdown=0.0)][:points]
            )
            for name, worth in (("DEMO", Decimal(1000)), ("OTHER", Decimal(2000)))
        ]

    def set_state(self, state: TradingState, by: Principal, reason: str) -> str:
        self.asked.append(("set_state", (state, by.name, reason)))
        return state

    def kill(self, by: Principal, reason: str, *, flatten: bool) -> list[KillReport]:
        self.asked.append(("kill", (by.name, reason, flatten)))
        return []

    def reset_kill(self, by: Principal, reason: str) -> None:
        self.asked.append(("reset_kill", (by.name, reason)))

    def limits(self) -> list[LimitUse]:
        used = Decimal(5)
        return [LimitUse(name="max_daily_loss", limit="50", used=used, left=Decimal(45))]

    def strategy_course(self, strategy: str, points: int) -> list[StrategyPoint]:
        raise NotFound(f"no account marks {strategy}.")

    def slippage(self) -> SlippageReport:
        raise NotFound("nothing was filled.")

    def change_limit(self, name: str, value: str, by: Principal, reason: str) -> LimitUse:
        self.asked.append(("change_limit", (name, value, by.name, reason)))
        return LimitUse(name=name, limit=value or "50", used=None, left=None)


class FakeJobs:
    """`Jobs`: nothing runs; a test says what became of a job, or all are done at once."""

    def __init__(self, *, is_quick: bool = False) -> None:
        self._is_quick = is_quick
        self.known: dict[str, Job] = {}
        self.keys: dict[str, str] = {}
        self.started: list[tuple[str, tuple[str, ...], dict[str, str]]] = []

    def start(
        self,
        kind: str,
        arguments: Sequence[str],
        by: Principal,
        *,
        correlation_id: str = "",
        files: Mapping[str, str] = NO_FILES,
        key: str = "",
    ) -> Job:
        if key in self.keys:
            return self.known[self.keys[key]]
        self.started.append((kind, tuple(arguments), dict(files)))
        job = Job(
            id=f"job-{len(self.known) + 1}",
            kind=kind,
            command=" ".join(("trader", kind, *arguments)),
            state=JobState.RUNNING,
            owner=by.name,
            created_at=MOMENT,
            correlation_id=correlation_id,
        )
        self.known[job.id] = job
        if key:
            self.keys[key] = job.id
        if self._is_quick:
            self.end(job.id, state=JobState.DONE, result=[] if kind == "agent list" else {})
        return job

    def end(self, job_id: str, **changes: Any) -> None:
        self.known[job_id] = self.known[job_id].model_copy(update=changes)

    def get(self, job_id: str) -> Job:
        if job_id not in self.known:
            raise NotFound(f"there is no job {job_id!r}.")
        return self.known[job_id]

    def list(self, limit: int = 50) -> list[Job]:
        return list(self.known.values())[::-1][:limit]

    def cancel(self, job_id: str) -> Job:
        self.get(job_id)
        self.end(job_id, state=JobState.CANCELED)
        return self.known[job_id]

    def wait(self, job_id: str, timeout_s: float) -> Job:
        return self.get(job_id)


def fake_desk(folder: Path, service: Any, **changes: Any) -> FrontDesk:
    """Return a front desk over fakes, with a real audit trail in `folder`."""
    desk = FrontDesk(
        trading=FakeTrading(),
        jobs=FakeJobs(),
        audit=AuditTrail(SqliteJournal(str(folder / "journal")), "fake"),
        forecasts=service,
        histories=service._histories,
        source="sp500",
        secret=b"s" * 32,
    )
    return replace(desk, **changes)
