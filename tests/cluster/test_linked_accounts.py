"""Several accounts in one cluster: what is refused, who has which machines, and one order over all of them."""

import pickle
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.blueprint import ReplayPlan, StrategyPlan, build
from actors.journal.open import open_journal
from actors.venues.credentials import read_credentials
from cluster.config import Config, load_config
from cluster.config.accounts import accounts_of
from cluster.launch import plan_of
from cluster.venue_access import access_of
from serve.desk.view import ClusterSnapshot, LinkedView, VenueView
from tests.cluster.desk_config import two_desk_config
from tests.cluster.remote_desk import KEY, SECRET, DeskServer
from trading.algorithms.desk import ExecutionDesk
from trading.codec import decode, encode
from trading.commands import SubmitOrder
from trading.errors import AuthError, ConfigError
from trading.events import KillSwitchReset, KillSwitchTripped, OrderFilled, OrderSubmitted
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    MachineName,
    StrategyId,
    StreamName,
    TradeId,
    Venue,
    VenueOrderId,
)
from trading.risk.gate import RiskGate
from trading.values import OrderSide

CANARY = "canary-west-41aa"
FILE = """
[account]
venue = "east"
account_id = "E1"
capital = 50_000
[accounts.west]
account_id = "W1"
capital = 40_000
symbols = ["KO"]
[venues.east]
adapter = "tests.cluster.remote_desk:REMOTE_DESK"
[venues.west]
adapter = "tests.cluster.remote_desk:REMOTE_DESK"
[feed]
symbols = ["KO"]
[execution]
desk = "main"
strategies = ["manual"]
"""
REPLAY = ReplayPlan(source="sp500", symbols=("KO",), days=1, pace_ns=0, settle_timeout_ns=1)
LIVE = '[cluster]\nmode = "live"\n[live]\nconfirm_account = '


