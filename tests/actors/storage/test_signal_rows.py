from decimal import Decimal
from functools import partial

import pytest

from actors.storage.signal_rows import fact_of, moment_ns, read_rows
from trading.errors import DataError
from trading.events import ForecastPublished, LeaderTraded, SentimentPublished, SignalPublished
from trading.identifiers import InstrumentId, TradeId, instrument_id

NOON = 1_704_110_400 * 10**9
"""2024-01-01T12:00:00Z"""


def facts(text: str, kind: str, now: int = 0) -> list[SignalPublished]:
    listed = partial(instrument_id, venue="XNAS")
    return [
        fact_of(row, kind, "me", listed, lambda: now)
        for row in read_rows(text.splitlines(keepends=True))
    ]


def test_csv_and_json_lines_state_the_same_facts() -> None:
    table = "time,symbol,score\n2024-01-01T12:00:00Z,AAPL,0.25\n\n2024-01-01,BRK.B,-1\n"
    lines = (
        '{"time": "2024-01-01T13:00:00+01:00", "symbol": "AAPL", "score": 0.25}\n'
        '{"ts_event": 1704153600000000000, "instrument_id": "BRK.B.XNAS", "score": "-1"}\n'
    )
    expected = [
        SentimentPublished(
            ts_event=NOON,
            source="me",
            instrument_id=InstrumentId("AAPL.XNAS"),
            score=Decimal("0.25"),
        ),
        SentimentPublished(
            ts_event=NOON + 12 * 3_600 * 10**9,  # a day counts from its end on
            source="me",
            instrument_id=InstrumentId("BRK.B.XNAS"),
            score=Decimal(-1),
        ),
    ]
    assert facts(table, "sentiment") == facts(lines, "sentiment") == expected


def test_forecast_row_has_horizon_and_expiry() -> None:
    (fact,) = facts(
        '{"symbol":"KO","expected_return":0.01,"deviation":0.02,"horizon_bars":5,'
        '"expires":"2024-01-02T12:00:00","model":"nhits@3"}',
        "forecast",
        now=NOON,
    )
    assert fact == ForecastPublished(
        ts_event=NOON,
        source="me",
        instrument_id=InstrumentId("KO.XNAS"),
        expected_return=Decimal("0.01"),
        deviation=Decimal("0.02"),
        horizon_bars=5,
        expires_at=NOON + 86_400 * 10**9,
        model="nhits@3",
    )


def test_side_gives_the_quantity_its_sign() -> None:
    text = (
        "time,symbol,trade_id,side,quantity,price,capital\n"
        "2024-01-01T12:00:00,KO,1,SELL,10,59.5,100000\n2024-01-01T12:00:00,KO,2,buy,3,59.5,100000\n"
        "2024-01-01T12:00:00,KO,3,,-4,59.5,100000\n"
    )
    found = facts(text, "leader")
    assert found[0] == LeaderTraded(
        ts_event=NOON,
        source="me",
        instrument_id=InstrumentId("KO.XNAS"),
        trade_id=TradeId("1"),
        quantity=Decimal(-10),
        price=Decimal("59.5"),
        capital=Decimal(100_000),
    )
    assert [fact.quantity for fact in found if isinstance(fact, LeaderTraded)] == [-10, 3, -4]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ('{"symbol":"KO"}', "sentiment", "there is no 'score'"),
        ('{"score":0.1,"time":"2024-01-01"}', "sentiment", "there is no 'symbol'"),
        ('{"score":0.1,"symbol":"KO"}', "sentiment", "no running cluster"),
        ('{"score":2,"symbol":"KO","time":"2024-01-01"}', "sentiment", "must be from -1 to 1"),
        ('{"score":"up","symbol":"KO","time":"2024-01-01"}', "sentiment", "'up', not a number"),
        ('{"score":NaN,"symbol":"KO","time":"2024-01-01"}', "sentiment", "not a finite number"),
        ('{"score":0,"symbol":"KO","time":"yesterday"}', "sentiment", "'yesterday' is no time"),
        ('{"score":0', "sentiment", "line 1 is no JSON object"),
        ("symbol,score\nKO\n", "sentiment", "line 2 has 1 cells, the header has 2"),
        (
            "symbol,side,trade_id,quantity,price,capital\nKO,HOLD,1,1,1,1",
            "leader",
            "the side is 'HOLD'",
        ),
    ],
)
def test_wrong_row_is_told_in_one_sentence(text: str, kind: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        facts(text, kind, now=NOON if "side" in text else 0)


def test_moment_keeps_microseconds_exactly() -> None:
    assert moment_ns("2024-01-01T12:00:00.123457Z") == NOON + 123_457_000
    assert moment_ns(NOON + 1) == NOON + 1
