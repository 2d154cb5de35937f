"""Facts in a file: known to the next life, cut lines included."""

from pathlib import Path

import pytest

from sandboxes.errors import SandboxError
from sandboxes.pool import ledger as ledger_module
from sandboxes.pool.facts import AnyFact, CpuUsed, RunStarted, SourceKilled
from sandboxes.pool.ledger import Ledger

FACTS: list[AnyFact] = [
    RunStarted(at_s=1.0, owner="ann"),
    CpuUsed(at_s=2.0, owner="ann", cpu_s=0.5),
    SourceKilled(at_s=3.0, source="f" * 64, owner="bob\n", cause="SANDBOX_TIMEOUT"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    ledger = Ledger(tmp_path / "facts" / "pool.jsonl", 100.0)
    assert ledger.read(0.0) == []
    for fact in FACTS:
        ledger.append(fact)
    return tmp_path / "facts" / "pool.jsonl"


def test_the_next_life_knows_what_still_counts(path: Path) -> None:
    assert Ledger(path, 100.0).read(4.0) == FACTS
    assert Ledger(path, 100.0).read(102.0) == FACTS[2:]
    assert path.read_bytes().count(b"\n") == 1


def test_a_line_that_a_crash_cut_is_left_out(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'{"fact":"run","at_s":4')
    ledger = Ledger(path, 100.0)
    assert ledger.read(4.0) == FACTS
    ledger.append(FACTS[0])
    assert ledger.read(4.0) == [*FACTS, FACTS[0]]


def test_a_line_that_is_none_of_ours_is_told(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(SandboxError, match="move it away"):
        Ledger(path, 100.0).read(4.0)


def test_it_does_not_grow_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "LINES_MAX", 5)
    ledger = Ledger(path, 10.0)
    ledger.read(4.0)
    for at_s in range(4, 100):
        ledger.append(RunStarted(at_s=float(at_s), owner="ann"))
    assert path.read_bytes().count(b"\n") < 25
