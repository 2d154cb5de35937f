"""Layers, origins, mistakes in words, the live gate, the secret."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from cluster import reference
from cluster.config import cluster_secret, load, load_config
from cluster.config.loading import DEMO_FILE, user_file
from cluster.config.model import Config
from trading.errors import AuthError, ConfigError

CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = home / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return home


def write(text: str, name: str = "own.toml") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def problem_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write(text))
    return str(caught.value)


def test_when_nothing_is_found_the_demo_is_used(home: Path) -> None:
    loaded = load()
    assert set(loaded.config.strategies) == {
        "momentum", "mean_reversion", "pairs", "neural_trend",
    }  # fmt: skip
    assert loaded.origin("data.days") == "shipped demo.toml"
    assert loaded.origin("exchange.depth") == "default"
    assert loaded.config.cluster.state_dir == home / ".local/state/neural-trader/demo"


def test_when_a_file_is_found_the_demo_is_not_used() -> None:
    config = load_config(write("[data]\ndays = 5\n"))
    assert config.data.days == 5
    assert config.strategies == {}


def test_when_layers_disagree_the_higher_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text("[data]\ndays = 1\nsource = 'a'\nsettle_timeout_s = 1.5\n[risk]\n")
    write("[data]\ndays = 2\nsource = 'b'\n[risk]\nmax_shares = 2\n", "trader.toml")
    own = write("[data]\ndays = 3\nsource = 'c'\n[risk]\nmax_shares = 3\n")
    write("TRADER_DATA__DAYS=4\nTRADER_RISK__MAX_SHARES=4\n", ".env")
    monkeypatch.setenv("TRADER_DATA__DAYS", "5")
    loaded = load(own, {"data": {"symbols": "X, Y"}})
    config = loaded.config
    assert config.data.days == 5
    assert loaded.origin("data.days") == "the environment"
    assert config.risk.max_shares == 4
    assert loaded.origin("risk.max_shares") == ".env"
    assert config.data.source == "c"
    assert loaded.origin("data.source") == "own.toml"
    assert loaded.origin("data.settle_timeout_s") == str(user_file())
    assert config.data.symbols == ("X", "Y")
    assert loaded.origin("data.symbols") == "the command line"


def test_when_only_the_name_is_set_all_paths_follow_it(home: Path) -> None:
    cluster = load_config(write("[cluster]\nname = 'two'\n")).cluster
    folder = home / ".local/state/neural-trader/two"
    assert cluster.state_dir == folder
    assert cluster.journal == f"sqlite://{folder}/journal"
    assert cluster.secret_file == folder / "secret"


def test_when_the_state_folder_is_relative_it_becomes_absolute() -> None:
    cluster = load_config(write("[cluster]\nstate_dir = 'state'\n")).cluster
    assert cluster.state_dir == Path.cwd() / "state"
    assert cluster.journal == f"sqlite://{Path.cwd()}/state/journal"


def test_when_a_stop_is_off_there_is_none() -> None:
    assert load_config(write("[risk]\nstop_loss_ratio = 'off'\n")).risk.stop_loss_ratio is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[data]\ndayz = 5\n", ["data.dayz", "own.toml", "did you mean data.days?"]),
        ("[dta]\n", ["dta", "did you mean data?"]),
        ("[strategies.a]\nkind = 'x'\ncapitol = 1\n", ["did you mean strategies.a.capital?"]),
        ("[strategies.a]\n", ["strategies.a.kind is missing"]),
        ("[data]\ndays = 0\n", ["data.days in own.toml must be greater than or equal to 1", "0"]),
        ("[data]\ndays = 'many'\n", ["data.days", "'many'"]),
        ("[cluster]\nmode = 'dry'\n", ["cluster.mode", "'paper' or 'live'"]),
        ("[cluster]\naddress = 'there'\n", ["cluster.address", "ray://host:port"]),
        ("[cluster.placement]\na = ['brokr']\n", ["cluster.placement", "brokr", "broker"]),
        ("[cluster]\nname = 'a/b'\n", ["cluster.name", "letters"]),
        ("[data]\ndays = \n", ["own.toml is not valid TOML", "line 2"]),
        (
            "[strategies.a]\nkind='x'\ncapital=0.7\n[strategies.b]\nkind='x'\ncapital=0.7\n",
            ["adds up to 1.4"],
        ),
    ],
)
def test_when_the_file_is_wrong_one_sentence_says_where(text: str, words: list[str]) -> None:
    problem = problem_of(text)
    assert len(problem.splitlines()) == 1
    for word in words:
        assert word in problem


def test_when_two_keys_are_wrong_both_are_named() -> None:
    assert len(problem_of("[data]\ndayz = 5\ndays = 0\n").splitlines()) == 2


def test_when_the_file_is_missing_its_name_is_in_the_sentence() -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml does not exist"):
        load(Path("absent.toml"))


def test_when_the_file_is_a_folder_it_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(Path.cwd())


def test_when_an_environment_section_is_unknown_it_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRADER_DTA__DAYS", "3")
    with pytest.raises(ConfigError, match="did you mean TRADER_DATA"):
        load()


def test_when_the_journal_has_a_password_no_message_shows_it() -> None:
    url = f"http://user:{CANARY}@host"
    assert CANARY not in problem_of(f"[cluster]\njournal = '{url}'\n")
    config = load_config(write(f"[cluster]\njournal = 'redis://user:{CANARY}@host/0'\n"))
    assert CANARY not in repr(config)


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "10.0.0.5", "host.example"])
def test_when_ray_would_listen_unprotected_it_is_refused(
    bind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(f"[cluster]\nbind = '{bind}'\n")
    assert load_config(path).cluster.bind == bind
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(AuthError, match="RAY_AUTH_MODE"):
        load_config(path)


LIVE = """
[cluster]
mode = "live"
[account]
venue = "broker"
account_id = "A1"
capital = 1000
[venues.broker]
adapter = "tests.cluster.remote_desk:REMOTE_DESK"
[feed]
symbols = ["KO"]
[live]
confirm_account = "A1"
"""


def test_when_live_is_confirmed_three_times_it_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADER_LIVE_CONFIRM", "A1")
    assert load_config(write(LIVE)).cluster.mode == "live"


@pytest.mark.parametrize(
    ("text", "confirmed", "error"),
    [
        (LIVE, "", AuthError),
        (LIVE, "A2", AuthError),
        (LIVE.replace('confirm_account = "A1"', ""), "A1", AuthError),
        (LIVE.replace('venue = "broker"', 'venue = "paper"'), "A1", ConfigError),
        (LIVE.replace("tests.cluster.remote_desk:REMOTE_DESK", "paper"), "A1", ConfigError),
    ],
)
def test_when_live_is_not_confirmed_it_is_refused(
    text: str, confirmed: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADER_LIVE_CONFIRM", confirmed)
    with pytest.raises(error):
        load_config(write(text))


def test_when_live_has_an_open_env_file_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADER_LIVE_CONFIRM", "A1")
    write("", ".env").chmod(0o644)
    with pytest.raises(AuthError, match="chmod 600"):
        load_config(write(LIVE))


def test_when_the_confirmation_is_in_the_env_file_it_does_not_count() -> None:
    write("TRADER_LIVE_CONFIRM=A1\n", ".env").chmod(0o600)
    with pytest.raises(ConfigError, match="set it in the shell"):
        load_config(write(LIVE))


def test_when_the_secret_is_asked_for_twice_it_is_the_same_and_private() -> None:
    config = load_config()
    secret = cluster_secret(config)
    assert len(secret) == 32
    assert cluster_secret(config) == secret
    assert config.cluster.secret_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in config.cluster.state_dir.iterdir()] == ["secret"]


@pytest.mark.parametrize("content", [b"short", b""])
def test_when_the_secret_has_the_wrong_length_it_is_refused(content: bytes) -> None:
    config = load_config()
    cluster_secret(config)
    config.cluster.secret_file.write_bytes(content)
    with pytest.raises(AuthError, match="instead of 32"):
        cluster_secret(config)


def test_when_others_can_read_the_secret_it_is_refused() -> None:
    config = load_config()
    cluster_secret(config)
    config.cluster.secret_file.chmod(0o640)
    with pytest.raises(AuthError, match="chmod 600"):
        cluster_secret(config)


def test_when_the_state_folder_is_a_file_the_secret_is_refused() -> None:
    write("", "state")
    with pytest.raises(AuthError, match="cannot be used"):
        cluster_secret(load_config(write("[cluster]\nstate_dir = 'state'\n")))


def test_when_a_key_exists_the_documentation_has_it() -> None:
    page = (reference.DOCS / "config.md").read_text(encoding="utf-8")
    sections = re.split(r"^## \[(.+)\]$", page, flags=re.MULTILINE)
    text = dict(zip(sections[1::2], sections[2::2], strict=True))
    keys = list(reference.documented_keys())
    assert len(keys) > 40
    for key, field in keys:
        section, _, name = key.rpartition(".")
        assert f"| `{name}` |" in text[section], key
        assert field.description, key


def test_when_the_schema_is_made_it_is_valid_and_accepts_the_demo() -> None:
    import tomllib

    import jsonschema

    schema = Config.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    demo = tomllib.loads(DEMO_FILE.read_text(encoding="utf-8"))
    jsonschema.validate(demo, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(demo | {"dta": {}}, schema)
    json.dumps(schema)


def test_when_the_demo_is_loaded_money_is_exact() -> None:
    config = load_config()
    assert config.account.initial_cash == Decimal(1_000_000)
    assert sum(s.capital for s in config.strategies.values()) == 1
