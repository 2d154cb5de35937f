"""`trader slippage`, without a cluster: it reads the journal."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from actors.journal.open import open_journal
from cluster.cli.slippage import By, slippage
from cluster.config import Config, load_config
from trading.algorithms.facts import ChildPlanned, ExecutionStarted
from trading.algorithms.parameters import ChildRole, Listing, Twap
from trading.codec import encode
from trading.commands import ExecuteOrder, SubmitOrder
from trading.events import Event, OrderFilled, OrderSubmitted
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    StreamName,
    TradeId,
    Venue,
    VenueOrderId,
)
from trading.slippage import GroupBy
from trading.values import OrderSide

PARENT, CHILD = ClientOrderId("a" * 32), ClientOrderId("b" * 32)
KEY = InstrumentId("KO.XNYS")


def run(*words: str) -> Any:
    app = typer.Typer()
    app.command()(slippage)
    return CliRunner().invoke(app, list(words))


def write(config: Config, arrival_px: Decimal | None = Decimal(50)) -> None:
    """Journal one TWAP of which one child was filled."""
    child = SubmitOrder(
        client_order_id=CHILD,
        account_id=AccountId("DEMO"),
        strategy_id=StrategyId("pairs"),
        instrument_id=KEY,
        side=OrderSide.BUY,
        quantity=Decimal(100),
        arrival_px=Decimal("50.05"),
        parent_order_id=PARENT,
    )
    parent = ExecuteOrder(
        client_order_id=PARENT,
        strategy_id=StrategyId("pairs"),
        side=OrderSide.BUY,
        quantity=Decimal(100),
        listings=(Listing(Venue("paper"), AccountId("DEMO"), KEY),),
        algorithm=Twap(window_ns=10, slices=1),
    )
    about: dict[str, Any] = {
        "client_order_id": CHILD,
        "strategy_id": StrategyId("pairs"),
        "instrument_id": KEY,
    }
    fill = OrderFilled(
        **about,
        ts_init=2_500_000_000,
        venue_order_id=VenueOrderId("V"),
        trade_id=TradeId("T"),
        side=OrderSide.BUY,
        last_qty=Decimal(100),
        last_px=Decimal("50.10"),
        commission=Decimal(1),
    )
    streams: dict[str, list[Event]] = {
        "execution:main": [
            ExecutionStarted(
                ts_init=1_000_000_000, parent_order_id=PARENT, order=parent, arrival_px=arrival_px
            ),
            ChildPlanned(
                parent_order_id=PARENT,
                order=child,
                venue=Venue("paper"),
                role=ChildRole.PART,
                step=0,
            ),
        ],
        "account:paper:DEMO": [OrderSubmitted(**about, order=child, epoch=1), fill],
    }
    journal = open_journal(config.cluster.journal)
    for name, facts in streams.items():
        stream = StreamName(name)
        journal.append(stream, journal.acquire(stream, "test"), [encode(f) for f in facts], 9)
    journal.close()


def test_the_table_shows_what_an_algorithm_cost(home: Path) -> None:
    write(load_config())
    ended = run()
    assert ended.exit_code == 0, ended.output
    line = next(line for line in ended.stdout.splitlines() if line.startswith("| twap"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == [
        "twap", "1", "5,000.00", "10.00", "20", "20", "20", "20", "5.00", "5.00", "1.00", "USD",
        "1.50",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("by", "name"), [("strategy", "pairs"), ("venue", "paper"), ("instrument", "KO.XNYS")]
)
def test_json_has_groups_and_orders(home: Path, by: str, name: str) -> None:
    write(load_config())
    shown = json.loads(run("--by", by, "--json").stdout)
    assert (shown["by"], shown["unmeasured"]) == (by, 0)
    (group,) = shown["groups"]
    assert (group["name"], group["shortfall"], group["shortfall_bps"]) == (name, "10.00", "20.0000")
    (order,) = shown["orders"]
    assert (order["order_id"], order["avg_px"], order["side"]) == (PARENT, "50.1", "BUY")
    assert (order["delay_cost"], order["spread_cost"], order["fees"]) == ("5.00", "5.00", "1.00")


def test_when_nothing_was_filled_a_sentence_says_so(home: Path) -> None:
    ended = run()
    assert ended.exit_code == 0
    assert ended.stdout == "There are no fills yet, so there is nothing to measure.\n"
    assert json.loads(run("--json").stdout) == {
        "by": "algorithm",
        "groups": [],
        "orders": [],
        "unmeasured": 0,
    }


def test_orders_without_an_arrival_price_are_counted_on_stderr(home: Path) -> None:
    write(load_config(), arrival_px=None)
    ended = run()
    assert ended.stdout == ""
    assert "1 orders have no arrival price" in ended.stderr
    assert run("--quiet").stderr == ""


def test_an_unknown_group_is_a_usage_error(home: Path) -> None:
    assert run("--by", "colour").exit_code == 2


def test_groups_of_the_command_are_those_of_the_report() -> None:
    assert [by.value for by in By] == [by.value for by in GroupBy]
