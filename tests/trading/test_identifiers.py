import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.identifiers import (
    AccountId,
    InstrumentId,
    MachineName,
    StrategyId,
    Venue,
    account_stream,
    derive_client_order_id,
    instrument_id,
    machine_kind,
    machine_name,
    symbol_of,
)

ACCOUNT, STRATEGY, A = AccountId("DEMO"), StrategyId("s"), InstrumentId("A.XNAS")

parts = st.text(st.characters(exclude_characters=":", exclude_categories=("Cs",)), min_size=1)


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "BTC/USD"])
def test_symbol_comes_back_from_the_instrument_id(symbol: str) -> None:
    assert instrument_id(symbol, "XNAS") == f"{symbol}.XNAS"
    assert symbol_of(instrument_id(symbol, "XNAS")) == symbol


@pytest.mark.parametrize(("symbol", "venue"), [("", "X"), ("A", ""), ("A", "X.Y")])
def test_half_an_instrument_id_is_refused(symbol: str, venue: str) -> None:
    with pytest.raises(ValueError, match="not an instrument id"):
        instrument_id(symbol, venue)


@settings(deadline=None)
@given(kind=parts, key=st.lists(parts, max_size=3))
def test_machine_name_splits_into_the_parts_that_made_it(kind: str, key: list[str]) -> None:
    name = machine_name(kind, *key)
    assert name.split(":") == [kind, *key]
    assert machine_kind(name) == kind


@pytest.mark.parametrize("name", [("",), ("broker", ""), ("broker", "paper:DEMO"), ("a:b",)])
def test_part_that_would_change_the_address_is_refused(name: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not a machine name"):
        machine_name(*name)


def test_names_are_those_of_the_architecture() -> None:
    assert account_stream(Venue("paper"), ACCOUNT) == "account:paper:DEMO"
    assert machine_name("broker", "paper", "DEMO") == MachineName("broker:paper:DEMO")


def test_derived_order_id_never_changes_between_versions() -> None:
    """An id in a journal must be derived again by every later version."""
    found = derive_client_order_id(ACCOUNT, STRATEGY, A, 1_577_998_800_000_000_000, "target", 1)
    assert found == "586b12983b4a995a8e05bf16e9245c0a"


def test_order_id_differs_when_any_part_of_the_decision_differs() -> None:
    ids = {
        derive_client_order_id(account, strategy, name, ts, purpose, index)
        for account in (ACCOUNT, AccountId("LIVE"))
        for strategy in (STRATEGY, StrategyId("t"))
        for name in (A, InstrumentId("B.XNAS"))
        for ts in (1, 11)
        for purpose in ("target", "stop_loss")
        for index in (0, 1)
    }
    assert len(ids) == 2**6
    assert {len(each) for each in ids} == {32}
    assert all(set(each) <= set("0123456789abcdef") for each in ids)


def test_order_id_does_not_run_its_parts_together() -> None:
    one = derive_client_order_id(AccountId("a"), StrategyId("bc"), A, 1, "target")
    two = derive_client_order_id(AccountId("ab"), StrategyId("c"), A, 1, "target")
    assert one != two
    assert derive_client_order_id(ACCOUNT, STRATEGY, A, 1, "t", 11) != derive_client_order_id(
        ACCOUNT, STRATEGY, A, 11, "t", 1
    )
