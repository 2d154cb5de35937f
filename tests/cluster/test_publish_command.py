"""`trader publish` and `trader fills --follow`: facts into shared streams, and out of the account's."""

import io
import itertools
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.journal.open import open_journal
from cluster.cli.account import follow_fills
from cluster.config import load_config
from trading.codec import decode, encode
from trading.events import OrderFilled
from trading.identifiers import (
    ClientOrderId,
    InstrumentId,
    StrategyId,
    StreamName,
    TradeId,
    VenueOrderId,
)
from trading.values import OrderSide

Trader = Callable[..., Any]
SCORES = "time,symbol,score\n2024-01-02T21:00:00,KO,0.5\n2024-01-03T21:00:00,KO,-0.25\n"


def published(state: Path, stream: str) -> list[Any]:
    journal = open_journal(f"sqlite://{state / 'journal'}")
    try:
        return [decode(record.payload) for record in journal.read(StreamName(stream))]
    finally:
        journal.close()


def test_file_of_scores_becomes_facts_of_its_source(
    trader: Trader, home: Path, state: Path
) -> None:
    (home / "scores.csv").write_text(SCORES, encoding="utf-8")
    ended = trader("publish", "sentiment", "scores.csv", "--source", "news", "--json")
    assert ended.json == {"stream": "signals:news", "published": 2}
    facts = published(state, "signals:news")
    assert [fact.score for fact in facts] == [Decimal("0.5"), Decimal("-0.25")]
    assert {fact.source for fact in facts} == {"news"}
    assert all(fact.ts_init > 0 for fact in facts)


def test_one_wrong_row_of_a_file_publishes_nothing(trader: Trader, home: Path, state: Path) -> None:
    (home / "scores.csv").write_text(SCORES + "2024-01-04,KO,2\n", encoding="utf-8")
    ended = trader("publish", "sentiment", "scores.csv")
    assert ended.status == 2
    assert "row 3: the score is 2, must be from -1 to 1" in ended.err
    assert published(state, "signals:sentiment") == []


def test_rows_of_a_pipe_are_published_as_they_come(
    trader: Trader, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "time": "2024-01-02",
        "symbol": "KO",
        "trade_id": "1",
        "quantity": -3,
        "price": 59.5,
        "capital": 1000,
    }
    lines = f"{json.dumps(row)}\nnonsense\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    ended = trader("publish", "leader", "-")
    assert ended.status == 2
    assert "line 2 is no JSON object" in ended.err
    (fact,) = published(state, "signals:leader")
    assert (fact.quantity, fact.price) == (Decimal(-3), Decimal("59.5"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("sentiment", "gone.csv"), "gone.csv cannot be read"),
        (("sentiment", "scores.csv", "--source", "a/b"), "--source 'a/b'"),
        (("rumour", "scores.csv"), "rumour"),
    ],
)
def test_wrong_call_is_told(trader: Trader, words: tuple[str, ...], sentence: str) -> None:
    ended = trader("publish", *words)
    assert ended.status == 2
    assert sentence in ended.err


def fill(number: int, side: OrderSide, quantity: int, price: str) -> OrderFilled:
    return OrderFilled(
        ts_event=number,
        client_order_id=ClientOrderId(str(number)),
        strategy_id=StrategyId("s"),
        instrument_id=InstrumentId("KO.XNAS"),
        venue_order_id=VenueOrderId(str(number)),
        trade_id=TradeId(str(number)),
        side=side,
        last_qty=Decimal(quantity),
        last_px=Decimal(price),
        commission=Decimal(1),
    )


def test_followed_fills_carry_the_capital_after_each_and_go_on(state: Path) -> None:
    config = load_config(None, {})
    journal = open_journal(config.cluster.journal)
    stream = StreamName("account:paper:DEMO")
    facts = [fill(1, OrderSide.BUY, 10, "50"), fill(1, OrderSide.BUY, 10, "50")]
    epoch = journal.acquire(stream, "test")
    journal.append(stream, epoch, [encode(fact) for fact in facts], 1)
    rows = follow_fills(config)
    cash = config.account.initial_cash
    first = next(rows)
    assert (first["trade_id"], first["capital"]) == ("1", cash - 1)
    journal.append(stream, epoch, [encode(fill(2, OrderSide.SELL, 4, "60"))], 2)
    journal.close()
    (second,) = itertools.islice(rows, 1)
    assert second["trade_id"] == "2"
    assert second["capital"] == cash - 2 + 10 * (60 - 50)  # what is left counts at the last fill
    rows.close()
