"""`trader execute` and `trader cancel`: a large order over two accounts of a running cluster."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from actors import host as host_module
from actors.journal.open import open_journal
from actors.simulation.memory_journal import Disk, MemoryJournal
from cluster import client
from cluster.cli import execute
from cluster.cli.execute_options import AlgorithmName, algorithm_of, number
from cluster.execution_story import ExecutionStory
from cluster.launch import plan_of
from cluster.venue_access import access_of
from tests.cluster.desk_config import two_desk_config
from tests.cluster.one_host import OneHost
from tests.cluster.remote_desk import KEY, SECRET, DeskServer
from trading.algorithms.facts import ChildPlanned
from trading.algorithms.parameters import Bracket, ChildRole, Iceberg, Twap, Vwap
from trading.codec import encode
from trading.commands import SubmitOrder
from trading.errors import UsageError
from trading.events import OrderAccepted, OrderFilled
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
from trading.values import NANOS_PER_SECOND, OrderSide


@pytest.fixture
def servers(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[DeskServer, DeskServer]]:
    for name in ("DESK_KEY", "EAST_SECRET", "WEST_SECRET"):
        monkeypatch.setenv(name, KEY if name == "DESK_KEY" else SECRET)
    running = [DeskServer(account_id=AccountId(name), size=30, swing=0.0) for name in ("E1", "W1")]
    yield running[0], running[1]
    for each in running:
        each.close()


class View:
    """What the command sees of the cluster: the host of this process instead of Ray's."""

    def __init__(self, one: OneHost) -> None:
        self.blueprint = one.plan.blueprint
        self.journal = open_journal(one.plan.surroundings.journal_url)
        self.is_deaf = False
        self._host = one.host

    def command(self, to: Any, message: Any) -> None:
        if not self.is_deaf:
            self._host.command(to, encode(message))


