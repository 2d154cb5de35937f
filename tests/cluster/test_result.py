"""What a run amounts to, and the object that scripts read."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cluster.history import History
from cluster.result import result_of, run_summary
from serve.desk.view import CheckView, ClusterSnapshot
from trading.events import OrderAccepted, OrderDenied, OrderFilled
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId, VenueOrderId
from trading.refusals import RefusalCode

KEYS = {
    "days", "symbols", "strategies", "equity", "orders", "check", "latency_us", "actors",
    "seconds", "report", "venue", "linked",
}  # fmt: skip


def test_when_summarised_the_keys_are_exactly_the_documented_ones(traded_run: Any) -> None:
    summary = json.loads(json.dumps(run_summary(traded_run.result)))
    assert set(summary) == KEYS
    assert set(summary["equity"]) == {"initial", "final"}
    assert set(summary["orders"]) == {"submitted", "filled", "canceled", "rejected", "refused"}
    assert set(summary["check"]) == {
        "duplicates", "lost", "position_difference", "cash_difference",
    }  # fmt: skip
    assert set(summary["latency_us"]) == {"tick_to_order"}
    assert set(summary["latency_us"]["tick_to_order"]) == {"p50", "p99"}
    assert set(summary["seconds"]) == {"start", "run"}
    assert set(summary["strategies"]) == {"reversion", "trend"}
    for strategy in summary["strategies"].values():
        assert set(strategy) == {"return", "sharpe", "max_drawdown", "trades"}
    for actor in summary["actors"]:
        assert set(actor) == {"name", "pid", "node", "restarts", "messages"}


def test_when_nothing_differs_the_check_is_written_as_whole_zeros(traded_run: Any) -> None:
    text = json.dumps(run_summary(traded_run.result)["check"])
    assert text == ('{"duplicates": 0, "lost": 0, "position_difference": 0, "cash_difference": 0}')


def test_when_something_differs_the_check_says_by_how_much(traded_run: Any) -> None:
    broken = CheckView(
        duplicates=1, lost=2, position_difference=Decimal(3), cash_difference=Decimal("4.25")
    )
    result = msgspec.structs.replace(traded_run.result, check=broken)
    assert run_summary(result)["check"] == {
        "duplicates": 1, "lost": 2, "position_difference": 3, "cash_difference": 4.25,
    }  # fmt: skip


def test_after_a_run_the_figures_are_those_of_the_machines(traded_run: Any) -> None:
    result, ledger = traded_run.result, traded_run.ledger
    assert result.days == 40
    assert result.symbols == traded_run.blueprint.replay.symbols
    assert result.final_equity == ledger["equity"]
    assert result.max_drawdown == ledger["max_drawdown"]
    assert result.sharpe == ledger["sharpe"]
    assert result.orders.submitted == ledger["orders"]["submitted"]
    assert result.orders.filled == ledger["orders"]["filled"]
    for strategy in result.strategies:
        seen = ledger["strategies"][strategy.strategy_id]
        assert strategy.profit == seen["profit"]
        assert strategy.total_return == pytest.approx(seen["return"])
        assert strategy.sharpe == seen["sharpe"]
        assert strategy.max_drawdown == seen["max_drawdown"]
        assert strategy.trades == seen["trades"]


def test_after_a_run_the_profits_of_the_strategies_add_up_to_the_account(traded_run: Any) -> None:
    result = traded_run.result
    gain = result.final_equity - result.initial_equity
    assert abs(sum(one.profit for one in result.strategies) - gain) < Decimal("0.01")


def test_when_the_venue_reported_fills_twice_each_counts_once(traded_run: Any) -> None:
    account = traded_run.history.account
    doubled = History(
        account=account + tuple(fact for fact in account if isinstance(fact, OrderFilled)),
        ledger=traded_run.history.ledger,
        decisions=traded_run.history.decisions,
    )
    result = result_of(traded_run.config, traded_run.snapshot, doubled)
    assert result.fills == traded_run.result.fills
    assert result.orders == traded_run.result.orders


def test_after_a_run_fills_stand_in_market_time(traded_run: Any) -> None:
    times = [fill.ts_event for fill in traded_run.result.fills]
    assert times == sorted(times)
    assert len(times) == len({fill.trade_id for fill in traded_run.result.fills}) > 0


def test_when_orders_are_refused_the_codes_and_the_orders_are_kept(traded_run: Any) -> None:
    result, machines = traded_run.result, traded_run.snapshot.machines
    counted: Counter[str] = Counter()
    for name in ("strategy:reversion", "strategy:trend"):
        counted.update(machines[name]["denials"])
    assert result.orders.refused == counted
    assert len(result.refusals) == counted.total()
    last = result.refusals[-1]
    assert (last.code, last.strategy_id) == ("RISK_MAX_NOTIONAL", "trend")
    assert last.order is not None
    assert last.reason.endswith("limit=40000")


def test_when_the_venue_knows_the_order_after_all_it_was_not_refused(traded_run: Any) -> None:
    code = RefusalCode.ORDER_NEVER_SENT
    names = {
        "client_order_id": ClientOrderId("c" * 32),
        "strategy_id": StrategyId("trend"),
        "instrument_id": InstrumentId("KO.XNYS"),
    }
    denied = OrderDenied(**names, code=str(code), reason=code.meaning)
    revived = OrderAccepted(**names, venue_order_id=VenueOrderId("V1"))
    gone = result_of(traded_run.config, ClusterSnapshot(), History(account=(denied,)))
    back = result_of(traded_run.config, ClusterSnapshot(), History(account=(denied, revived)))
    assert gone.orders.refused == {str(code): 1}
    assert back.orders.refused == {}


def test_when_nothing_happened_the_result_is_empty_and_whole(traded_run: Any) -> None:
    result = result_of(traded_run.config, ClusterSnapshot(), History())
    summary = run_summary(result)
    assert summary["days"] == 0
    assert summary["equity"] == {"initial": 100_000, "final": 100_000}
    assert summary["orders"]["refused"] == {}
    assert summary["check"] is None
    assert result.positions is None
    assert summary["strategies"]["trend"] == {
        "return": 0.0, "sharpe": None, "max_drawdown": 0.0, "trades": 0,
    }  # fmt: skip
    assert json.dumps(summary)


def test_when_the_ledger_is_down_the_last_mark_counts(traded_run: Any) -> None:
    machines = {k: v for k, v in traded_run.snapshot.machines.items() if k != "ledger:SIM"}
    snapshot = msgspec.structs.replace(traded_run.snapshot, machines=machines)
    result = result_of(traded_run.config, snapshot, traded_run.history)
    assert result.final_equity == result.marks[-1].equity
    assert result.positions is None
