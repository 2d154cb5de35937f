"""The reader that follows refusals from look to look."""

from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from actors.journal.journal import Record
from actors.simulation.memory_journal import Disk, MemoryJournal
from cluster.refusals import RefusalReader, recent_refusals
from trading.codec import encode
from trading.events import OrderDenied
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId, StreamName
from trading.refusals import RefusalCode

ACCOUNT, RISK, TREND = "account:paper:SIM", "risk:SIM", "strategy:trend"


def _denied(number: int, code: RefusalCode = RefusalCode.RISK_MAX_SHARES) -> OrderDenied:
    return OrderDenied(
        ts_event=number,
        ts_init=number,
        client_order_id=ClientOrderId(f"{number:032x}"),
        strategy_id=StrategyId("trend"),
        instrument_id=InstrumentId("KO.XNYS"),
        code=str(code),
        reason=code.meaning,
    )


def _append(journal: MemoryJournal, stream: str, *facts: OrderDenied) -> None:
    journal.append_shared(StreamName(stream), [encode(fact) for fact in facts], 0)


def test_after_a_run_every_refusal_is_counted_with_its_order(traded_run: Any) -> None:
    reader = RefusalReader(traded_run.journal, traded_run.blueprint)
    found = reader.poll()
    assert reader.totals == traded_run.result.orders.refused
    assert len(found) == min(50, reader.totals.total())
    newest = found[0]
    assert (newest.code, newest.strategy_id) == ("RISK_MAX_NOTIONAL", "trend")
    assert newest.reason.endswith("would_be=41000 limit=40000")
    assert newest.quantity == traded_run.result.refusals[-1].order.quantity
    assert newest.side == traded_run.result.refusals[-1].order.side


def test_when_polled_again_only_what_is_new_is_read(traded_run: Any) -> None:
    class Counting(MemoryJournal):
        read_after: ClassVar[list[int]] = []

        def read(self, stream: StreamName, after: int = 0) -> Iterator[Record]:
            self.read_after.append(after)
            return super().read(stream, after)

    journal = Counting(Disk())
    reader = RefusalReader(journal, traded_run.blueprint)
    assert reader.poll() == ()
    assert journal.read_after == []
    _append(journal, RISK, _denied(1))
    assert [refusal.ts_event for refusal in reader.poll()] == [1]
    assert [refusal.ts_event for refusal in reader.poll()] == [1]
    assert journal.read_after == [0]
    _append(journal, RISK, _denied(2))
    assert [refusal.ts_event for refusal in reader.poll()] == [2, 1]
    assert journal.read_after == [0, 1]
    assert reader.totals == {"RISK_MAX_SHARES": 2}


def test_when_several_streams_refuse_the_newest_comes_first(traded_run: Any) -> None:
    journal = MemoryJournal(Disk())
    _append(journal, TREND, _denied(2, RefusalCode.RISK_UNAVAILABLE), _denied(5))
    _append(journal, RISK, _denied(3))
    _append(journal, ACCOUNT, _denied(4, RefusalCode.RISK_PERMIT_EXPIRED))
    found = recent_refusals(journal, traded_run.blueprint)
    assert [refusal.ts_event for refusal in found] == [5, 4, 3, 2]
    assert found[1].code == "RISK_PERMIT_EXPIRED"
    assert found[1].reason == RefusalCode.RISK_PERMIT_EXPIRED.meaning


def test_when_two_machines_refuse_one_order_alike_it_counts_once(traded_run: Any) -> None:
    journal = MemoryJournal(Disk())
    _append(journal, RISK, _denied(1))
    _append(journal, TREND, msgspec.structs.replace(_denied(1), ts_init=9))
    reader = RefusalReader(journal, traded_run.blueprint)
    assert len(reader.poll()) == 1
    assert reader.totals.total() == 1


def test_when_there_are_many_only_the_last_are_kept_but_all_are_counted(traded_run: Any) -> None:
    journal = MemoryJournal(Disk())
    reader = RefusalReader(journal, traded_run.blueprint, recent=3)
    _append(journal, RISK, *(_denied(number) for number in range(1, 6)))
    assert [refusal.ts_event for refusal in reader.poll()] == [5, 4, 3]
    _append(journal, RISK, _denied(6))
    assert [refusal.ts_event for refusal in reader.poll()] == [6, 5, 4]
    assert reader.totals.total() == 6
