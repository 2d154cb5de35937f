"""What each exception of ccxt means, and what each answer of an exchange does to a call."""

import asyncio
import socket
from decimal import Decimal

import aiohttp
import msgspec
import pytest
from ccxt.base import errors as kinds

from actors.venues.ccxt.dialects import dialect_of
from actors.venues.ccxt.failures import Call, CredentialsRefused, TooFast, failure
from tests.venues.ccxt.rig import open_bybit, open_kraken, open_rig
from tests.venues.faults import Fault
from tests.venues.stopped_clock import stopped_clock
from tests.venues.trader import Trader
from trading.commands import CancelOrder
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.identifiers import ClientOrderId
from trading.refusals import RefusalCode
from trading.values import OrderSide

ANSWERED = {"requests": 1, "status": 200}


def meaning(error, exchange="binance", cause=None, **call):
    if cause is not None:
        error.__cause__ = cause
    return failure(error, Call(**{**ANSWERED, **call}), dialect_of(exchange), lambda text: text)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (kinds.InsufficientFunds('binance {"code":-2010}'), VenueRefused),
        (kinds.InvalidOrder("x"), VenueRefused),
        (kinds.BadRequest("x"), VenueRefused),
        (kinds.ExchangeError("x"), VenueRefused),
        (kinds.OrderNotFound("x"), VenueRefused),
        (kinds.PermissionDenied("x"), VenueRefused),
        (kinds.AuthenticationError("x"), CredentialsRefused),
        (kinds.AccountSuspended("x"), CredentialsRefused),
        (kinds.RateLimitExceeded("x"), TooFast),
        (kinds.DDoSProtection("x"), TooFast),
        (kinds.RequestTimeout("x"), OutcomeUnknown),
        (kinds.NetworkError("x"), OutcomeUnknown),
        (kinds.ExchangeNotAvailable("x"), OutcomeUnknown),
        (kinds.OperationFailed("x"), OutcomeUnknown),
        (kinds.BadResponse("x"), OutcomeUnknown),
        (kinds.NullResponse("x"), OutcomeUnknown),
        (kinds.CancelPending("x"), OutcomeUnknown),
        (kinds.InvalidNonce("x"), OutcomeUnknown),
        (KeyError("x"), OutcomeUnknown),
        (TypeError("x"), OutcomeUnknown),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
def test_a_class_of_ccxt_means_one_thing_after_an_answer(error, expected):
    assert type(meaning(error)) is expected


def test_every_class_of_ccxt_is_mapped():
    for name in vars(kinds):
        kind = getattr(kinds, name)
        if isinstance(kind, type) and issubclass(kind, kinds.BaseError):
            found = meaning(kind("x"))
            assert isinstance(found, VenueRefused | VenueUnreachable | OutcomeUnknown), name


@pytest.mark.parametrize("error", [kinds.InvalidOrder("x"), kinds.ExchangeError("x")])
def test_a_server_error_decides_nothing_whatever_it_says(error):
    assert type(meaning(error, status=504)) is OutcomeUnknown


def test_half_an_answer_is_no_refusal():
    error = kinds.ExchangeError("binance POST https://api.binance.com/api/v3/order")
    assert type(meaning(error, cause=aiohttp.ClientPayloadError())) is OutcomeUnknown


@pytest.mark.parametrize(
    "cause",
    [
        aiohttp.ClientConnectorError(None, OSError("refused")),
        aiohttp.ConnectionTimeoutError(),
        socket.gaierror(),
    ],
    ids=lambda each: type(each).__name__,
)
def test_without_a_connection_nothing_was_sent(cause):
    error = kinds.ExchangeNotAvailable("x")
    assert type(meaning(error, cause=cause, status=0)) is VenueUnreachable


def test_a_connection_that_broke_decides_nothing():
    error = kinds.ExchangeNotAvailable("x")
    assert type(meaning(error, cause=aiohttp.ServerDisconnectedError())) is OutcomeUnknown


