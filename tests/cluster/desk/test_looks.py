"""What the front desk shows of a cluster, and how it finds one that was away."""

import json
import threading
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors.blueprint import StrategyPlan
from serve.desk.answers import EquityPoint, Step, moment
from serve.desk.port import NewOrder
from serve.desk.principal import Principal
from tests.serve.simulated_desk import SimulatedDesk
from trading.codec import decode, encode
from trading.errors import ClusterUnreachable, NotFound, PermissionMissing, UsageError
from trading.events import EquityMarked, ForecastPublished
from trading.identifiers import AccountId, InstrumentId, StreamName
from trading.values import OrderSide, TradingState


def a_buy(desk: SimulatedDesk, ann: Principal) -> str:
    asked = NewOrder(symbol="KO", side=OrderSide.BUY, quantity=Decimal(5))
    return desk.submit(asked, ann, "k", "corr-7").client_order_id


def marked(desk: SimulatedDesk) -> EquityMarked:
    """Return the newest mark in the journal."""
    with desk.link.journal() as journal:
        *_, last = journal.read(StreamName("ledger:SIM"))
    fact = decode(last.payload)
    assert isinstance(fact, EquityMarked)
    return fact


def curve(desk: SimulatedDesk, most: int) -> list[EquityPoint]:
    (only,) = desk.equity(most)
    assert only.account == "SIM"
    return only.points


def facts(steps: list[Step]) -> list[str]:
    return [step.fact for step in steps]


def test_a_story_goes_from_who_asked_to_the_fill(desk: SimulatedDesk, ann: Principal) -> None:
    story = desk.story(a_buy(desk, ann))
    assert facts(story.steps)[:2] == ["OrderRequested", "OrderSubmitted"]
    assert facts(story.steps)[-1] == "OrderFilled"
    assert story.steps[0].detail == "ann asked for BUY 5 KO.XNAS MARKET DAY for operator"
    assert story.steps[1].causation_id.startswith("permit:")
    assert {step.correlation_id for step in story.steps} == {"corr-7"}
    assert [step.at for step in story.steps] == sorted(step.at for step in story.steps)
    assert (story.order.status, story.order.filled_quantity) == ("FILLED", 5)


def test_the_story_of_a_strategys_order_names_the_data_it_was_decided_on(
    desk: SimulatedDesk,
) -> None:
    order = next(each for each in desk.received_orders() if each.strategy_id == "reversion")
    submitted = desk.story(order.client_order_id).steps[0]
    assert submitted.correlation_id.startswith("feed:paper/")
    assert f"decided on {submitted.correlation_id}" in submitted.detail


def test_a_refused_order_has_a_story_too(desk: SimulatedDesk, ann: Principal) -> None:
    desk.set_state(TradingState.HALTED, ann, "lunch")
    story = desk.story(a_buy(desk, ann))
    assert facts(story.steps) == ["OrderRequested", "OrderDenied"]
    assert (story.order.status, story.order.code) == ("DENIED", "RISK_HALTED")
    assert story.steps[1].detail.startswith("RISK_HALTED: ")


