"""The paths and bodies of the original API: mapped to ours, or refused; never accepted and then left out."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from serve.desk.principal import Permission
from tests.serve.api.fake_desk import FakeTrading, order_row
from trading.values import OrderSide, OrderType, TradingState

Ask = Callable[..., Any]
KEY = {"Idempotency-Key": "k-1"}


@pytest.mark.parametrize(
    ("original", "ours"),
    [
        ("/trading/status", "/v1/trading"),
        ("/portfolio/status", "/v1/portfolio"),
        ("/positions", "/v1/positions"),
        ("/orders", "/v1/orders"),
        ("/risk/limits", "/v1/risk/limits"),
        ("/models", "/v1/models"),
        ("/neural/models", "/v1/models"),
        ("/cluster/standing", "/v1/cluster/standing"),
        ("/jobs", "/v1/jobs"),
        ("/health", "/healthz"),
    ],
)
def test_original_paths_answer_the_same(
    ask: Ask, trading: FakeTrading, original: str, ours: str
) -> None:
    trading.broker["open_orders"] = [order_row("a", 1)]
    mine, theirs = ask("GET", ours), ask("GET", original)
    assert (theirs.status_code, theirs.json()) == (200, mine.json())


def test_strategies_are_found_by_their_original_names(ask: Ask) -> None:
    reply = ask("GET", "/strategies/momentum_trader/info")
    assert (reply.status_code, reply.json()["name"]) == (200, "momentum")
    listed = ask("GET", "/strategies/list").json()
    assert "momentum" in [row["name"] for row in listed["strategies"]]
    assert ask("GET", "/strategies/nonsense/info").status_code == 404


def test_a_trade_is_an_order_with_a_key(ask: Ask, trading: FakeTrading) -> None:
    body = {"symbol": "AAPL", "action": "sell", "quantity": 7, "order_type": "stop_loss"}
    assert ask("POST", "/trading/execute-trade", json=body).status_code == 400
    reply = ask("POST", "/trading/execute-trade", json=body | {"stop_price": 9.5}, headers=KEY)
    assert reply.status_code == 201
    ((_, (order, _, key, _)),) = trading.asked
    assert key == "k-1"
    assert (order.side, order.quantity) == (OrderSide.SELL, Decimal(7))
    assert (order.order_type, order.stop_price) == (OrderType.STOP_MARKET, Decimal("9.5"))


def test_a_trade_that_has_no_equal_is_refused(ask: Ask, trading: FakeTrading) -> None:
    body = {"symbol": "AAPL", "action": "buy", "quantity": 1, "order_type": "trailing_stop"}
    reply = ask("POST", "/trading/execute-trade", json=body, headers=KEY)
    assert (reply.status_code, trading.asked) == (422, [])


def test_stop_halts_and_cancels_and_never_closes_positions(ask: Ask, trading: FakeTrading) -> None:
    assert ask("POST", "/trading/stop", json={}).json() == {"state": "HALTED"}
    assert [what for what, _ in trading.asked] == ["set_state", "cancel_all"]
    assert trading.asked[0][1][0] is TradingState.HALTED
    trading.asked.clear()
    assert ask("POST", "/trading/stop", json={"close_positions": True}).status_code == 422
    assert ask("POST", "/trading/stop", json={"strategies": ["momentum"]}).status_code == 422
    assert trading.asked == []
    ask("POST", "/trading/stop", json={"cancel_orders": False})
    assert [what for what, _ in trading.asked] == ["set_state"]


def test_start_resumes_what_is_configured_and_nothing_else(ask: Ask, trading: FakeTrading) -> None:
    assert ask("POST", "/trading/start", json={"symbols": ["AAPL"]}).json() == {"state": "ACTIVE"}
    trading.asked.clear()
    for body, status in (
        ({"symbols": ["XYZ"]}, 404),
        ({"strategies": ["pairs_trader"]}, 409),
        ({"risk_level": "high"}, 422),
    ):
        assert ask("POST", "/trading/start", json=body).status_code == status
    assert trading.asked == []


def test_long_work_of_the_original_is_a_job(ask: Ask, desk: Any) -> None:
    backtest = {
        "strategy": "momentum_trader",
        "symbols": ["AAPL"],
        "start_date": "2020-01-01",
        "end_date": "2021-01-01",
        "use_gpu": True,
    }
    reply = ask("POST", "/trading/backtest", json=backtest)
    assert (reply.status_code, reply.headers["location"]) == (202, "/v1/jobs/job-1")
    tuning = {"strategy": "momentum", "symbols": ["KO"], "max_iterations": 20}
    assert ask("POST", "/trading/optimize", json=tuning).status_code == 202
    training = {"data_path": "sp500", "model_type": "LSTM", "learning_rate": 0.01}
    assert ask("POST", "/neural/train", json=training).status_code == 202
    kinds, arguments = zip(*[(kind, words) for kind, words, _ in desk.jobs.started], strict=True)
    assert kinds == ("backtest", "tune", "train")
    assert arguments[0][0] == "momentum"
    assert {"--symbols=AAPL", "--from=2020-01-01", "--to=2021-01-01", "--cash=100000.0"} <= set(
        arguments[0]
    )
    assert {"--symbols=KO", "--trials=20"} <= set(arguments[1])
    assert arguments[2][0] == "lstm"
    assert "--set=learning_rate=0.01" in arguments[2]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/trading/backtest", {"strategy": "nonsense", "start_date": "2020", "end_date": "2021"}),
        ("/trading/backtest", {"strategy": "pairs", "start_date": "--all", "end_date": "2021"}),
        ("/trading/optimize", {"strategy": "momentum", "symbols": ["--config=/etc/passwd"]}),
        ("/neural/train", {"data_path": "/etc/passwd", "model_type": "lstm"}),
        ("/neural/train", {"model_type": "GRU_Ensemble"}),
        ("/neural/train", {"model_type": "lstm", "validation_split": 0.2}),
    ],
)
def test_what_ours_cannot_do_is_refused_and_starts_nothing(
    ask: Ask, desk: Any, path: str, body: dict[str, Any]
) -> None:
    reply = ask("POST", path, json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "REQUEST_INVALID")
    assert desk.jobs.started == []


def test_the_original_forecast_is_ours(ask: Ask) -> None:
    body = {"symbol": "A", "horizon": 2, "confidence_level": 0.95, "use_gpu": False}
    theirs = ask("POST", "/neural/forecast", json=body).json()
    ours = ask("POST", "/v1/forecast", json={"symbol": "A", "horizon": 2}).json()
    assert theirs["quantiles"] == ours["quantiles"]
    odd = ask("POST", "/neural/forecast", json=body | {"confidence_level": 0.42})
    assert odd.status_code == 422


def test_history_of_metrics_is_refused(ask: Ask) -> None:
    assert ask("GET", "/system/metrics?include_history=true").status_code == 422


def test_original_paths_ask_for_the_same_permissions(ask: Ask, app_for: Any) -> None:
    reader = app_for(Permission.READ)
    for path in ("/trading/start", "/trading/stop", "/trading/execute-trade", "/neural/train"):
        assert ask("POST", path, of=reader, json={}).status_code == 403
