"""`trader users` and `trader keys`, and how the configuration and the environment open the door."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from cluster.access import access_settings, open_for, opened_access, prepare_access
from cluster.cli.folders import with_fresh_folder
from cluster.config import load_config
from serve.auth import passwords
from serve.desk.principal import ALL, Permission
from trading.errors import AuthError, ConfigError

Trader = Callable[..., Any]
PASSWORD = "correct horse battery staple"
ENVIRONMENT = {"AUTH_USERNAME": "root", "AUTH_PASSWORD": PASSWORD}


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        passwords, "PasswordHasher", lambda: PasswordHasher(time_cost=1, memory_cost=64)
    )


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a program write a line to the command's stdin."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(f"{text}\n"))


def test_users_are_added_listed_and_removed(trader: Trader, typed: Callable[[str], None]) -> None:
    typed(PASSWORD)
    added = trader("users", "add", "alice", "-p", "read", "-p", "trade:paper", "--json")
    assert added.json == {"user": "alice", "permissions": ["read", "trade:paper"]}
    typed(PASSWORD)
    assert trader("users", "add", "bob").status == 0
    listed = trader("users", "list", "--json").json["users"]
    assert [(each["user"], each["permissions"]) for each in listed] == [
        ("alice", ["read", "trade:paper"]),
        ("bob", ["read"]),
    ]
    assert PASSWORD not in trader("users", "list").out
    assert trader("users", "remove", "bob").status == 0
    assert len(trader("users", "list", "--json").json["users"]) == 1
    assert trader("users", "remove", "bob").status == 2


def test_a_changed_password_ends_sessions(trader: Trader, typed: Callable[[str], None]) -> None:
    typed(PASSWORD)
    trader("users", "add", "alice", "-p", "all")
    with opened_access(load_config()) as access:
        granted = access.login("alice", PASSWORD, "192.0.2.7")
        assert granted.permissions == ALL
        typed("another good pass phrase")
        assert trader("users", "passwd", "alice").status == 0
        with pytest.raises(AuthError):
            access.by_token(granted.access_token, "")
        assert access.login("alice", "another good pass phrase", "192.0.2.7").user == "alice"
    assert trader("users", "passwd", "nobody").status == 2


@pytest.mark.parametrize(
    ("words", "line", "sentence"),
    [
        (["alice"], "changeme", "12 to 1024 characters"),
        (["alice"], "", "12 to 1024 characters"),
        (["alice", "-p", "root"], PASSWORD, "'root' is no permission"),
        (["a b"], PASSWORD, "is no name"),
    ],
)
def test_what_is_wrong_with_a_user_is_said(
    trader: Trader, typed: Callable[[str], None], words: list[str], line: str, sentence: str
) -> None:
    typed(line)
    ended = trader("users", "add", *words)
    assert ended.status == 2
    assert sentence in ended.err


def test_a_key_is_shown_once_and_can_be_taken_back(
    trader: Trader, typed: Callable[[str], None]
) -> None:
    typed(PASSWORD)
    trader("users", "add", "alice", "-p", "all")
    made = trader("keys", "create", "bot", "--user", "alice", "-p", "trade:paper", "--json").json
    with opened_access(load_config()) as access:
        by = access.by_key(made["key"], "")
        assert (by.name, by.permissions) == ("alice/bot", {Permission.TRADE_PAPER})
        listed = trader("keys", "list", "--json")
        assert made["key"] not in listed.out
        assert [each["key_id"] for each in listed.json["keys"]] == [made["key_id"]]
        assert made["key_id"] in trader("keys", "list").out
        assert trader("keys", "revoke", made["key_id"]).status == 0
        with pytest.raises(AuthError):
            access.by_key(made["key"], "")
    assert trader("keys", "revoke", made["key_id"]).status == 2
    plain = trader("keys", "create", "other")
    assert plain.out.startswith("nt_")
    assert len(plain.out.split()) == 1


def test_users_are_those_of_every_run(home: Path) -> None:
    config = load_config()
    fresh = with_fresh_folder(config, 1)
    assert access_settings(fresh, {}).journal == access_settings(config, {}).journal
    assert access_settings(fresh, {}).secret_file == access_settings(config, {}).secret_file


@pytest.mark.parametrize(
    ("enabled", "host", "said", "is_on"),
    [
        ("auto", "127.0.0.1", None, False),
        ("auto", "0.0.0.0", None, True),
        ("on", "127.0.0.1", None, True),
        (True, "127.0.0.1", None, True),
        ("off", "0.0.0.0", None, False),
        ("auto", "127.0.0.1", "true", True),
        ("on", "127.0.0.1", "False", False),
    ],
)
def test_authentication_is_on_where_it_must_be(
    home: Path, enabled: object, host: str, said: str | None, is_on: bool
) -> None:
    config = load_config(None, {"auth": {"enabled": enabled}, "serve": {"host": host}})
    environment = {} if said is None else {"AUTH_ENABLED": said}
    assert access_settings(config, environment).is_on is is_on


def test_a_word_that_says_neither_yes_nor_no_is_a_config_error(home: Path) -> None:
    with pytest.raises(ConfigError, match="AUTH_ENABLED"):
        access_settings(load_config(), {"AUTH_ENABLED": "maybe"})


def test_user_of_the_environment_is_let_in_with_its_newest_password(home: Path) -> None:
    config = load_config(None, {"serve": {"host": "0.0.0.0"}})
    environment = dict(ENVIRONMENT)
    settings = prepare_access(config, environment)
    assert environment == {}
    with open_for(settings) as access:
        assert access.login("root", PASSWORD, "192.0.2.7").permissions == ALL
    prepare_access(config, dict(ENVIRONMENT))
    prepare_access(config, ENVIRONMENT | {"AUTH_PASSWORD": "another good pass phrase"})
    with open_for(settings) as access:
        assert access.login("root", "another good pass phrase", "192.0.2.7").user == "root"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "neither a user nor a key"),
        ({"AUTH_ENABLED": "false"}, "authentication is off"),
        ({"AUTH_USERNAME": "root"}, "belong together"),
        (ENVIRONMENT | {"AUTH_PASSWORD": "changeme"}, "AUTH_PASSWORD"),
        (ENVIRONMENT | {"JWT_SECRET_KEY": "changeme"}, "JWT_SECRET_KEY is too weak"),
    ],
)
def test_beyond_loopback_nothing_starts_unguarded(
    home: Path, environment: dict[str, str], sentence: str
) -> None:
    config = load_config(None, {"serve": {"host": "0.0.0.0"}})
    with pytest.raises(AuthError, match=sentence) as caught:
        prepare_access(config, dict(environment))
    assert caught.value.exit_status == 4


def test_on_loopback_nothing_is_made(home: Path) -> None:
    environment = {"JWT_SECRET_KEY": "x", "AUTH_PASSWORD": "y"}
    assert prepare_access(load_config(), environment).is_on is False
    assert environment == {}
    assert not list(home.rglob("jwt-secret"))
