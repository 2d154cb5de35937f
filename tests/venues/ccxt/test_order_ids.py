"""Our client order id at every exchange, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venues.ccxt.dialects import Dialect, IdStyle, dialect_of
from actors.venues.ccxt.order_ids import read, written

HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
STYLES = st.sampled_from(
    [
        Dialect(),
        Dialect(id_style=IdStyle.PREFIXED, id_prefix="0x"),
        Dialect(id_style=IdStyle.SHORT, id_prefix="t-"),
    ]
)


@settings(deadline=None, max_examples=200)
@given(HEX, STYLES)
def test_an_id_that_was_written_is_read_back(ours, dialect):
    assert read(written(ours, dialect), "7", dialect) == ours


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=80), STYLES)
def test_whatever_else_stands_there_is_an_order_of_somebody_else(text, dialect):
    found = read(text, "12345", dialect)
    assert found == "ext-12345" or written(found, dialect) == text


@pytest.mark.parametrize(("exchange", "longest"), [("binance", 36), ("bybit", 36), ("gate", 30)])
def test_an_id_fits_where_the_exchange_has_a_limit(exchange, longest):
    assert len(written("f" * 32, dialect_of(exchange))) <= longest


def test_without_an_id_the_number_of_the_exchange_makes_one():
    assert read(None, "9" * 80, Dialect()) == ("ext-" + "9" * 80)[:64]
