"""A snapshot as a portfolio."""

from decimal import Decimal
from typing import Any

import msgspec

from serve.desk.accounts import UNKNOWN
from serve.desk.answers import moment
from serve.desk.portfolio import portfolio_of
from serve.desk.view import ClusterSnapshot


def test_a_portfolio_is_what_the_ledger_says(one: ClusterSnapshot) -> None:
    portfolio = portfolio_of(one)
    ledger: Any = one.machines["ledger:SIM"]
    (account,) = portfolio.accounts
    assert (account.equity, account.cash) == (ledger["equity"], ledger["cash"])
    assert (account.venue, account.is_ready, account.reason) == ("simulated exchange", True, "")
    assert portfolio.as_of == moment(one.clock_ns)
    assert (portfolio.trading_state, portfolio.is_killed) == ("ACTIVE", False)


def test_positions_add_up_to_the_equity_largest_first(one: ClusterSnapshot) -> None:
    portfolio = portfolio_of(one)
    (account,) = portfolio.accounts
    assert account.cash is not None
    assert account.cash + sum(row.value for row in portfolio.positions) == account.equity
    sizes = [abs(row.value) for row in portfolio.positions]
    assert sizes == sorted(sizes, reverse=True)
    assert all(row.value == row.quantity * (row.last_price or 0) for row in portfolio.positions)


def test_strategies_are_shown_with_those_who_trade_by_hand(one: ClusterSnapshot) -> None:
    shown = {row.strategy_id: row for row in portfolio_of(one).strategies}
    assert shown.keys() == {"reversion", "trend", "operator"}
    assert shown["operator"].trades == 1
    assert shown["operator"].capital == 0


def test_halted_and_disabled_strategies_say_so(one: ClusterSnapshot) -> None:
    risk = {**one.machines["risk:SIM"], "halted_strategies": {"trend": "it lost too much"}}
    machines = {**one.machines, "risk:SIM": risk, "strategy:reversion": {"disabled": "it raised"}}
    portfolio = portfolio_of(msgspec.structs.replace(one, machines=machines))
    shown = {row.strategy_id: row for row in portfolio.strategies}
    assert shown["trend"].halt_reason == "it lost too much"
    assert (shown["reversion"].is_disabled, shown["trend"].is_disabled) == (True, False)


def test_every_account_stands_in_it_with_why_it_is_not_ready(two: ClusterSnapshot) -> None:
    portfolio = portfolio_of(two)
    first, second = portfolio.accounts
    assert (second.account, second.venue) == ("TWO", "alpaca")
    assert second.reason == "connected, not reconciled: cash"
    assert {row.account for row in portfolio.positions} == {"SIM", "TWO"}
    assert first.equity == second.equity


def test_one_latched_switch_is_a_killed_portfolio(two: ClusterSnapshot) -> None:
    linked = two.linked[0]
    machines: Any = {**linked.machines, "broker:alpaca:TWO": {"kill": {"is_latched": True}}}
    changed = msgspec.structs.replace(linked, machines=machines)
    assert portfolio_of(msgspec.structs.replace(two, linked=(changed,))).is_killed


def test_while_machines_are_down_nothing_is_made_up(down: ClusterSnapshot) -> None:
    portfolio = portfolio_of(down)
    (account,) = portfolio.accounts
    assert (account.equity, account.cash, account.drawdown) == (None, None, None)
    assert (account.is_ready, account.reason) == (False, "its broker is down")
    assert (portfolio.positions, portfolio.strategies) == ([], [])
    assert portfolio.trading_state == UNKNOWN


def test_money_is_a_plain_decimal_string_in_json(one: ClusterSnapshot) -> None:
    account = portfolio_of(one).model_dump(mode="json")["accounts"][0]
    ledger: Any = one.machines["ledger:SIM"]
    assert Decimal(account["equity"]) == ledger["equity"]
    assert "e" not in account["equity"].lower()