def test_what_ccxt_itself_refuses_was_never_sent():
    assert type(meaning(kinds.InvalidOrder("x"), requests=0, status=0)) is VenueRefused
    assert type(meaning(TypeError("x"), requests=0, status=0)) is VenueUnreachable


@pytest.mark.parametrize(
    ("exchange", "error", "code"),
    [
        (
            "binance",
            kinds.InvalidOrder('binance {"code":-2010,"msg":"Duplicate order sent."}'),
            RefusalCode.DUPLICATE_CLIENT_ORDER_ID,
        ),
        (
            "bybit",
            kinds.InvalidOrder('bybit {"retCode":170141,"retMsg":"Duplicate clientOrderId."}'),
            RefusalCode.DUPLICATE_CLIENT_ORDER_ID,
        ),
        (
            "kraken",
            kinds.InvalidOrder('kraken {"error":["EOrder:Unknown order"]}'),
            RefusalCode.UNKNOWN_ORDER,
        ),
        ("kraken", kinds.InvalidNonce('{"error":["EAPI:Invalid nonce"]}'), "INVALID_NONCE"),
        ("binance", kinds.InvalidNonce('binance {"code":-1021,"msg":"..."}'), "INVALID_NONCE"),
        ("okx", kinds.DuplicateOrderId("x"), RefusalCode.DUPLICATE_CLIENT_ORDER_ID),
        (
            "kraken",
            kinds.InsufficientFunds('{"error":["EOrder:Insufficient funds"]}'),
            "EOrder:Insufficient funds",
        ),
        ("bybit", kinds.InsufficientFunds('bybit {"retCode":170131}'), "170131"),
    ],
)
def test_a_refusal_carries_a_code(exchange, error, code):
    assert meaning(error, exchange).venue_code == code


def test_an_exchange_that_does_not_know_itself_refuses_nothing():
    error = kinds.ExchangeError('bybit {"retCode":10016,"retMsg":"Server error."}')
    assert type(meaning(error, "bybit")) is OutcomeUnknown


def test_a_revoked_key_is_not_taken_for_a_flood():
    """Ccxt calls -2015 a ban once a key has worked."""
    error = kinds.DDoSProtection(
        'binance {"code":-2015,"msg":"Invalid API-key, IP, or permissions"}'
    )
    assert type(meaning(error)) is CredentialsRefused


def test_an_error_while_clearing_up_does_not_hide_what_happened():
    error = KeyError("spot")
    error.__context__ = kinds.AuthenticationError("refused")
    assert type(meaning(error)) is CredentialsRefused


def test_addresses_and_signatures_are_not_shown():
    text = "binance GET https://api.binance.com/api/v3/account?timestamp=1&signature=ab12cd"
    shown = str(meaning(kinds.NetworkError(text)))
    assert "ab12cd" not in shown
    assert "timestamp" not in shown


# -- the answers of the exchanges, through the whole client


def told(opener, tell, **settings):
    async def whole():
        rig = await opener(None)
        trader = Trader(rig, **settings)
        try:
            await trader.start()
            await tell(rig, trader)
        finally:
            await trader.kill()
            await rig.close()

    asyncio.run(whole())


OPENERS = [open_rig, open_kraken, open_bybit]


