"""The clients talk to the whole application, served over a simulated cluster; nothing is sent to its venue."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from examples import http_client, mcp_client
from serve.http.app import build_app
from tests.serve.mcp.serving import served
from tests.serve.simulated_desk import SimulatedDesk, front_desk


@pytest.fixture(scope="module")
def trading(tmp_path_factory: pytest.TempPathFactory) -> SimulatedDesk:
    return SimulatedDesk(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="module")
def url(trading: SimulatedDesk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    desk = front_desk(tmp_path_factory.mktemp("desk"), trading=trading)
    asyncio.run(desk.forecasts.start())
    with served(build_app(desk.forecasts, desk=desk)) as address:
        yield address


@pytest.fixture
def orders_sent(trading: SimulatedDesk) -> Any:
    before = len(trading.exchange_orders())
    return lambda: len(trading.exchange_orders()) - before


def test_when_the_http_client_runs_it_looks_forecasts_backtests_and_previews(
    url: str, orders_sent: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    http_client.main(url)
    said = capsys.readouterr().out
    assert "equity" in said
    assert "trading is ACTIVE; paper" in said
    assert "AAPL in 5 days" in said
    assert "Sharpe ratio" in said
    assert "10 KO would cost" in said
    assert orders_sent() == 0


def test_when_the_http_client_is_refused_it_ends_with_sentence_and_code(url: str) -> None:
    with http_client.desk(url) as client, pytest.raises(SystemExit) as ended:
        http_client.said(client.get("/v1/orders/nobody"))
    assert "[NOT_FOUND]" in str(ended.value)


def test_when_the_mcp_client_connects_it_sees_the_portfolio_and_simulates_a_trade(
    url: str, orders_sent: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(mcp_client.main(f"{url}/mcp"))
    said = capsys.readouterr().out
    assert "tools: " in said
    assert "simulated (paper): value " in said
    assert "10 KO.XNAS at " in said
    assert orders_sent() == 0


def test_when_no_cluster_answers_the_mcp_client_says_so(url: str, trading: SimulatedDesk) -> None:
    trading.go_down()
    try:
        with pytest.raises(SystemExit) as ended:
            asyncio.run(mcp_client.main(f"{url}/mcp"))
    finally:
        trading.go_down(is_down=False)
    assert "no cluster" in str(ended.value)