@pytest.fixture
def one(
    servers: tuple[DeskServer, DeskServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OneHost]:
    monkeypatch.setattr(host_module, "_node_id", lambda: "here")
    config = two_desk_config(*servers, tmp_path)
    access = access_of(config)
    running = OneHost(config, access, plan_of(config, {}, access))
    running.wait(
        lambda v: (
            not any(v["execution:main"]["left_out"].values())
            and all(v[name]["is_ready"] for name in ("broker:east:E1", "broker:west:W1"))
        ),
        "both venues",
    )
    yield running
    running.host.stop()


@pytest.fixture
def view(one: OneHost, monkeypatch: pytest.MonkeyPatch) -> View:
    found = View(one)
    monkeypatch.setattr(client, "connect", lambda _: found)
    monkeypatch.setattr(execute, "ANSWER_S", 60.0)  # on a busy machine the desk answers late
    return found


def agree(servers: tuple[DeskServer, DeskServer], views: Any) -> bool:
    for server, name in zip(servers, ("ledger:E1", "ledger:W1"), strict=True):
        ours = {p["instrument_id"]: p["quantity"] for p in views[name]["positions"]}
        if (ours, views[name]["cash"]) != server.books():
            return False
    return True


def test_one_order_is_filled_over_both_accounts_and_followed_to_its_end(
    trader: Callable[..., Any], view: View, one: OneHost, servers: tuple[DeskServer, DeskServer]
) -> None:
    ended = trader("execute", "buy", "50", "AAPL", "--follow", "--window", "5s")
    assert ended.status == 0, ended
    assert "ended FILLED, filled 50" in ended.out
    assert "AAPL.XNAS at east with E1" in ended.out
    assert "AAPL.XNAS at west with W1" in ended.out
    assert [sum(fill.last_qty for fill in each.desk.fills) for each in servers] == [30, 20]
    one.wait(lambda v: agree(servers, v), "books that agree")
    key = ended.out.splitlines()[-1].split()[0]
    told = trader("execute", "BUY", "50", "AAPL", "--id", key, "--json", "--follow").json
    assert (told["state"], told["filled_qty"]) == ("ENDED FILLED", "50")
    assert [row["venue"] for row in told["children"]] == ["east", "west"]
    assert {row["status"] for row in told["children"]} == {"FILLED"}
    assert sum(len(each.desk.submitted) for each in servers) == 2  # the same id is worked once


def test_over_one_venue_the_other_gets_nothing_and_cancel_ends_it(
    trader: Callable[..., Any], view: View, servers: tuple[DeskServer, DeskServer]
) -> None:
    words = ("--algorithm", "twap", "--window", "1h", "--slices", "60", "--over", "west")
    ended = trader("execute", "BUY", "60", "KO.XNAS", *words, "--json")
    assert (ended.status, ended.json["state"]) == (0, "STARTED")
    told = trader("cancel", ended.json["execution"], "--follow", "--json")
    assert (told.status, told.json["state"]) == (1, "ENDED CANCELED")
    assert not servers[0].desk.submitted
    assert trader("cancel", "f" * 32).status == 2


def test_a_mistake_is_named_before_anything_is_sent(
    trader: Callable[..., Any], view: View, servers: tuple[DeskServer, DeskServer]
) -> None:
    for words, said in (
        (("BUY", "5", "NOPE"), "traded at none of east, west"),
        (("BUY", "5", "KO", "--over", "north"), "trades at east, west"),
        (("BUY", "5", "KO", "--strategy", "swing"), "'swing' may not trade; who may: manual"),
        (("BUY", "0.5", "KO"), "smallest order"),
        (("BUY", "5", "KO", "--algorithm", "iceberg", "--display", "1"), "limit"),
        (("BUY", "5", "KO", "--algorithm", "bracket", "--take-profit", "9", "--stop-loss", "8"), "one listing"),
        (("BUY", "5", "KO", "--algorithm", "twap", "--window", "1m"), "twap needs --slices"),
        (("BUY", "five", "KO"), "is not a number"),
    ):  # fmt: skip
        ended = trader("execute", *words)
        assert (ended.status, said in ended.err) == (2, True), ended
    assert not any(each.desk.submitted for each in servers)


def test_a_desk_that_does_not_answer_is_exit_code_7_with_the_id_to_ask_again(
    trader: Callable[..., Any], view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "ANSWER_S", 0.1)
    view.is_deaf = True
    ended = trader("execute", "BUY", "5", "KO")
    assert (ended.status, "ask again with --id" in ended.err) == (7, True)


def test_options_become_the_fields_of_the_algorithm() -> None:
    second = NANOS_PER_SECOND
    route = algorithm_of(AlgorithmName.ROUTE, {"window_ns": None})
    assert route == Twap(window_ns=10 * second, slices=1, must_complete=False)
    assert algorithm_of(AlgorithmName.VWAP, {"window_ns": 9, "volumes": (Decimal(1),)}) == Vwap(
        window_ns=9, volumes=(Decimal(1),)
    )
    assert algorithm_of(AlgorithmName.ICEBERG, {"display_qty": Decimal(3)}) == Iceberg(
        display_qty=Decimal(3)
    )
    exits = {
        "take_profit_px": Decimal(9),
        "stop_loss_px": Decimal(7),
        "rests": ChildRole.TAKE_PROFIT,
    }
    assert algorithm_of(AlgorithmName.BRACKET, exits) == Bracket(**exits)
    with pytest.raises(UsageError, match="route has no --slices"):
        algorithm_of(AlgorithmName.ROUTE, {"slices": 2})
    for text in ("x", "nan", "1e"):
        with pytest.raises(typer.BadParameter):
            number(text)


def test_story_counts_a_fill_once_and_leaves_other_orders_out(
    one: OneHost,
) -> None:
    journal, blueprint = MemoryJournal(Disk()), one.plan.blueprint
    key, child = ClientOrderId("1" * 32), ClientOrderId("2" * 32)
    about: dict[str, Any] = {
        "client_order_id": child, "strategy_id": StrategyId("manual"),
        "instrument_id": InstrumentId("KO.XNAS"),
    }  # fmt: skip
    submit = SubmitOrder(
        **about, account_id=AccountId("W1"), side=OrderSide.BUY, quantity=Decimal(4)
    )
    fill = OrderFilled(
        **about, venue_order_id=VenueOrderId("1"), trade_id=TradeId("T1"), side=OrderSide.BUY,
        last_qty=Decimal(3), last_px=Decimal(50), commission=Decimal(0),
    )  # fmt: skip
    foreign = msgspec.structs.replace(fill, client_order_id=key, trade_id=TradeId("T2"))
    planned = ChildPlanned(
        parent_order_id=key, order=submit, venue=Venue("west"), role=ChildRole.PART, step=0
    )
    accepted = OrderAccepted(**about, venue_order_id=VenueOrderId("1"))
    story = ExecutionStory(journal, blueprint, key, from_start=False)
    for stream, facts in (
        ("account:west:W1", [fill, fill, foreign, accepted]),
        ("execution:main", [planned]),
    ):
        name = StreamName(stream)
        journal.append(name, journal.acquire(name, "test"), [encode(fact) for fact in facts], 1)
    assert [type(fact) for fact in story.poll()] == [ChildPlanned, OrderFilled]
    (row,) = story.children.values()
    assert (row.filled_qty, row.status) == (3, "PARTIALLY_FILLED")
    assert story.poll() == []
