"""Venues in the configuration: what is accepted, and the sentence for each mistake."""

from decimal import Decimal
from pathlib import Path

import pytest

from cluster.config import Config, load_config
from cluster.config.venue_checks import adapter_of, feed_venue, is_simulated
from trading.errors import ConfigError
from trading.values import NANOS_PER_SECOND, DataKind

CANARY = "canary-90ab"
DESK = """
[account]
venue = "desk"
account_id = "ACC"
capital = 50_000
[venues.desk]
adapter = "tests.cluster.remote_desk:REMOTE_DESK"
port = 1234
[feed]
symbols = ["KO"]
"""


@pytest.fixture(autouse=True)
def work(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = home / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def config_of(text: str) -> Config:
    path = Path("own.toml")
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def problem_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config_of(text)
    return str(caught.value)


def test_a_complete_venue_is_accepted() -> None:
    config = config_of(DESK)
    assert not is_simulated(config)
    assert adapter_of(config, "desk") == "tests.cluster.remote_desk:REMOTE_DESK"
    assert config.venues["desk"].options == {"port": 1234}
    assert feed_venue(config) == "desk"
    assert config.feed.streamed == {DataKind.QUOTES, DataKind.BARS}
    assert config.feed.bar_interval_ns == 60 * NANOS_PER_SECOND


def test_without_a_table_a_venue_is_the_installed_one_of_that_name() -> None:
    config = config_of('[venues.binance]\nadapter = "paper"\n')
    assert adapter_of(config, "binance") == "paper"
    assert adapter_of(config, "paper") == "paper"
    assert is_simulated(config)


def test_a_table_that_is_our_own_exchange_is_simulated_whatever_its_name() -> None:
    assert is_simulated(config_of('[account]\nvenue = "p"\n[venues.p]\nadapter = "paper"\n'))


def test_options_from_the_environment_are_read_as_their_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRADER_VENUES__DESK__PORT", "4711")
    monkeypatch.setenv("TRADER_FEED__KINDS", "quotes,bars")
    config = config_of(DESK)
    assert config.venues["desk"].options == {"port": 4711}
    assert config.feed.kinds == (DataKind.QUOTES, DataKind.BARS)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("port = 1234", "prot = 1", ["venues.desk.prot in own.toml", "did you mean venues.desk.port?"]),
        ("port = 1234", "port = 'x'", ["venues.desk in own.toml", "port", "int"]),
        ("REMOTE_DESK", "REMOTE_DEKS", ["venues.desk", "cannot be loaded", "REMOTE_DEKS"]),
        ("REMOTE_DESK", "KEY", ["venues.desk", "not a VenueProfile"]),
        ('venue = "desk"', 'venue = "alpca"', ["account.venue", "did you mean alpaca?"]),
        ('account_id = "ACC"', "", ["account.account_id is missing"]),
        ("capital = 50_000", "", ["account.capital is missing"]),
        ('symbols = ["KO"]', "", ["feed.symbols is missing"]),
        ("[feed]", '[feed]\nkinds = ["books"]', ["does not stream books but bars, quotes"]),
        ("[feed]", '[feed]\nkinds = ["bars"]', ["feed.kinds must hold quotes or books"]),
        ("[feed]", '[feed]\nbar_interval = "1 minute"', ["feed.bar_interval", "such as 1m"]),
        ("[feed]", '[feed]\nvenue = "nowhere"', ["feed.venue", "nowhere"]),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(old: str, new: str, words: list[str]) -> None:
    problem = problem_of(DESK.replace(old, new))
    assert len(problem.splitlines()) == 1, problem
    for word in words:
        assert word in problem


@pytest.mark.parametrize(
    "line",
    [
        "[venues.desk]\nsecret_key = ",
        "[venues.desk]\napiKey = ",
        "[venues.desk]\npassphrase = ",
        "[account]\napi_key = ",
        "[cluster]\ntoken = ",
    ],
)
def test_a_credential_in_the_file_is_refused_without_being_shown(line: str) -> None:
    section, _, key = line.partition("\n")
    text = DESK if section in DESK else f"{DESK}{section}\n"
    problem = problem_of(text.replace(section, f"{section}\n{key}'{CANARY}'"))
    assert "looks like a credential" in problem
    assert "export" in problem
    assert ".env" in problem
    assert CANARY not in problem


def test_the_sentence_names_the_variables_of_that_venue() -> None:
    problem = problem_of(DESK.replace("port = 1234", f"secret = '{CANARY}'"))
    assert "export DESK_KEY and DESK_SECRET" in problem


def test_a_credential_in_a_variable_of_the_configuration_is_refused_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRADER_VENUES__DESK__SECRET", CANARY)
    problem = problem_of(DESK)
    assert "in the environment looks like a credential" in problem
    assert CANARY not in problem


def test_a_credential_inside_of_an_option_is_refused_too() -> None:
    problem = problem_of(
        f"[venues.binance]\nadapter = 'ccxt'\noptions = {{ headers = {{ apiKey = '{CANARY}' }} }}\n"
    )
    assert "venues.binance.options.headers.apiKey in own.toml looks like a credential" in problem
    assert "export BINANCE_API_KEY and BINANCE_SECRET" in problem
    assert CANARY not in problem


def test_instruments_can_be_described_where_the_venue_cannot_be_asked() -> None:
    config = config_of(
        DESK.replace('symbols = ["KO"]', "")
        + '[[instruments]]\ninstrument_id = "ESZ6.XCME"\nasset_class = "FUTURE"\ntick_size = 0.25\n'
        "lot_size = 50\nmultiplier = 50\nis_margined = true\n"
    )
    instrument = config.instruments[0].instrument
    assert instrument.instrument_id == "ESZ6.XCME"
    assert (instrument.tick_size, instrument.multiplier) == (Decimal("0.25"), Decimal(50))
    assert instrument.is_margined
    problem = problem_of(DESK + '[[instruments]]\ninstrument_id = "ES"\n')
    assert "instruments.0.instrument_id" in problem
