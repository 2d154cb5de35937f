import json

import pytest
import requests
from alpaca.common.exceptions import APIError
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from actors.venues.alpaca.failures import AUTH_REFUSED, answered, failure_of
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.refusals import RefusalCode

NOW = 1_000 * 10**9


def said(message, **more):
    return json.dumps({"message": message, **more}).encode()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, said("insufficient buying power", code=40310000), "40310000"),
        (422, said("order is not cancelable", code=42210000), "42210000"),
        (404, said("order not found for x", code=40410000), "40410000"),
        (400, said("bad request"), "HTTP_400"),
        (403, said("subscription does not permit querying recent SIP data"), "HTTP_403"),
        (422, said("client_order_id must be unique", code=40010001), RefusalCode.DUPLICATE_CLIENT_ORDER_ID),
    ],
)  # fmt: skip
def test_what_the_venue_says_in_so_many_words_is_a_refusal(status, body, code):
    failure = answered(status, {}, body, NOW)
    assert isinstance(failure.error, VenueRefused)
    assert failure.error.venue_code == code
    assert not failure.is_auth


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, said("unauthorized.")), (401, b"<html>"), (403, said("forbidden.")), (401, said("x", code=40110000))],
)  # fmt: skip
def test_refused_credentials_are_told_apart(status, body):
    failure = answered(status, {}, body, NOW)
    assert failure.is_auth
    assert failure.error.venue_code == AUTH_REFUSED


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, said("internal")), (502, b"<html>"), (504, b""), (404, b"<html>not here</html>"), (403, b""),
        (422, b'{"message":'), (408, said("timeout")), (302, b""), (422, b'{"code":1}'), (400, b"\xff"),
    ],
)  # fmt: skip
def test_anything_that_is_not_a_sentence_of_the_venue_is_unknown(status, body):
    assert isinstance(answered(status, {}, body, NOW).error, OutcomeUnknown)


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"X-RateLimit-Reset": "1030"}, 30.0),
        ({"X-RateLimit-Reset": "900"}, 0.0),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({"Retry-After": "99999"}, 120.0),
    ],
)
def test_rate_limit_pauses_as_long_as_the_venue_says(headers, pause_s):
    failure = answered(429, headers, said("too many requests."), NOW)
    assert isinstance(failure.error, VenueUnreachable)
    assert failure.is_rate_limit
    assert failure.pause_s == pause_s


def test_refused_connection_has_sent_nothing():
    pool = HTTPConnectionPool("127.0.0.1")
    refused = MaxRetryError(pool, "/", NewConnectionError(pool, "refused"))
    assert isinstance(failure_of(requests.ConnectionError(refused), NOW).error, VenueUnreachable)
    assert isinstance(failure_of(requests.ConnectTimeout(), NOW).error, VenueUnreachable)


@pytest.mark.parametrize(
    "error",
    [
        requests.ReadTimeout(),
        requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError())),
        requests.exceptions.ChunkedEncodingError(),
        requests.JSONDecodeError("x", "", 0),
        requests.exceptions.SSLError(),
        APIError("x"),
        RuntimeError("?"),
    ],
)
def test_everything_else_may_have_been_executed(error):
    assert isinstance(failure_of(error, NOW).error, OutcomeUnknown)
