"""`trader ib`: the questions that only Interactive Brokers answers, against a stub of TWS."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cluster import ib_questions
from cluster.cli import ib, main
from cluster.ib_questions import one_line
from tests.dead_port import nobody_at
from tests.venues.ib.contracts import CALL
from tests.venues.ib.rig import IbRig

Trader = Callable[..., Any]
DAY_S = 86_400
NOTHING = (-1, -2, -1, 0, -2, -2, -2, -1)
FIRST = (0.3, 0.55, 2.5, 0.1, 0.02, 0.12, -0.05, 101.5)
SECOND = (0.31, 0.56, 2.6, 0.1, 0.000021, 0.12, -0.05, 101.75)
EVERY_QUESTION = (
    ("chain", "AAPL"),
    ("greeks", str(CALL)),
    ("scan", "MOST_ACTIVE"),
    ("news", "AAPL"),
)
CLIENT_LIBRARIES = ("ib_async", "alpaca", "ccxt", "quickfix", "aiohttp", "pandas", "ray")
WITH_IB = "from cluster.cli import ib, main; main.app.add_typer(ib.app, name='ib')\n"


@pytest.fixture
def rig() -> Iterator[IbRig]:
    running = IbRig()
    yield running
    asyncio.run(running.close())


@pytest.fixture
def file(home: Path, rig: IbRig) -> str:
    path = home / "ib.toml"
    path.write_text(
        f"[venues.ib]\nport = {rig.tws.port}\nclient_id = 7\n"
        "request_timeout_s = 60.0\nconnect_timeout_s = 60.0\n"
    )
    return str(path)


@pytest.fixture
def ask(trader: Trader, file: str, monkeypatch: pytest.MonkeyPatch) -> Trader:
    """Run one command of `trader ib` with the stub's configuration."""
    app = typer.Typer()
    app.add_typer(ib.app, name="ib")
    monkeypatch.setattr(main, "app", app)
    return lambda *words: trader("ib", *words, "-c", file)


def compute(rig: IbRig, *computed: tuple[float, ...]) -> None:
    """Let the stub tell these Greeks as soon as market data is asked for."""
    market = rig.tws.market
    receive = market.receive

    def answer(session: Any, kind: int, fields: list[str]) -> None:
        receive(session, kind, fields)
        if kind == 1:
            for values in computed:
                market.greeks(CALL, values)

    market.receive = answer


def publish(rig: IbRig, *texts: str) -> None:
    """Let there be headlines, one a day, the first of them of yesterday."""
    now = time.time()
    rig.tws.market.headlines = [
        (stamp(now - DAY_S * age), "BRFG", f"BRFG${age}", text) for age, text in enumerate(texts, 1)
    ]


def stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S.0", time.gmtime(seconds))


