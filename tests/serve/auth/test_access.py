"""Users, sessions and keys over a journal: what one replica writes holds in every other at once."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import argon2
import pytest

from actors.journal.open import open_journal
from serve.auth.passwords import Passwords
from serve.auth.refusals import NotAuthenticated, TooManyRequests
from serve.desk.principal import ALL, Permission
from tests.serve.auth.door import OTHER, PASSWORD, Door
from trading.access_facts import LoginFailed, access_stream
from trading.codec import decode
from trading.errors import Conflict, JournalUnavailable, NotFound, PermissionMissing, UsageError

ADDRESS = "192.0.2.7"
DAY_S = 86_400


def facts(door: Door) -> list[Any]:
    journal = open_journal(door.settings.journal)
    try:
        return [decode(record.payload) for record in journal.read(access_stream("test"))]
    finally:
        journal.close()


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_login_gives_a_token_that_every_replica_accepts(door: Door) -> None:
    granted = door.login()
    for each in (door, door.replica()):
        by = each.access.by_token(granted.access_token, ADDRESS)
        assert (by.name, by.permissions, by.came_by, by.address) == ("alice", ALL, "token", ADDRESS)


def test_asking_for_less_gives_less(door: Door) -> None:
    granted = door.login(wanted=frozenset({Permission.READ, Permission.TRADE_PAPER}))
    by = door.access.by_token(granted.access_token, ADDRESS)
    assert by.permissions == {Permission.READ, Permission.TRADE_PAPER}


def test_asking_for_more_gives_what_one_has(door: Door) -> None:
    granted = door.login("bob", wanted=ALL)
    assert granted.permissions == {Permission.READ}


def test_logout_ends_the_session_in_every_replica_at_once(door: Door) -> None:
    granted, other = door.login(), door.replica()
    other.access.by_token(granted.access_token, ADDRESS)
    door.access.logout(granted.access_token)
    with pytest.raises(NotAuthenticated):
        other.access.by_token(granted.access_token, ADDRESS)
    with pytest.raises(NotAuthenticated):
        other.access.refresh(granted.refresh_token, ADDRESS)


@pytest.mark.parametrize("act", ["passwd", "remove"])
def test_password_change_and_removal_end_all_sessions(door: Door, act: str) -> None:
    granted, bystander, other = door.login(), door.login("bob"), door.replica()
    if act == "passwd":
        door.access.change_password("alice", OTHER, "test")
    else:
        door.access.remove_user("alice", "test")
    with pytest.raises(NotAuthenticated):
        other.access.by_token(granted.access_token, ADDRESS)
    assert other.access.by_token(bystander.access_token, ADDRESS).name == "bob"


def test_a_user_who_comes_back_does_not_get_old_sessions_back(door: Door) -> None:
    granted = door.login()
    door.access.remove_user("alice", "test")
    door.access.add_user("alice", OTHER, ALL, "test")
    with pytest.raises(NotAuthenticated):
        door.access.by_token(granted.access_token, ADDRESS)


def test_session_ends_after_its_days_however_often_refreshed(door: Door) -> None:
    granted = door.login()
    for _ in range(3):
        door.clock.move(9 * DAY_S)
        granted = door.access.refresh(granted.refresh_token, ADDRESS)
    door.clock.move(4 * DAY_S)
    with pytest.raises(NotAuthenticated):
        door.access.refresh(granted.refresh_token, ADDRESS)
    with pytest.raises(NotAuthenticated):
        door.access.by_token(granted.access_token, ADDRESS)


def test_refresh_token_is_good_once_and_reuse_ends_the_session(door: Door) -> None:
    first = door.login()
    second = door.access.refresh(first.refresh_token, ADDRESS)
    assert door.access.by_token(second.access_token, ADDRESS).name == "alice"
    with pytest.raises(NotAuthenticated):  # a thief, or the one who was robbed
        door.replica().access.refresh(first.refresh_token, ADDRESS)
    for granted in (first, second):
        with pytest.raises(NotAuthenticated):
            door.access.by_token(granted.access_token, ADDRESS)
        with pytest.raises(NotAuthenticated):
            door.access.refresh(granted.refresh_token, ADDRESS)


def test_refresh_token_at_two_replicas_at_once_serves_at_most_one(door: Door) -> None:
    granted, replicas = door.login(), [door, door.replica(), door.replica(), door.replica()]
    start = threading.Barrier(len(replicas))

    def refresh(each: Door) -> bool:
        start.wait()
        try:
            each.access.refresh(granted.refresh_token, ADDRESS)
        except NotAuthenticated:
            return False
        return True

    with ThreadPoolExecutor(len(replicas)) as pool:
        served = list(pool.map(refresh, replicas))
    assert sum(served) <= 1


def test_a_guessed_refresh_token_does_not_end_anybodys_session(door: Door) -> None:
    granted = door.login()
    session = granted.refresh_token.partition(".")[0]
    for guess in (f"{session}.{'0' * 64}", "nobody.1", "", "."):
        with pytest.raises(NotAuthenticated):
            door.access.refresh(guess, ADDRESS)
    assert door.access.by_token(granted.access_token, ADDRESS).name == "alice"


# -- keys


def test_key_works_until_it_is_revoked_and_is_stored_as_a_hash(door: Door) -> None:
    key, text = door.access.issue_key("bot", frozenset({Permission.READ}), "test")
    other = door.replica()
    by = other.access.by_key(text, ADDRESS)
    assert (by.name, by.permissions, by.came_by) == ("key:bot", {Permission.READ}, "key")
    assert text.rpartition("_")[2].encode() not in bytes_of(door.folder)
    door.access.revoke_key(key.key_id, "test")
    with pytest.raises(NotAuthenticated):
        other.access.by_key(text, ADDRESS)


@pytest.mark.parametrize(
    "change", [lambda k: k[:-1] + "x", lambda k: k[:-1], str.upper, lambda k: "", lambda k: k * 2]
)
def test_another_key_is_refused(door: Door, change: Callable[[str], str]) -> None:
    _, text = door.access.issue_key("bot", ALL, "test")
    with pytest.raises(NotAuthenticated):
        door.access.by_key(change(text), ADDRESS)


def test_key_ends_with_its_time_and_with_its_owner(door: Door) -> None:
    _, short = door.access.issue_key("short", ALL, "test", life_s=60)
    _, owned = door.access.issue_key("bot", ALL, "test", owner="alice")
    door.access.by_key(short, ADDRESS)
    assert door.access.by_key(owned, ADDRESS).name == "alice/bot"
    door.clock.move(61)
    door.access.remove_user("alice", "test")
    for text in (short, owned):
        with pytest.raises(NotAuthenticated):
            door.access.by_key(text, ADDRESS)


def test_key_can_never_do_more_than_its_owner(door: Door) -> None:
    with pytest.raises(PermissionMissing):
        door.access.issue_key("bot", ALL, "test", owner="bob")
    with pytest.raises(NotFound):
        door.access.issue_key("bot", ALL, "test", owner="nobody")


def test_two_keys_of_one_name_are_refused(door: Door) -> None:
    door.access.issue_key("bot", ALL, "test")
    with pytest.raises(Conflict):
        door.access.issue_key("bot", ALL, "test")


# -- wrong passwords


def wrong(door: Door, name: str, address: str = ADDRESS) -> type[Exception]:
    with pytest.raises((NotAuthenticated, TooManyRequests)) as caught:
        door.access.login(name, "not the password", address)
    return caught.type


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_brute_force_is_locked_out_by_the_tenth_try_whether_or_not_the_name_exists(
    door: Door, name: str
) -> None:
    tries = [wrong(door, name) for _ in range(10)]
    assert tries == [NotAuthenticated] * 5 + [TooManyRequests] * 5


def test_lockout_holds_in_every_replica_and_for_the_right_password(door: Door) -> None:
    replicas = [door, door.replica()]
    for turn in range(5):
        wrong(replicas[turn % 2], "alice")
    for each in replicas:
        with pytest.raises(TooManyRequests) as caught:
            each.access.login("alice", PASSWORD, ADDRESS)
        assert caught.value.headers == {"Retry-After": "30"}
    door.login("bob")  # another name from the same address goes on


def test_waits_double_and_end(door: Door) -> None:
    for _ in range(5):
        wrong(door, "alice")
    waits = []
    for _ in range(7):
        wait = door.access.book().lockout.wait_s("alice", ADDRESS, door.clock())
        waits.append(wait)
        door.clock.move(wait)
        assert wrong(door, "alice") is NotAuthenticated
    assert waits == [30, 60, 120, 240, 480, 900, 900]
    door.clock.move(900)
    assert door.login().user == "alice"
    assert wrong(door, "alice") is NotAuthenticated  # counting began anew


def test_one_address_that_tries_many_names_is_locked_out(door: Door) -> None:
    tries = [wrong(door, f"user{number}") for number in range(25)]
    assert tries == [NotAuthenticated] * 20 + [TooManyRequests] * 5
    assert door.access.login("alice", PASSWORD, "198.51.100.1").user == "alice"


def test_behind_a_proxy_of_this_machine_one_person_does_not_lock_out_the_others(door: Door) -> None:
    for number in range(25):
        wrong(door, f"user{number}", "127.0.0.1")
    assert door.access.login("alice", PASSWORD, "127.0.0.1").user == "alice"


def test_a_name_that_does_not_exist_is_not_kept_for_it_may_be_a_password(door: Door) -> None:
    wrong(door, PASSWORD)
    (failed,) = [fact for fact in facts(door) if isinstance(fact, LoginFailed)]
    assert failed.user.startswith("unknown:")
    assert PASSWORD.encode() not in bytes_of(door.folder)


def test_unknown_names_cost_the_same_hash(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(self: Any, hashed: str, password: str) -> bool:
        checked.append(hashed)
        return verify(self, hashed, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    wrong(door, "alice")
    wrong(door, "nobody")
    parameters = [argon2.extract_parameters(hashed) for hashed in checked]
    assert len(parameters) == 2
    assert parameters[0] == parameters[1]


def test_hashes_are_argon2id_with_the_defaults_of_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    found = argon2.extract_parameters(Passwords().hash(PASSWORD))
    assert found == argon2.profiles.RFC_9106_LOW_MEMORY
    assert found.type is argon2.Type.ID


@pytest.mark.parametrize(
    "password",
    ["changeme", "short", "changeme1234", "PasswordPassword", "a" * 40, "x" * 2000],
)
def test_passwords_that_are_guessed_first_are_refused(door: Door, password: str) -> None:
    with pytest.raises(UsageError):
        door.access.add_user("carol", password, ALL, "test")
    with pytest.raises(UsageError):
        door.access.change_password("alice", password, "test")


def test_ones_own_name_makes_no_password(door: Door) -> None:
    with pytest.raises(UsageError):
        door.access.change_password("alice", "alice2024!!!", "test")


@pytest.mark.parametrize("name", ["", "a b", "../x", "a" * 65, "-x", "ä"])
def test_names_are_plain(door: Door, name: str) -> None:
    with pytest.raises(UsageError):
        door.access.add_user(name, PASSWORD, ALL, "test")


def test_a_user_is_added_once(door: Door) -> None:
    with pytest.raises(Conflict):
        door.access.add_user("alice", OTHER, ALL, "test")


def test_when_the_journal_is_gone_nobody_comes_in(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = door.login().access_token

    def unavailable(*_: object) -> int:
        raise JournalUnavailable("disk full")

    monkeypatch.setattr(door.access._journal, "head", unavailable)
    with pytest.raises(JournalUnavailable):
        door.access.by_token(token, ADDRESS)

    async def ask() -> int:
        async with door.client(headers={"authorization": f"Bearer {token}"}) as client:
            return (await client.get("/v1/portfolio")).status_code

    assert asyncio.run(ask()) == 503


def test_every_step_is_in_the_journal(door: Door) -> None:
    granted = door.login()
    wrong(door, "bob")
    granted = door.access.refresh(granted.refresh_token, ADDRESS)
    door.access.logout(granted.access_token)
    key, _ = door.access.issue_key("bot", ALL, "alice")
    door.access.revoke_key(key.key_id, "alice")
    door.access.remove_user("bob", "alice")
    kinds = [type(fact).__name__ for fact in facts(door)]
    assert kinds == [
        "UserAdded", "UserAdded", "LoginSucceeded", "LoginFailed", "SessionRefreshed", "SessionRevoked",
        "KeyIssued", "KeyRevoked", "UserRemoved",
    ]  # fmt: skip
    assert all(fact.ts_event == fact.ts_init == door.clock() for fact in facts(door))
