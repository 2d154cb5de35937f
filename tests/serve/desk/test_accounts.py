"""Which machines are whose."""

import msgspec
import pytest

from serve.desk.accounts import accounts_of, source_of
from serve.desk.answers import Source
from serve.desk.view import ClusterSnapshot


def test_accounts_come_first_one_first_each_with_its_own_machines(two: ClusterSnapshot) -> None:
    first, second = accounts_of(two)
    assert (first.account, first.venue) == ("SIM", None)
    assert first.of("risk") is two.machines["risk:SIM"]
    assert (second.account, second.venue and second.venue.name) == ("TWO", "alpaca")
    assert second.of("ledger") is two.linked[0].machines["ledger:TWO"]


def test_a_machine_that_is_down_says_nothing(down: ClusterSnapshot) -> None:
    (account,) = accounts_of(down)
    assert account.of("risk") == {}
    assert account.of("book")


@pytest.mark.parametrize(("mode", "source"), [("live", Source.LIVE), ("paper", Source.PAPER)])
def test_the_mode_says_whether_there_is_real_money(
    one: ClusterSnapshot, mode: str, source: Source
) -> None:
    assert source_of(msgspec.structs.replace(one, mode=mode)) is source