def cells(ended: Any) -> list[list[str]]:
    """The rows of the table below its heading."""
    lines = [line for line in ended.out.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def sentence(ended: Any) -> str:
    """What went wrong: one line on stderr, and nothing on stdout."""
    assert ended.out == ""
    (line,) = ended.err.splitlines()
    assert line.startswith("trader: ")
    return line


# -- answers


def test_chain_lists_the_expiries_with_the_strikes_of_all_exchanges(ask: Trader) -> None:
    ended = ask("chain", "AAPL")
    assert ended.status == 0, ended.err
    assert cells(ended) == [
        ["2026-12-18", "AAPL", "100", "3", "100", "120.5", "SMART CBOE"],
        ["2027-01-15", "AAPL", "100", "3", "100", "120.5", "SMART CBOE"],
    ]


def test_chain_of_one_day_lists_its_strikes(ask: Trader) -> None:
    found = cells(ask("chain", "AAPL", "--expiry", "2026-12-18"))
    assert [row[0] for row in found] == ["100", "110", "120.5"]
    assert found[0][3] == "SMART CBOE"


def test_chain_as_json_keeps_every_digit_of_a_strike_and_only_the_day_asked_for(
    ask: Trader,
) -> None:
    found = ask("chain", "AAPL", "--expiry", "20270115", "--json").json
    assert found["underlying"] == "AAPL.XNAS"
    assert [chain["exchange"] for chain in found["chains"]] == ["SMART", "CBOE"]
    assert found["chains"][0]["expiries"] == ["2027-01-15"]
    assert found["chains"][0]["strikes"] == ["100.0", "110.0", "120.5"]


def test_greeks_wait_for_the_first_values_that_are_whole(ask: Trader, rig: IbRig) -> None:
    compute(rig, NOTHING, FIRST)
    ended = ask("greeks", "AAPL261218C00110000")
    assert ended.status == 0, ended.err
    assert "Option:     AAPL261218C00110000.OPRA" in ended.out
    assert "Terms:      CALL 110 USD" in ended.out
    (row,) = cells(ended)
    assert row[1:] == ["30.00%", "0.55", "0.02", "0.12", "-0.05", "2.5", "101.5"]


def test_greeks_of_some_seconds_are_all_that_came(ask: Trader, rig: IbRig) -> None:
    compute(rig, FIRST, NOTHING, SECOND)
    # The stub says all at once; the seconds are for a busy machine to hear it.
    found = ask("greeks", str(CALL), "--seconds", "5", "--json").json
    assert found["option"]["strike"] == "110.0"
    assert found["option"]["right"] == "CALL"
    assert [each["implied_volatility"] for each in found["greeks"]] == [0.3, 0.31]
    assert [each["gamma"] for each in found["greeks"]] == [0.02, 0.000021]


def test_scan_ranks_what_it_finds_and_shows_no_more_than_wanted(ask: Trader) -> None:
    assert [row[:2] for row in cells(ask("scan", "TOP_PERC_GAIN"))] == [
        ["1", "KO.XNYS"],
        ["2", "AAPL.XNAS"],
    ]
    found = ask("scan", "TOP_PERC_GAIN", "--rows", "1", "--json").json
    assert [row["instrument_id"] for row in found["rows"]] == ["KO.XNYS"]


def test_scan_asks_for_the_market_that_is_named(ask: Trader, rig: IbRig) -> None:
    asked: list[list[str]] = []
    receive = rig.tws.market.receive

    def listen(session: Any, kind: int, fields: list[str]) -> None:
        asked.append(fields)
        receive(session, kind, fields)

    rig.tws.market.receive = listen
    assert ask("scan", "HOT_BY_VOLUME", "--location", "STK.NYSE", "--rows", "5").status == 0
    (fields,) = [each for each in asked if each[0] == "22"]
    assert fields[2:5] == ["5", "STK", "STK.NYSE"]
    assert "HOT_BY_VOLUME" in fields


def test_news_come_newest_first_and_no_more_than_wanted(ask: Trader, rig: IbRig) -> None:
    publish(rig, "Apple rises", "Apple falls", "Apple rests")
    assert [row[2] for row in cells(ask("news", "AAPL"))] == [
        "Apple rises", "Apple falls", "Apple rests",
    ]  # fmt: skip
    found = ask("news", "AAPL", "--rows", "2", "--json").json
    assert found["is_untrusted"]
    assert [each["text"] for each in found["headlines"]] == ["Apple rises", "Apple falls"]


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_headline_cannot_steer_the_terminal(ask: Trader, rig: IbRig, more: Any) -> None:
    publish(rig, "Up \x1b[2J\x1b]0;title\x07 \r\n| fake | row\u202egnp\u2028\x9b31m\u200b end")
    ended = ask("news", "AAPL", *more)
    assert ended.status == 0, ended.err
    assert all(each.isprintable() or each == "\n" for each in ended.out)
    assert "Up [2J ]0;title" in ended.out
    assert len(ended.out.splitlines()) == 3 or more


def test_one_line_keeps_letters_of_every_script() -> None:
    assert one_line(" Crédit\tAgricole\n日本 €5 \x00") == "Crédit Agricole 日本 €5"


def test_a_configured_instrument_is_known_by_its_own_name(ask: Trader, file: str) -> None:
    own = Path(file)
    own.write_text(
        f"{own.read_text()}[feed]\nvenue = 'ib'\n"
        "[[instruments]]\ninstrument_id = 'APPLE.XNAS'\nvenue_symbol = '265598'\n"
    )
    assert ask("chain", "APPLE.XNAS", "--json").json["underlying"] == "APPLE.XNAS"


def test_a_broken_data_farm_does_not_keep_from_asking(
    ask: Trader, rig: IbRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ib_questions, "RETRY_TIMEOUT_S", 60.0)
    rig.tws.says_on_login = [(2103, "Market data farm connection is broken:usfuture")]
    assert ask("chain", "AAPL").status == 0


# -- refusals


@pytest.mark.parametrize("words", [("chain", "NOPE"), ("greeks", "NOPE"), ("news", "NOPE")])
def test_an_unknown_contract_ends_with_6_and_is_named(ask: Trader, words: Any) -> None:
    ended = ask(*words)
    assert ended.status == 6
    assert "NOPE: No security definition" in sentence(ended)


@pytest.mark.parametrize("words", [("chain", "DUAL"), ("greeks", "DUAL"), ("news", "DUAL")])
def test_an_ambiguous_contract_ends_with_6_and_lists_the_candidates(
    ask: Trader, words: Any
) -> None:
    ended = ask(*words)
    assert ended.status == 6
    said = sentence(ended)
    assert "conId 38708077 STK DUAL NASDAQ USD; conId 38708078 STK DUAL NYSE USD" in said
    assert "name one of them" in said


def test_a_candidate_can_be_named_by_its_number(ask: Trader) -> None:
    assert ask("chain", "38708078", "--json").json["underlying"] == "DUAL.XNYS"


def test_a_day_without_options_ends_with_6_and_names_the_next(ask: Trader) -> None:
    ended = ask("chain", "AAPL", "--expiry", "2026-12-19")
    assert ended.status == 6
    assert "the next day is 2027-01-15" in sentence(ended)


def test_a_day_that_does_not_exist_ends_with_2(ask: Trader, rig: IbRig) -> None:
    ended = ask("chain", "AAPL", "--expiry", "2026-13-01")
    assert ended.status == 2
    assert "no such day" in sentence(ended)
    assert not rig.tws.logins


def test_greeks_of_a_stock_end_with_2(ask: Trader) -> None:
    ended = ask("greeks", "AAPL")
    assert ended.status == 2
    assert "AAPL.XNAS is no option" in sentence(ended)


def test_news_without_a_provider_end_with_6(ask: Trader, rig: IbRig) -> None:
    rig.tws.market._handlers = {
        **rig.tws.market._handlers,
        85: lambda market, session, fields: session.say([85, 0]),
    }
    ended = ask("news", "AAPL")
    assert ended.status == 6
    assert "subscribed to no news provider" in sentence(ended)


# -- silence


@pytest.mark.parametrize("words", EVERY_QUESTION)
def test_every_question_ends_with_5_when_tws_is_not_there(
    ask: Trader, rig: IbRig, words: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ib_questions, "RETRY_TIMEOUT_S", 0.1)
    rig.tws.stop_listening()
    with nobody_at(rig.tws.port):
        ended = ask(*words)
    assert ended.status == 5
    assert f"TWS at 127.0.0.1:{rig.tws.port} cannot be reached" in sentence(ended)


def test_a_client_id_in_use_ends_with_5_and_another_one_can_be_given(
    ask: Trader, rig: IbRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ib_questions, "RETRY_TIMEOUT_S", 0.1)
    rig.tws.call(rig.tws.sessions.__setitem__, 8, None)
    ended = ask("chain", "AAPL")
    assert ended.status == 5
    assert "client id 8 is in use" in sentence(ended)
    assert "--client-id" in ended.err
    assert ask("chain", "AAPL", "--client-id", "9").status == 0


def test_a_question_without_an_answer_ends_with_5(ask: Trader, rig: IbRig, file: str) -> None:
    own = Path(file)
    own.write_text(own.read_text().replace("request_timeout_s = 60.0", "request_timeout_s = 5.0"))
    rig.tws.market._handlers = {
        key: value for key, value in rig.tws.market._handlers.items() if key != 22
    }
    ended = ask("scan", "MOST_ACTIVE")
    assert ended.status == 5
    assert "did not answer reqScannerSubscription" in sentence(ended)


def test_greeks_that_do_not_come_end_with_5(
    ask: Trader, rig: IbRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ib_questions, "FIRST_GREEKS_TIMEOUT_S", 0.2)
    compute(rig, NOTHING)
    ended = ask("greeks", str(CALL))
    assert ended.status == 5
    assert f"no Greeks of {CALL} within 0.2 s: is its market open" in sentence(ended)


def test_greeks_end_with_5_when_the_connection_breaks(ask: Trader, rig: IbRig) -> None:
    receive = rig.tws.market.receive

    def cut(session: Any, kind: int, fields: list[str]) -> None:
        if kind == 1:
            session.reset()
        else:
            receive(session, kind, fields)

    rig.tws.market.receive = cut
    ended = ask("greeks", str(CALL))
    assert ended.status == 5
    sentence(ended)


def test_another_venue_in_the_table_of_ib_ends_with_3(trader: Trader, ask: Trader) -> None:
    Path("other.toml").write_text("[venues.ib]\nadapter = 'alpaca'\n")
    ended = trader("ib", "chain", "AAPL", "-c", "other.toml")
    assert ended.status == 3
    assert "[venues.ib] is not Interactive Brokers" in sentence(ended)


# -- the process


def test_the_library_adds_nothing_to_the_sentence(file: str, rig: IbRig) -> None:
    rig.tws.stop_listening()
    code = WITH_IB + (
        "from cluster import ib_questions; ib_questions.RETRY_TIMEOUT_S = 0.1\n"
        f"import sys; sys.argv[1:] = ['ib', 'chain', 'AAPL', '-c', {file!r}]; main.main()"
    )
    with nobody_at(rig.tws.port):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("words", [["--help"], ["ib", "--help"], ["ib", "chain", "--help"]])
def test_help_imports_no_client_library(words: list[str], home: Path) -> None:
    code = WITH_IB + (
        f"import sys\ntry: main.app({words!r})\nexcept SystemExit: pass\n"
        f"print([name for name in {CLIENT_LIBRARIES!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_a_missing_library_ends_with_3_and_names_the_extra(
    ask: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.venues.profile.find_spec", lambda name: None)
    ended = ask("chain", "AAPL")
    assert ended.status == 3
    assert 'pip install "neural-trader[ib]"' in sentence(ended)
