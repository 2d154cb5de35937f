"""From a configuration with a real venue to machines that trade there; and where its credentials are meanwhile."""

import os
import pickle
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors import host as host_module
from actors.venues.credentials import read_credentials
from cluster.client import venue_view
from cluster.config import Config
from cluster.launch import plan_of
from cluster.logs import HIDDEN, set_up_logs
from cluster.venue_access import access_of, remove_left_credentials
from tests.cluster.desk_config import desk_config
from tests.cluster.one_host import OneHost
from tests.cluster.remote_desk import KEY, SECRET, DeskServer
from tests.dead_port import nobody_at
from trading.algorithms.parameters import Listing, Twap
from trading.codec import encode
from trading.commands import ExecuteOrder
from trading.errors import AuthError, ConfigError, VenueRefused, VenueUnreachable
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    Venue,
    machine_name,
)
from trading.values import NANOS_PER_SECOND, DataKind, OrderSide


@pytest.fixture
def server() -> Iterator[DeskServer]:
    running = DeskServer()
    yield running
    running.close()


@pytest.fixture
def keys(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_KEY", KEY)
    monkeypatch.setenv("DESK_SECRET", SECRET)


@pytest.fixture
def config(server: DeskServer, keys: None, tmp_path: Path) -> Config:
    return desk_config(server, tmp_path)


# -- the plan


def test_plan_has_the_machines_of_a_real_venue_and_what_the_venue_says_of_its_symbols(
    config: Config,
) -> None:
    blueprint = plan_of(config, {}).blueprint
    assert set(blueprint.machines()) == {
        "ledger:ACC", "broker:desk:ACC", "risk:ACC", "book:desk", "feed:desk", "market:desk",
        "strategy:swing",
    }  # fmt: skip
    assert [each.instrument_id for each in blueprint.instruments] == ["AAPL.XNAS", "KO.XNAS"]
    assert blueprint.feed is not None
    assert blueprint.feed.kinds == {DataKind.QUOTES, DataKind.BARS}
    assert blueprint.feed.history_bars == 4  # as many as the strategy looks back
    assert blueprint.history == "market:desk"
    assert blueprint.budget == Decimal(50_000)
    assert not blueprint.is_live
    assert blueprint.capabilities is not None
    assert blueprint.capabilities.histories == {DataKind.BARS}


def test_plan_puts_the_market_into_a_process_of_its_own_and_starts_it_last(config: Config) -> None:
    plan = plan_of(config, {})
    assert {host.name: host.machines for host in plan.hosts}["market"] == ("market:desk",)
    assert plan.hosts[-1].name == "market"


def test_symbols_in_limits_mean_the_instruments_of_the_venue(
    server: DeskServer, keys: None, tmp_path: Path
) -> None:
    config = desk_config(
        server, tmp_path, risk={"restricted": ["KO"], "sectors": {"AAPL": "technology"}}
    )
    blueprint = plan_of(config, {}).blueprint
    assert blueprint.limits.restricted == ("KO.XNAS",)
    assert blueprint.instruments_by_id[InstrumentId("AAPL.XNAS")].sector == "technology"


def test_described_instruments_are_not_asked_for(
    server: DeskServer, keys: None, tmp_path: Path
) -> None:
    config = desk_config(
        server,
        tmp_path,
        feed={"symbols": ["KO", "AAPL"], "bar_interval": "1s"},
        instruments=[{"instrument_id": "AAPL.XNAS", "lot_size": 10}],
    )
    listed = plan_of(config, {}).blueprint.instruments_by_id
    assert listed[InstrumentId("AAPL.XNAS")].lot_size == 10
    assert listed[InstrumentId("KO.XNAS")].lot_size == 1


def test_too_short_a_history_is_refused_before_anything_is_asked(
    server: DeskServer, keys: None, tmp_path: Path
) -> None:
    config = desk_config(server, tmp_path, feed={"symbols": ["KO"], "history_bars": 3})
    with pytest.raises(ConfigError, match="look 4 bars back"):
        plan_of(config, {})


def test_unknown_symbol_is_what_the_venue_says(
    server: DeskServer, keys: None, tmp_path: Path
) -> None:
    config = desk_config(server, tmp_path, feed={"symbols": ["NOPE"]})
    with pytest.raises(VenueRefused, match="unknown symbols: NOPE"):
        plan_of(config, {})


def test_venue_that_does_not_answer_ends_the_start(
    config: Config, server: DeskServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster import venue_questions

    monkeypatch.setattr(venue_questions.ask_instruments, "__defaults__", (1.0,))
    server.close()
    with nobody_at(server.port), pytest.raises(VenueUnreachable, match="nothing was started"):
        plan_of(config, {})


def test_refused_credentials_end_the_start_after_one_attempt(
    config: Config, server: DeskServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_SECRET", "canary-77-wrong")
    with pytest.raises(AuthError) as caught:
        plan_of(config, {})
    assert HIDDEN in str(caught.value)
    assert "canary-77-wrong" not in str(caught.value)
    assert server.refused == 1


# -- credentials


def test_missing_credentials_are_named(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESK_KEY")
    monkeypatch.delenv("DESK_SECRET")
    with pytest.raises(AuthError, match="DESK_KEY and DESK_SECRET are not set"):
        access_of(config)


def test_credentials_are_read_from_a_private_env_file_and_the_shell_wins(
    config: Config, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESK_SECRET")
    env = home / ".env"
    env.write_text(f"DESK_SECRET={SECRET}\nDESK_KEY=other\n")
    env.chmod(0o600)
    assert access_of(config).credentials["desk"] == {"DESK_KEY": KEY, "DESK_SECRET": SECRET}
    env.chmod(0o644)
    with pytest.raises(AuthError, match="chmod 600"):
        access_of(config)


def test_an_env_file_that_others_can_read_does_not_matter_when_it_holds_no_credential(
    config: Config, home: Path
) -> None:
    (home / ".env").write_text("TRADER_LOGGING__LEVEL=INFO\n")
    (home / ".env").chmod(0o644)
    assert access_of(config).credentials["desk"]["DESK_SECRET"] == SECRET


def test_only_a_private_file_holds_the_credentials_and_no_child_inherits_them(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", "of another installed venue")
    access = access_of(config)
    access.withhold()
    assert not {"DESK_KEY", "DESK_SECRET", "ALPACA_API_KEY"} & os.environ.keys()
    (path,) = access.write()
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert Path(path).parent.stat().st_mode & 0o777 == 0o700
    assert read_credentials(path) == {"DESK_KEY": KEY, "DESK_SECRET": SECRET}
    Path(path).chmod(0o640)
    with pytest.raises(AuthError, match="can be read by others"):
        read_credentials(path)
    remove_left_credentials(config)
    assert not Path(path).parent.exists()


def test_plan_travels_without_a_credential(config: Config) -> None:
    access = access_of(config)
    plan = plan_of(config, {}, access)
    travels = pickle.dumps(plan) + repr(plan).encode() + repr(access).encode()
    assert SECRET.encode() not in travels
    assert KEY.encode() not in travels
    assert plan.credentials_files == (access.path("desk"),)


# -- the machines, without Ray


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Config], OneHost]]:
    monkeypatch.setattr(host_module, "_node_id", lambda: "here")
    running: list[OneHost] = []

    def start(config: Config) -> OneHost:
        access = access_of(config)
        running.append(OneHost(config, access, plan_of(config, {}, access)))
        return running[0]

    yield start
    for each in running:
        each.host.stop()


def test_cluster_trades_at_the_venue_and_its_books_are_the_venues(
    config: Config, server: DeskServer, run: Callable[[Config], OneHost], tmp_path: Path
) -> None:
    set_up_logs(folder=tmp_path / "logs", process="test", quiet=True)
    one = run(config)
    views = one.wait(lambda v: len(v["ledger:ACC"]["recent_fills"]) >= 4, "fills")
    seen = venue_view(one.plan.blueprint, views)
    assert (seen.is_connected, seen.is_ready, seen.feed_problem) == (True, True, "")
    logins = server.logins
    server.cut()
    one.wait(
        lambda v: server.logins >= logins + 2 and v["broker:desk:ACC"]["is_ready"],
        "the new sessions",
    )
    before = {fill.trade_id for fill in server.desk.fills}
    one.wait(lambda v: newest_fills(v) - before, "a fill after the cut")
    one.wait(lambda v: agrees(server, v), "books that agree")
    one.host.stop()
    assert not server.desk.duplicates
    secrets = (SECRET.encode(), KEY.encode())
    credentials = one.plan.credentials_files[0]
    files = [path for path in tmp_path.rglob("*") if path.is_file() and str(path) != credentials]
    assert len(files) > 3
    assert not [path for path in files if any(s in path.read_bytes() for s in secrets)]


def test_desk_of_the_cluster_works_a_large_order_in_parts(
    server: DeskServer, keys: None, run: Callable[[Config], OneHost], tmp_path: Path
) -> None:
    one = run(desk_config(server, tmp_path, execution={"desk": "main", "strategies": ["manual"]}))
    one.wait(
        lambda v: (
            v["broker:desk:ACC"]["is_ready"] and not any(v["execution:main"]["left_out"].values())
        ),
        "the broker and the quotes",
    )
    order = ExecuteOrder(
        client_order_id=ClientOrderId("d" * 32),
        strategy_id=StrategyId("manual"),
        side=OrderSide.BUY,
        quantity=Decimal(12),
        listings=(Listing(Venue("desk"), AccountId("ACC"), InstrumentId("KO.XNAS")),),
        # Slices so far apart that a busy machine begins each before the next is due.
        algorithm=Twap(window_ns=14 * NANOS_PER_SECOND, slices=4),
    )
    one.host.command(machine_name("execution", "main"), encode(order))
    views = one.wait(lambda v: v["execution:main"]["ended"], "the end of the execution")
    assert not views["execution:main"]["refused"]
    filled = [fill for fill in server.desk.fills if fill.last_qty == 3]
    assert len(filled) == 4


def newest_fills(views: Any) -> set[str]:
    return {fill["trade_id"] for fill in views["ledger:ACC"]["recent_fills"]}


def agrees(server: DeskServer, views: Any) -> bool:
    ours = {p["instrument_id"]: p["quantity"] for p in views["ledger:ACC"]["positions"]}
    return (ours, views["ledger:ACC"]["cash"]) == server.books()


def test_refused_credentials_show_by_name_and_are_not_tried_again(
    config: Config,
    server: DeskServer,
    run: Callable[[Config], OneHost],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They were good when the cluster was planned; the venue withdrew them."""
    one = run(config)
    one.wait(lambda v: v["broker:desk:ACC"]["is_ready"], "the broker")
    server.withdraw("another-secret")
    views = one.wait(
        lambda v: venue_view(one.plan.blueprint, v).refusal and v["market:desk"]["given_up"],
        "the refusal",
    )
    seen = venue_view(one.plan.blueprint, views)
    assert seen.name == Venue("desk")
    assert "is not known" in seen.summary
    assert HIDDEN in seen.summary
    assert SECRET not in repr(views)
    assert seen.feed_problem.startswith("REFUSED")
    assert server.refused == 2  # one for each connection, and no more
    assert one.plan.blueprint.account_id == AccountId("ACC")
