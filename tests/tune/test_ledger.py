from math import inf, nan
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from tune.ledger import Ended, Ending, Ledger, Measured, Record, Suggested, read_ledger

RECORDS: list[Record] = [
    Suggested(0, {"a": 1, "b": 0.1, "c": True, "d": "x"}),
    Measured(0, 0, {"sharpe": 0.1 + 0.2}, {"sharpe": -inf}, b"\x00\x01"),
    Ended(0, Ending.COMPLETE, 0.30000000000000004),
]


def write(path: Path) -> bytes:
    ledger = Ledger(path)
    for record in RECORDS:
        ledger.append(record)
    ledger.close()
    return path.read_bytes()


def test_records_come_back_exactly(tmp_path: Path) -> None:
    write(tmp_path / "ledger")
    assert read_ledger(tmp_path / "ledger") == RECORDS


def test_unknown_score_comes_back_unknown(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.append(Ended(3, Ending.SKIPPED, nan, "no"))
    (found,) = read_ledger(tmp_path / "ledger")
    assert isinstance(found, Ended)
    assert found.score != found.score


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(0, 10_000))
def test_torn_end_is_dropped_and_appending_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger"
    content = write(path)
    path.write_bytes(content[: cut % (len(content) + 1)])
    ledger = Ledger(path)
    kept = len(ledger.records)
    assert ledger.records == RECORDS[:kept]
    ledger.append(RECORDS[1])
    ledger.close()
    assert read_ledger(path) == [*RECORDS[:kept], RECORDS[1]]


def test_damaged_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    content = bytearray(write(path))
    content[4] = 0xC1
    path.write_bytes(content)
    with pytest.raises(DataError, match="record at byte 0 is damaged"):
        Ledger(path)
