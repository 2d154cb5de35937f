from decimal import Decimal

import msgspec
import pytest

from trading.codec import encode
from trading.events import EquityMarked, ReplayAdvanced
from trading.identifiers import AccountId, StrategyId
from tune.event_gear.course import MarkRecord


def test_record_reads_equity_and_cash_of_what_the_ledger_journals() -> None:
    record = MarkRecord()
    for equity, cash in (("1000000.55", "999.5"), ("-0.10", "1E+3")):
        mark = EquityMarked(
            ts_event=3,
            ts_init=4,
            correlation_id="feed:paper/1",
            causation_id="exchange:paper/1",
            account_id=AccountId("A"),
            sequence=7,
            equity=Decimal(equity),
            cash=Decimal(cash),
            gross=Decimal(1),
            net=Decimal(2),
            by_strategy=((StrategyId("s"), Decimal(5), Decimal(6)),),
        )
        record.add(encode(mark))
    assert record.equity().tolist() == [1000000.55, -0.1]
    assert record.cash().tolist() == [999.5, 1000.0]


def test_record_refuses_another_fact() -> None:
    with pytest.raises(msgspec.ValidationError):
        MarkRecord().add(encode(ReplayAdvanced(sequence=1)))