@pytest.mark.parametrize("opener", OPENERS)
def test_an_id_that_works_already_is_refused_as_a_duplicate(opener):
    async def tell(rig, trader):
        order = trader.limit(80)
        await trader.port.submit(order)
        with pytest.raises(VenueRefused) as refusal:
            await trader.port.submit(order)
        assert refusal.value.venue_code == RefusalCode.DUPLICATE_CLIENT_ORDER_ID

    told(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_an_order_beyond_the_means_is_refused_with_the_words_of_the_exchange(opener):
    async def tell(rig, trader):
        with pytest.raises(VenueRefused, match=r"(?i)insufficient"):
            await trader.port.submit(trader.limit(80, quantity=10**7 * rig.lot))

    told(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_an_order_that_nobody_knows_is_none_and_cannot_be_cancelled(opener):
    async def tell(rig, trader):
        key = ClientOrderId("f" * 32)
        assert await trader.port.order_status(rig.desk.account_id, key) is None
        with pytest.raises(VenueRefused) as refusal:
            await trader.port.cancel(_cancel(rig, key))
        assert refusal.value.venue_code == RefusalCode.UNKNOWN_ORDER

    told(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_flood_is_answered_with_silence_for_a_while(opener):
    async def tell(rig, trader):
        stopped_clock(trader.port._session.hooks.pacing)  # the pause is never over
        rig.faults.plan(Fault.RATE_LIMIT)
        with pytest.raises(VenueUnreachable):
            await trader.port.submit(trader.limit(80))
        asked = len(rig.simulator.asked)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await trader.port.submit(trader.limit(81))
        assert len(rig.simulator.asked) == asked
        assert not rig.desk.working()

    told(opener, tell, reconcile_interval_ns=0)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    "fault",
    [Fault.ERROR_5XX, Fault.ERROR_5XX_EXECUTED, Fault.RESET_EXECUTED, Fault.HALF_ANSWER],
)
def test_an_order_without_a_whole_answer_is_unknown(opener, fault):
    async def tell(rig, trader):
        for number in range(2):  # half an answer comes in two kinds
            rig.faults.plan(fault)
            with pytest.raises(OutcomeUnknown):
                await trader.port.submit(trader.limit(80 + number))

    told(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_list_that_was_cut_off_is_not_an_empty_one(opener):
    async def tell(rig, trader):
        account = rig.desk.account_id
        rig.simulator.is_garbled = True
        for question in (
            trader.port.open_orders(account),
            trader.port.executions_since(account, 0),
            trader.port.account(account),
            trader.port.order_status(account, ClientOrderId("0" * 32)),
            trader.port.mass_status(account, 0),
        ):
            with pytest.raises(OutcomeUnknown):
                await question

    told(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_quantities_and_prices_off_the_grid_are_refused_and_not_rounded(opener):
    async def tell(rig, trader):
        with pytest.raises(VenueRefused, match="lot"):
            await trader.port.submit(trader.limit(80, quantity=rig.lot / 100_000))
        order = trader.limit(80)
        off = msgspec.structs.replace(order, price=order.price + Decimal("0.005"))
        with pytest.raises(VenueRefused, match="tick"):
            await trader.port.submit(off)
        assert not rig.desk.submitted

    told(opener, tell)


def test_a_number_that_comes_too_late_is_a_refusal_of_kraken():
    async def tell(rig, trader):
        rig.simulator._nonce = 10**17  # another program used the key
        with pytest.raises(VenueRefused) as refusal:
            await trader.port.submit(trader.limit(80, side=OrderSide.BUY))
        assert refusal.value.venue_code == "INVALID_NONCE"
        assert not rig.desk.submitted

    told(open_kraken, tell)


def test_an_order_whose_number_was_overtaken_is_sent_once_more(monkeypatch):
    async def tell(rig, trader):
        venue, refuse = rig.simulator, rig.simulator._refused
        refused = []

        def overtaken(refusal):
            refused.append(refusal.what)
            venue._nonce = 0
            return refuse(refusal)

        monkeypatch.setattr(venue, "_refused", overtaken)
        venue._nonce = 10**17
        order = trader.limit(80, side=OrderSide.BUY)
        await trader.port.submit(order)
        assert refused == ["BAD_NONCE"]
        assert list(rig.desk.submitted) == [order.client_order_id]

    told(open_kraken, tell)


def test_many_requests_at_once_keep_the_order_of_their_numbers():
    async def tell(rig, trader):
        account = rig.desk.account_id
        asked = [trader.port.open_orders(account) for _ in range(30)]
        assert await asyncio.gather(*asked) == [()] * 30

    told(open_kraken, tell)


def _cancel(rig, key):
    return CancelOrder(client_order_id=key, account_id=rig.desk.account_id)