def test_the_story_begins_with_the_forecast_that_the_strategy_had(
    desk: SimulatedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = next(each for each in desk.received_orders() if each.strategy_id == "trend")
    for ts, expected in ((order.ts_event - 2, "0.01"), (order.ts_event, "0.02")):
        publish(desk, order.instrument_id, ts, expected)
    publish(desk, order.instrument_id, order.ts_event + 1, "0.03")
    publish(desk, InstrumentId("OTHER.XNAS"), order.ts_event, "0.04")
    reads_forecasts = StrategyPlan(
        strategy_id=order.strategy_id, kind="x", capital=Decimal(1), signals={"forecast": "net"}
    )
    monkeypatch.setattr(type(desk.link.blueprint), "strategies", (reads_forecasts,), raising=False)
    first = desk.story(order.client_order_id).steps[0]
    assert (first.stream, first.fact) == ("signals:net", "ForecastPublished")
    assert "expected +0.02 over 5 bars" in first.detail


def publish(desk: SimulatedDesk, key: InstrumentId, ts: int, expected: str) -> None:
    fact = ForecastPublished(
        ts_event=ts,
        ts_init=1,
        source="net",
        instrument_id=key,
        expected_return=Decimal(expected),
        deviation=Decimal("0.1"),
        horizon_bars=5,
        expires_at=0,
        model="net@1",
    )
    with desk.link.journal() as journal:
        journal.append_shared(StreamName("signals:net"), [encode(fact)], 1)


def test_marks_are_thinned_and_end_with_the_newest(desk: SimulatedDesk) -> None:
    every = curve(desk, 1_000)
    ledger = desk.snapshot().machines["ledger:SIM"]
    assert (every[-1].equity, every[-1].at) == (marked(desk).equity, moment(marked(desk).ts_event))
    few = curve(desk, 3)
    assert len(few) == 3
    assert few[-1] == every[-1]
    assert all(point in every for point in few)
    assert max(point.drawdown for point in every) == pytest.approx(ledger["max_drawdown"])
    desk.advance()
    assert len(curve(desk, 1_000)) == len(every) + 1


def test_every_account_has_a_curve_of_its_own(
    desk: SimulatedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = desk.link.blueprint
    other = msgspec.structs.replace(own, account_id=AccountId("W1"))
    monkeypatch.setattr(type(own), "accounts", (own, other))
    mark = msgspec.structs.replace(
        marked(desk), account_id=AccountId("W1"), equity=Decimal(7), capital=Decimal(10)
    )
    with desk.link.journal() as journal:
        journal.append_shared(StreamName("ledger:W1"), [encode(mark)], mark.ts_init)
    first, second = SimulatedDesk.equity(desk, 1_000)
    assert (first.account, second.account) == ("SIM", "W1")
    assert len(first.points) > 1
    assert [(point.equity, point.drawdown) for point in second.points] == [(Decimal(7), 0.3)]


def test_the_course_of_a_strategy_ends_at_its_profit(desk: SimulatedDesk) -> None:
    course = desk.strategy_course("trend", 3)
    own = next(each for each in marked(desk).by_strategy if each[0] == "trend")
    assert len(course) == 3
    assert ("trend", course[-1].profit, course[-1].exposure) == own
    with pytest.raises(NotFound, match="nobody"):
        desk.strategy_course("nobody", 3)


def test_slippage_is_measured_for_orders_by_hand(desk: SimulatedDesk, ann: Principal) -> None:
    key = a_buy(desk, ann)
    (row,) = [each for each in desk.slippage().rows if each.order_id == key]
    quote = next(each for each in desk.quotes() if each.symbol == "KO")
    assert quote.bid is not None
    assert quote.ask is not None
    assert row.avg_px == Decimal(repr(quote.ask))
    assert quote.bid <= float(row.arrival_px) <= quote.ask


def test_instruments_and_quotes_are_those_of_the_books(desk: SimulatedDesk) -> None:
    listed = {each.instrument_id: each for each in desk.instruments()}
    quotes = {each.instrument_id: each for each in desk.quotes()}
    assert listed.keys() == quotes.keys()
    books = desk.snapshot().machines["book:paper"]["books"]
    for key, quote in quotes.items():
        assert (quote.bid, quote.ask) == (books[key]["bid_px"], books[key]["ask_px"])
        assert quote.age_s is None  # a replay has no present
    assert listed["KO.XNAS"].tick == Decimal("0.01")


# -- limits and states


def test_a_changed_limit_is_in_force_on_return_and_names_who_changed_it(
    desk: SimulatedDesk, ann: Principal
) -> None:
    use = desk.change_limit("max_total_exposure", "90000", ann, "calmer")
    assert (use.limit, use.changed_by, use.reason) == ("90000", "ann", "calmer")
    assert use.used is not None
    assert use.left == Decimal(90_000) - use.used
    measured = desk.snapshot().machines["risk:SIM"]["limits"]["max_total_exposure"]
    assert measured["limit"] == 90_000
    assert next(each for each in desk.limits() if each.name == "max_total_exposure") == use
    restored = desk.change_limit("max_total_exposure", "", ann, "")
    assert (restored.limit, restored.changed_by) == ("150000", None)


def test_a_limit_that_does_not_fit_is_refused_and_not_journalled(
    desk: SimulatedDesk, ann: Principal, reader: Principal
) -> None:
    with pytest.raises(UsageError, match="did you mean max_shares"):
        desk.change_limit("max_share", "7", ann, "")
    with pytest.raises(UsageError):
        desk.change_limit("max_shares", "many", ann, "")
    with pytest.raises(PermissionMissing, match="risk:admin"):
        desk.change_limit("max_shares", "7", reader, "")
    with desk.link.journal() as journal:
        assert journal.head(StreamName("limits:SIM")) == 0


def test_nobody_without_permission_stops_or_starts_anything(
    desk: SimulatedDesk, reader: Principal
) -> None:
    with pytest.raises(PermissionMissing):
        desk.kill(reader, "", flatten=True)
    with pytest.raises(PermissionMissing):
        desk.set_state(TradingState.HALTED, reader, "")
    with pytest.raises(PermissionMissing):
        desk.reset_kill(reader, "")
    risk = desk.snapshot().machines["risk:SIM"]
    assert (risk["state"], risk["kill_switch"]) == ("ACTIVE", None)


def test_resuming_is_told_with_the_state_that_is_really_in_force(
    desk: SimulatedDesk, ann: Principal
) -> None:
    """A breaker holds what a person would let go."""
    desk.change_limit("max_drawdown", "0.0001", ann, "test")
    desk.advance(2)
    assert desk.set_state(TradingState.REDUCING, ann, "") == "REDUCING"
    assert desk.set_state(TradingState.HALTED, ann, "") == "HALTED"


# -- a cluster that is away


def test_a_cluster_that_went_away_is_found_again(desk: SimulatedDesk, ann: Principal) -> None:
    known = a_buy(desk, ann)
    desk.go_down()
    for ask in (desk.snapshot, desk.quotes, desk.limits, desk.instruments):
        with pytest.raises(ClusterUnreachable):
            ask()
    desk.go_down(is_down=False)
    assert desk.snapshot().machines
    assert desk.story(known).order.status == "FILLED"


def test_the_kill_switch_latches_while_no_cluster_answers(
    desk: SimulatedDesk, ann: Principal
) -> None:
    desk.go_down()
    (report,) = desk.kill(ann, "fire", flatten=True)
    assert desk.latched == [("ann", "fire", True)]
    assert not report.reached


def test_threads_share_one_look(desk: SimulatedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = desk.link.snapshot

    def counted() -> object:
        looks.append(1)
        return look()

    monkeypatch.setattr(desk.link, "snapshot", counted)
    monkeypatch.setattr("cluster.desk.connection.SHARED_S", 60.0)
    desk.connection.forget_look()
    threads = [threading.Thread(target=desk.snapshot) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looks) == 1


def test_a_change_is_seen_at_once(
    desk: SimulatedDesk, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.desk.connection.SHARED_S", 60.0)
    before = desk.snapshot()
    a_buy(desk, ann)
    assert desk.snapshot() is not before


# -- logs


def test_the_newest_log_lines_come_from_all_processes_with_secrets_masked(
    tmp_path: Path, desk: SimulatedDesk
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    lines = [
        {"ts": "2026-01-01T00:00:02Z", "level": "info", "event": "two", "api_key": "sesame"},
        {"ts": "2026-01-01T00:00:04Z", "level": "error", "event": "four", "venue": "paper"},
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    (logs / "broker.log").write_text(f'cut off"}}\n{text}\n{{"ts": "half')
    one = {"ts": "2026-01-01T00:00:03Z", "level": "info", "event": "redis://me:sesame@host"}
    (logs / "risk.log").write_text(json.dumps(one) + "\n")
    shown = desk.log_tail(10)
    assert [line.at[-3:-1] for line in shown] == ["02", "03", "04"]
    assert [line.process for line in shown] == ["broker", "risk", "broker"]
    assert shown[2].text == "venue=paper"
    assert "sesame" not in "".join(line.model_dump_json() for line in shown)
    assert [line.event for line in desk.log_tail(1)] == ["four"]
    assert desk.log_tail(0) == []
