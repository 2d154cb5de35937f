"""What the facts of a strategy amount to, and which of them are believed."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.trading.ladder.story import (
    ALL_PASSED,
    NAME,
    SUBMITTED,
    judged,
    killed,
    marked,
    moved,
    on_paper,
    record,
)
from trading.errors import JournalCorrupt
from trading.events import AgentEvent
from trading.ladder.record import record_of, verified
from trading.ladder.signatures import is_signed, ladder_key, signed
from trading.ladder.standing import MoveCode, Stage, Standing

KEY = ladder_key(b"s" * 32)


def stream(*facts: AgentEvent) -> list[AgentEvent]:
    return [signed(replace(fact, number=number), KEY) for number, fact in enumerate(facts, 1)]


def believed(facts: Sequence[AgentEvent]) -> list[AgentEvent]:
    return list(verified(NAME, facts, KEY))


def test_signed_facts_in_their_order_are_believed_and_folded() -> None:
    facts = stream(SUBMITTED, *ALL_PASSED, moved(Standing.PAPER), marked(7))

    found = record_of(NAME, believed(facts))

    assert (found.number, found.standing, found.sha256) == (9, Standing.PAPER, "aa")
    assert set(found.verdicts) == set(Stage)
    assert found.profit == 7


@pytest.mark.parametrize(
    "tamper",
    [
        lambda facts: [facts[0], replace(facts[1], passed=True), *facts[2:]],
        lambda facts: [facts[0], *facts[2:]],
        lambda facts: [facts[0], facts[2], facts[1]],
        lambda facts: [facts[0], replace(facts[1], signature=""), *facts[2:]],
        lambda facts: [signed(each, ladder_key(b"x" * 32)) for each in facts],
        lambda facts: [signed(replace(each, agent="other"), KEY) for each in facts],
    ],
    ids=["changed", "missing", "swapped", "unsigned", "another cluster", "another strategy"],
)
def test_facts_that_were_tampered_with_are_not_believed(tamper: object) -> None:
    facts = stream(SUBMITTED, judged(Stage.LINT, passed=False), judged(Stage.SMOKE))
    assert believed(facts) == facts

    with pytest.raises(JournalCorrupt):
        believed(tamper(facts))  # type: ignore[operator]


def test_signature_covers_the_fact_and_depends_on_the_key() -> None:
    fact = signed(SUBMITTED, KEY)

    assert is_signed(fact, KEY)
    assert not is_signed(replace(fact, actor="bob"), KEY)
    assert not is_signed(fact, ladder_key(b"t" * 32))
    with pytest.raises(ValueError, match="key"):
        signed(SUBMITTED, b"")


def test_another_source_starts_anew() -> None:
    other = replace(SUBMITTED, source_sha256="bb")

    found = record(SUBMITTED, *ALL_PASSED, moved(Standing.PAPER), marked(7), killed(), other)

    assert (found.standing, found.sha256, found.verdicts) == (Standing.CANDIDATE, "bb", {})
    assert (found.marks, found.kills, found.since) == ({}, (), None)


@pytest.mark.parametrize("field", ["parameters", "template", "lookback"])
def test_other_terms_of_the_same_source_start_anew(field: str) -> None:
    other = replace(SUBMITTED, **{field: 9 if field == "lookback" else "other"})

    assert on_paper(other).standing is Standing.CANDIDATE


def test_same_terms_keep_the_rung_but_ask_for_new_verdicts() -> None:
    found = on_paper(SUBMITTED)

    assert (found.standing, found.verdicts) == (Standing.PAPER, {})


@pytest.mark.parametrize("closed", [Standing.QUARANTINED, Standing.RETIRED])
def test_another_source_opens_no_closed_name(closed: Standing) -> None:
    other = replace(SUBMITTED, source_sha256="bb")

    assert record(SUBMITTED, moved(closed, MoveCode.RETIRED), other).standing is closed


def test_verdicts_and_kills_of_an_earlier_source_do_not_count() -> None:
    found = record(SUBMITTED, judged(Stage.LINT, source_sha256="old"), killed("old"))

    assert (found.verdicts, found.kills) == ({}, ())


def test_results_of_several_runs_add_up_and_a_newer_mark_replaces_that_of_its_run() -> None:
    found = on_paper(
        marked(-5, days=3), marked(-30, days=4, fall=60), marked(10, days=2, run="two")
    )

    assert (found.days, found.profit) == (6, -20)
    assert (found.loss, found.fall) == (Decimal("0.02"), Decimal("0.06"))


def test_results_are_counted_from_the_newest_move() -> None:
    assert on_paper(marked(-5), moved(Standing.LIVE)).marks == {}