@pytest.fixture
def work(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = home / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def east() -> Iterator[DeskServer]:
    running = DeskServer(account_id=AccountId("E1"), size=30)
    yield running
    running.close()


@pytest.fixture
def west() -> Iterator[DeskServer]:
    running = DeskServer(secret=CANARY, account_id=AccountId("W1"), size=30)
    yield running
    running.close()


@pytest.fixture
def config(
    east: DeskServer, west: DeskServer, work: Path, monkeypatch: pytest.MonkeyPatch
) -> Config:
    monkeypatch.setenv("DESK_KEY", KEY)
    monkeypatch.setenv("EAST_SECRET", SECRET)
    monkeypatch.setenv("WEST_SECRET", CANARY)
    return two_desk_config(east, west, work)


def config_of(text: str) -> Config:
    path = Path("own.toml")
    path.write_text(text, encoding="utf-8")
    return load_config(path)


# -- configuration


def test_each_account_has_a_configuration_of_its_own(work: Path) -> None:
    first, second = accounts_of(
        config_of(FILE.replace("symbols", 'bars_from = "quotes"\nsymbols', 1))
    )
    assert (first.account.account_id, first.feed.bars_from) == ("E1", "bars")
    assert (second.account.venue, second.account.account_id) == ("west", "W1")
    assert second.feed.bars_from == "quotes"
    assert second.execution.desk is None
    assert second.cluster == first.cluster


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('account_id = "W1"', "", ["accounts.west.account_id is missing"]),
        ("capital = 40_000", "", ["accounts.west.capital is missing"]),
        ('symbols = ["KO"]\n[venues.east]', "[venues.east]",
         ["accounts.west.symbols is missing", "[[accounts.west.instruments]]"]),
        ('account_id = "W1"', 'account_id = "E1"', ["two accounts have the account_id E1"]),
        ("[accounts.west]", '[accounts.west]\nvenue = "east"', ["two accounts have the venue east"]),
        ("[accounts.west]", '[accounts.west]\nvenue = "paper"', ["accounts.west.venue is paper, a simulation"]),
        ("[accounts.west]", '[accounts.west]\nvenue = "alpca"', ["accounts.west.venue", "did you mean alpaca?"]),
        ("[accounts.west]", '[accounts.west]\nfeed_venue = "x"', ["accounts.west.feed_venue", "x"]),
        ("[accounts.west]", '[accounts.west]\nkinds = ["books"]', ["correct accounts.west.kinds"]),
        ("[accounts.west]", '[accounts.west]\nsymbol = "KO"', ["did you mean accounts.west.symbols?"]),
        ("[accounts.west]", "[accounts.west]\nsecret = 'x'", ["looks like a credential"]),
        ('desk = "main"', "", ["execution.desk is missing"]),
        ("[execution]", "[strategies.manual]\nkind = 'momentum'\n[execution]", ["take another id"]),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(work: Path, old: str, new: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(FILE.replace(old, new, 1))
    assert len(str(caught.value).splitlines()) == 1, caught.value
    for word in words:
        assert word in str(caught.value)


def test_accounts_beside_a_replay_are_refused_by_name(work: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs a real venue in \[account\]"):
        config_of(FILE.replace('venue = "east"', 'venue = "paper"', 1))
    with pytest.raises(ConfigError, match=r"execution.strategies is for real venues"):
        config_of('[execution]\ndesk = "main"\nstrategies = ["manual"]\n')


@pytest.mark.parametrize(
    ("written", "typed", "passes"),
    [
        ('["E1", "W1"]', "E1,W1", True),
        ('"W1,E1"', "W1, E1", True),
        ('"E1"', "E1,W1", False),
        ('["E1", "W1"]', "E1", False),
        ('["E1", "W1", "X"]', "E1,W1,X", False),
    ],
)
def test_live_money_needs_every_account_confirmed(
    work: Path, monkeypatch: pytest.MonkeyPatch, written: str, typed: str, passes: bool
) -> None:
    monkeypatch.setenv("TRADER_LIVE_CONFIRM", typed)
    if passes:
        assert config_of(f"{LIVE}{written}\n{FILE}").cluster.mode == "live"
        return
    with pytest.raises(AuthError, match="E1,W1"):
        config_of(f"{LIVE}{written}\n{FILE}")


# -- the blueprint


def test_plan_has_the_machines_of_every_account_and_one_desk(config: Config) -> None:
    access = access_of(config)
    plan = plan_of(config, {}, access)
    blueprint = plan.blueprint
    assert blueprint.machines() == (
        "ledger:E1", "broker:east:E1", "risk:E1", "book:east", "feed:east", "market:east", "execution:main",
        "ledger:W1", "broker:west:W1", "risk:W1", "book:west", "feed:west", "market:west",
    )  # fmt: skip
    (linked,) = blueprint.linked
    assert blueprint.owner(MachineName("broker:west:W1")) is linked
    assert blueprint.owner(MachineName("execution:main")) is blueprint
    assert linked.traders == blueprint.traders == ("manual",)
    assert linked.budget == 40_000
    assert {host.name: host.machines for host in plan.hosts}["market"] == (
        "market:east",
        "market:west",
    )
    assert plan.credentials_files == (access.path("east"), access.path("west"))
    travels = pickle.dumps(plan) + repr(plan).encode() + repr(access).encode()
    assert not [secret for secret in (SECRET, CANARY, KEY) if secret.encode() in travels]


def test_each_machine_is_built_for_its_own_account(config: Config) -> None:
    blueprint = plan_of(config, {}).blueprint
    desk = build(blueprint, MachineName("execution:main"), b"s")()
    assert isinstance(desk, ExecutionDesk)
    assert [(a.venue, a.account_id, a.fees.taker_bps) for a in desk.config.accounts] == [
        ("east", "E1", 1),
        ("west", "W1", 2),
    ]
    risk = build(blueprint, MachineName("risk:W1"), b"s")()
    assert isinstance(risk, RiskGate)
    assert risk.subscribes == ("book.west.",)
    for name in blueprint.machines():
        assert build(blueprint, name, b"s")().name == name


def test_accounts_that_cannot_be_told_apart_cannot_be_linked(config: Config) -> None:
    blueprint = plan_of(config, {}).blueprint
    (linked,) = blueprint.linked
    strategy = StrategyPlan(strategy_id=StrategyId("s"), kind="momentum", capital=Decimal(1))
    for changes, words in (
        ({"account_id": AccountId("E1")}, "differ in account_id"),
        ({"venue": Venue("east")}, "differ in venue"),
        ({"strategies": (strategy,)}, "no strategies"),
        ({"feed": None, "replay": REPLAY, "traders": ()}, "real venues only"),
    ):
        wrong = msgspec.structs.replace(linked, **changes)
        with pytest.raises(ValueError, match=words):
            msgspec.structs.replace(blueprint, linked=(wrong,))


def test_each_venue_has_a_credentials_file_of_its_own(config: Config) -> None:
    paths = access_of(config).write()
    found = [read_credentials(path) for path in paths]
    assert found == [
        {"DESK_KEY": KEY, "EAST_SECRET": SECRET},
        {"DESK_KEY": KEY, "WEST_SECRET": CANARY},
    ]


# -- what people see and stop


BROKER: dict[str, Any] = {
    "sequence": 1, "open_orders": [], "kill": {"is_latched": True, "is_done": True, "canceled": 2},
    "is_connected": True, "is_ready": True, "disconnection": None, "mismatches": [], "contradictions": [],
    "clock": {"skew_ms": 1.0},
}  # fmt: skip


def order(key: str, ts: int, status: str) -> dict[str, Any]:
    return {
        "client_order_id": key * 32, "strategy_id": "manual", "instrument_id": "KO.XNAS", "side": "BUY",
        "quantity": Decimal(1), "filled_qty": Decimal(0), "avg_px": None, "status": status, "code": "",
        "purpose": "", "ts_last": ts,
    }  # fmt: skip


def snapshot_of_two() -> ClusterSnapshot:
    up = VenueView(name=Venue("east"), is_connected=True, is_ready=True)
    lost = VenueView(name=Venue("west"), reason="reset")
    west = LinkedView(
        account_id=AccountId("W1"),
        venue=lost,
        machines={
            "broker:west:W1": {**BROKER, "kill": {}},
            "ledger:W1": {
                "equity": Decimal(7),
                "drawdown": 0.0,
                "recent_orders": [order("b", 5, "FILLED")],
            },
            "risk:W1": {"state": "ACTIVE"},
        },
    )
    return ClusterSnapshot(
        venue=up,
        linked=(west,),
        machines={
            "broker:east:E1": {**BROKER, "open_orders": [order("a", 3, "ACCEPTED")]},
            "ledger:E1": {"equity": Decimal(9), "recent_orders": [order("c", 9, "CANCELED")]},
            "execution:main": {"running": [{}], "left_out": {"KO.XNAS at west with W1": "there is no book"}},
        },
    )  # fmt: skip


def test_orders_and_status_show_every_account(
    trader: Callable[..., Any], cluster: Any, work: Path
) -> None:
    Path("own.toml").write_text(FILE)
    cluster.snapshots = [snapshot_of_two()]
    rows = trader("orders", "-c", "own.toml", "--json").json["orders"]
    found = [(row["account"], row["client_order_id"][0]) for row in rows]
    assert found == [("E1", "a"), ("E1", "c"), ("W1", "b")]
    shown = trader("orders", "-c", "own.toml").out
    assert shown.startswith("| account ")
    only = trader("orders", "-c", "own.toml", "--account", "W1").out
    assert "bbbbbbbb" in only
    assert "aaaaaaaa" not in only
    assert trader("orders", "-c", "own.toml", "--account", "X").status == 2
    status = trader("status", "-c", "own.toml").out
    assert "west: not connected: reset; ACTIVE, kill switch off, equity 7.00" in status
    assert "1 large orders; KO.XNAS at west with W1: there is no book" in status


def test_without_a_cluster_the_journal_of_every_account_is_read(
    trader: Callable[..., Any], no_cluster: None, work: Path
) -> None:
    config = config_of(FILE)
    journal = open_journal(config.cluster.journal)
    for venue, account in (("east", "E1"), ("west", "W1")):
        stream = StreamName(f"account:{venue}:{account}")
        facts = [encode(fact) for fact in facts_of(account)]
        journal.append(stream, journal.acquire(stream, "test"), facts, 1)
    journal.close()
    rows = trader("positions", "-c", "own.toml", "--json").json["positions"]
    assert [(row["account"], row["quantity"]) for row in rows] == [("E1", "4"), ("W1", "4")]
    fills = trader("fills", "-c", "own.toml", "--json", "--account", "W1").json["fills"]
    assert [row["trade_id"] for row in fills] == ["T-W1"]


def facts_of(account: str) -> list[Any]:
    about: dict[str, Any] = {
        "client_order_id": ClientOrderId(account * 16), "strategy_id": StrategyId("manual"),
        "instrument_id": InstrumentId("KO.XNAS"),
    }  # fmt: skip
    submit = SubmitOrder(
        **about, account_id=AccountId(account), side=OrderSide.BUY, quantity=Decimal(4)
    )
    return [
        OrderSubmitted(**about, order=submit, epoch=1),
        OrderFilled(
            **about, venue_order_id=VenueOrderId("1"), trade_id=TradeId(f"T-{account}"),
            side=OrderSide.BUY, last_qty=Decimal(4), last_px=Decimal(50), commission=Decimal(0),
        ),
    ]  # fmt: skip


def test_without_a_cluster_the_switch_of_every_account_latches_in_the_journal(
    trader: Callable[..., Any], no_cluster: None, work: Path
) -> None:
    config = config_of(FILE)
    ended = trader("kill", "--yes", "-c", "own.toml", "--json")
    assert ended.status == 8
    assert [each["account_id"] for each in ended.json["venues"]] == ["E1", "W1"]
    trader("kill", "--reset", "--reason", "checked", "--yes", "-c", "own.toml")
    journal = open_journal(config.cluster.journal)
    for account in ("E1", "W1"):
        facts = [decode(record.payload) for record in journal.read(StreamName(f"kill:{account}"))]
        assert [type(fact) for fact in facts] == [KillSwitchTripped, KillSwitchReset]
    journal.close()


def test_a_run_is_clean_when_every_account_agrees_with_its_venue(traded_run: Any) -> None:
    up = VenueView(name=Venue("east"), is_connected=True, is_ready=True)
    result = msgspec.structs.replace(traded_run.result, venue=up, linked=(up,))
    assert result.is_clean
    down = msgspec.structs.replace(up, is_ready=False)
    assert not msgspec.structs.replace(result, linked=(down,)).is_clean
