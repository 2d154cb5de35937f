"""Talk to a running front desk over HTTP: look, forecast, backtest as a job, preview an order. Sends no order.

    trader up                                                  # a paper account
    trader serve --address auto                                # in another terminal
    python -m examples.http_client http://127.0.0.1:8000       # and in a third

Where authentication is on, put a key of `trader keys create` into TRADER_API_KEY.
"""

import os
import sys
from typing import Any

import httpx

URL = "http://127.0.0.1:8000"
WAIT_S = 30


def desk(url: str) -> httpx.Client:
    """Return a client that says who it is, and waits for jobs."""
    key = os.environ.get("TRADER_API_KEY")
    headers = {"X-API-Key": key} if key else {}
    return httpx.Client(base_url=url, headers=headers, timeout=WAIT_S + 10)


def said(answer: httpx.Response) -> Any:
    """Return what was answered; a problem ends the program with its sentence and its code."""
    found = answer.json()
    if answer.is_error:
        sys.exit(f"{found['detail']} [{found['code']}]")
    return found


def backtest(client: httpx.Client, strategy: str, symbols: list[str]) -> dict[str, Any]:
    """Start a job, wait until it is over, and return the figures of the strategy."""
    asked = {"strategy": strategy, "symbols": symbols, "start": "2018"}
    job = said(client.post("/v1/backtests", json=asked))
    while job["state"] in ("queued", "running"):
        job = said(client.get(f"/v1/jobs/{job['id']}", params={"wait_s": WAIT_S}))
    if job["state"] != "done":
        sys.exit(f"{job['command']}: {job['detail']} [{job['code']}]")
    figures: dict[str, Any] = next(
        run["metrics"] for run in job["result"] if run["strategy"] == strategy
    )
    return figures


def main(url: str) -> None:
    with desk(url) as client:
        portfolio = said(client.get("/v1/portfolio"))
        for account in portfolio["accounts"]:
            print(f"{account['account']}: equity {account['equity']}, cash {account['cash']}")
        print(
            f"trading is {portfolio['trading_state']}; {portfolio['source']}, {portfolio['as_of']}"
        )

        forecast = said(client.post("/v1/forecast", json={"symbol": "AAPL", "horizon": 5}))
        fan = [forecast["quantiles"][level][-1] for level in ("0.1", "0.9")]
        print(f"AAPL in 5 days: {fan[0]:.2f} to {fan[1]:.2f} with 80 %, by {forecast['model']}")

        figures = backtest(client, "momentum", ["AAPL", "KO", "XOM"])
        print(f"momentum since 2018: Sharpe ratio {figures['sharpe']:.2f}, with costs")

        order = {"symbol": "KO", "side": "BUY", "quantity": "10"}
        preview = said(client.post("/v1/orders/preview", json=order))
        verdict = "allowed" if preview["is_allowed"] else "; ".join(preview["objections"])
        print(f"10 KO would cost {preview['estimated_value']}: {verdict}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else URL)
