"""How a connection is made: which exchange, which side of it, whose key, and what never leaves it."""

import asyncio
import decimal
import logging
import subprocess
import sys
from dataclasses import replace

import ccxt.async_support
import pytest

from actors.venues.ccxt.dialects import dialect_of
from actors.venues.ccxt.execution import open_execution
from actors.venues.ccxt.failures import Call
from actors.venues.ccxt.hooks import CURRENT, Hooks, _Hooked
from actors.venues.ccxt.market_data import open_market_data
from actors.venues.ccxt.profile import CCXT
from actors.venues.ccxt.session import CcxtSession
from actors.venues.profile import VenueSettings
from tests.venues.ccxt.rig import open_rig
from tests.venues.faults import Fault
from tests.venues.rig import Observed
from tests.venues.trader import Trader
from trading.errors import ConfigError, VenueError
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.values import AssetClass

KEYS = {"X_API_KEY": "key", "X_SECRET": "secret"}


def settings(exchange, **changes):
    made = VenueSettings(
        venue="x", account_id="ACC", options={"exchange": exchange}, credentials=KEYS, is_live=True
    )
    return replace(made, **changes)


# -- configuration


def test_the_profile_costs_nothing_to_import():
    code = (
        "import sys, actors.venues.ccxt.profile\n"
        "print([m for m in ('ccxt', 'aiohttp', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"options": {"exchange": "binanse"}}, "did you mean binance"),
        ({"options": {"exchange": "binance", "sandbx": True}}, "sandbx"),
        ({"options": {"exchange": "kraken"}, "is_live": False}, "no test environment"),
        ({"options": {"exchange": "binance", "sandbox": False}, "is_live": False}, "real money"),
        ({"options": {"exchange": "bitfinex"}}, "numbers only"),
        ({"credentials": {"X_API_KEY": "key"}}, "X_SECRET is not set"),
    ],
)
def test_a_wrong_configuration_is_one_clear_sentence(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        open_execution(settings("binance", **changes))


def test_the_name_of_the_venue_is_the_exchange_when_nothing_else_is_said():
    made = replace(
        settings("binance"),
        venue="kraken",
        options={},
        credentials={"KRAKEN_API_KEY": "k", "KRAKEN_SECRET": "s"},
    )
    assert CcxtSession(made, with_key=True).name == "kraken"


def test_an_account_that_is_not_live_talks_to_the_test_environment():
    live = CcxtSession(settings("binance"), with_key=True).exchange
    test = CcxtSession(settings("binance", is_live=False), with_key=True).exchange
    assert "testnet" not in live.urls["api"]["private"]
    assert "testnet" in test.urls["api"]["private"]


def test_derivatives_of_binance_are_practised_in_its_demo_trading():
    options = {"exchange": "binance", "default_type": "swap"}
    made = CcxtSession(settings("binance", is_live=False, options=options), with_key=True)
    assert "demo" in made.exchange.urls["api"]["fapiPrivate"]
    assert made.exchange.options["fetchMarkets"]["types"] == ["linear"]


def test_market_data_of_an_exchange_without_a_test_environment_is_the_real_one():
    open_market_data(settings("kraken", is_live=False, credentials={}))


def test_every_host_is_reached_behind_the_base_url():
    hooks = Hooks(pacing=None, base_url="https://proxy.example/x/")
    assert hooks.routed("https://api.kraken.com/0/a?b") == (
        "https://proxy.example/x/api.kraken.com/0/a?b"
    )
    assert hooks.routed("wss://h:9443/ws") == "wss://proxy.example/x/h:9443/ws"


def test_ccxt_never_repeats_a_request_by_itself():
    made = settings("binance")
    made = replace(made, options={**made.options, "options": {"maxRetriesOnFailure": 5}})
    assert CcxtSession(made, with_key=True).exchange.options["maxRetriesOnFailure"] == 0


@pytest.mark.parametrize("exchange", ccxt.async_support.exchanges)
def test_every_exchange_of_ccxt_opens_or_says_why_not(exchange):
    made = settings(exchange)
    if not dialect_of(exchange).takes_our_ids:
        with pytest.raises(ConfigError, match="numbers only"):
            open_execution(made)
        return
    orders = open_execution(made).capabilities.orders[AssetClass.CRYPTO]
    least = CCXT.capabilities.orders[AssetClass.CRYPTO]
    for kind, times in least.pairs.items():
        assert times <= orders.pairs[kind], "the profile claims what this exchange does not take"


# -- what never leaves


def test_keys_and_signatures_are_in_no_log_and_in_no_message(caplog):
    caplog.set_level(logging.DEBUG)

    async def tell():
        rig = await open_rig(None)
        heard = Observed()
        port = rig.open_port()
        try:
            await port.connect(heard)
            await heard.until(lambda: heard.of(VenueConnected))
            trader = Trader(rig)
            for fault in (Fault.ERROR_5XX, Fault.HALF_ANSWER, Fault.RESET_EXECUTED):
                rig.faults.plan(fault)
                try:
                    await port.submit(trader.limit(80))
                except VenueError as error:
                    heard.messages.append(str(error))
            rig.faults.plan(Fault.BAD_CREDENTIALS)
            await rig.cut()
            await heard.until(lambda: any(e.is_final for e in heard.of(VenueDisconnected)))
        finally:
            await port.disconnect()
            await rig.close()
        return rig, repr(port) + repr(heard.messages)

    rig, said = asyncio.run(tell())
    for secret in (rig.simulator.key, rig.simulator.secret):
        assert secret not in caplog.text
        assert secret not in said
    assert "signature=" not in said


def test_nothing_stays_open(caplog):
    async def tell():
        rig = await open_rig(None)
        heard = Observed()
        port, feed = rig.open_port(), rig.open_feed()
        await port.connect(heard)
        await feed.connect(Observed())
        await heard.until(lambda: heard.of(VenueConnected))
        await port.disconnect()
        await feed.disconnect()
        await rig.close()
        del port, feed
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(tell()) == []
    assert "release all resources" not in caplog.text
    assert "Unclosed" not in caplog.text


def test_the_decimal_context_of_others_stays_as_it_is():
    """Ccxt changes rounding and traps of the context in which it is called."""
    before = (decimal.getcontext().rounding, dict(decimal.getcontext().traps))

    async def tell():
        rig = await open_rig(None)
        trader = Trader(rig)
        try:
            await trader.start()
            key = trader.submit(trader.order())
            await trader.until(lambda: not trader.known(key).is_open)
        finally:
            await trader.kill()
            await rig.close()
        return decimal.getcontext().rounding, dict(decimal.getcontext().traps)

    assert asyncio.run(tell()) == before


# -- requests that carry rising numbers


class Slow:
    """An exchange to which requests take as long as their address says."""

    def __init__(self):
        self.arrived = []

    async def fetch(self, url, method, headers, body):
        await asyncio.sleep(float(url))
        self.arrived.append(url)


def numbered():
    hooks = Hooks(pacing=None, one_by_one=asyncio.Lock())
    return type("Numbered", (_Hooked, Slow), {"hooks": hooks})()


def test_a_slow_request_is_not_overtaken_by_the_next(monkeypatch):
    monkeypatch.setattr("actors.venues.ccxt.hooks.HEAD_START_S", 60.0)

    async def tell():
        exchange = numbered()
        await asyncio.gather(exchange.fetch("0.03", "POST"), exchange.fetch("0", "POST"))
        return exchange.arrived

    assert asyncio.run(tell()) == ["0.03", "0"]


def test_a_request_that_was_overtaken_once_is_sent_with_nobody_beside_it(monkeypatch):
    monkeypatch.setattr("actors.venues.ccxt.hooks.HEAD_START_S", 0.0)

    async def again(exchange, pause):
        CURRENT.set(Call(is_repeated=True))
        await exchange.fetch(pause, "POST")

    async def tell():
        exchange = numbered()
        await asyncio.gather(again(exchange, "0.03"), exchange.fetch("0", "POST"))
        return exchange.arrived

    assert asyncio.run(tell()) == ["0.03", "0"]


def test_a_request_without_an_answer_does_not_hold_up_the_next():
    async def tell():
        exchange = numbered()
        hanging = asyncio.ensure_future(exchange.fetch("3600", "POST"))
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await exchange.fetch("0", "POST")
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        return exchange.arrived, len(asyncio.all_tasks())

    assert asyncio.run(tell()) == (["0"], 1)
