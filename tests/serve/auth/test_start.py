"""Nothing that others can reach starts unguarded; the secret is kept where nobody else reads it."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.venues.credentials import masked
from serve.auth.opening import open_access
from serve.auth.secret_file import keep_secret, read_secret
from serve.auth.settings import AccessSettings
from serve.auth.start_rule import require_protected
from tests.serve.auth.door import PASSWORD, Door
from trading.errors import AuthError

MakeDoor = Callable[..., Door]
OUTSIDE = ["0.0.0.0", "192.168.1.4", "::", "example.org", "", "127.0.0.1.example.org"]
GOOD = "k7Qw-2mZx9RtY4uVb8nMc3LpEaSd5FgH1jX0"


@pytest.mark.parametrize("host", OUTSIDE)
def test_without_authentication_nothing_listens_beyond_loopback(
    make_door: MakeDoor, host: str
) -> None:
    off = make_door(is_on=False).with_people()
    for access in (None, off.access):
        with pytest.raises(AuthError, match="authentication is off") as caught:
            require_protected(host, off.settings, access)
        assert caught.value.exit_status == 4


@pytest.mark.parametrize("host", OUTSIDE)
def test_with_authentication_there_must_be_somebody_to_let_in(
    make_door: MakeDoor, host: str
) -> None:
    door = make_door()
    with pytest.raises(AuthError, match="neither a user nor a key"):
        require_protected(host, door.settings, door.access)
    door.access.issue_key("bot", frozenset(), "test")
    require_protected(host, door.settings, door.access)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_needs_nothing(host: str) -> None:
    require_protected(host, AccessSettings(), None)


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "jwt-secret"
    keep_secret(path, {})
    secret = read_secret(path)
    keep_secret(path, {})
    assert read_secret(path) == secret
    assert len(secret) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert secret.decode() not in masked(f"log line with {secret.decode()}")


@pytest.mark.parametrize("by_file", [False, True])
def test_the_secret_of_the_environment_rules_and_leaves_it(tmp_path: Path, by_file: bool) -> None:
    path, source = tmp_path / "jwt-secret", tmp_path / "mounted"
    keep_secret(path, {})
    source.write_text(f"{GOOD}\n")
    environment = {"JWT_SECRET_KEY_FILE": str(source)} if by_file else {"JWT_SECRET_KEY": GOOD}
    keep_secret(path, environment)
    assert read_secret(path) == GOOD.encode()
    assert environment == {}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "weak",
    [
        "",
        "short",
        "x" * 31,
        "x" * 64,
        "changeme" * 5,
        "your-secret-key-change-in-production-please",
    ],
)
def test_weak_secrets_are_refused(tmp_path: Path, weak: str) -> None:
    with pytest.raises(AuthError, match="too weak"):
        keep_secret(tmp_path / "jwt-secret", {"JWT_SECRET_KEY": weak})
    assert not (tmp_path / "jwt-secret").exists()


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jwt-secret"
    keep_secret(path, {})
    path.chmod(0o640)
    with pytest.raises(AuthError, match="chmod 600"):
        open_access(AccessSettings(secret_file=str(path), journal=f"sqlite://{tmp_path / 'a'}"))


def test_a_secret_file_that_is_not_there_is_an_auth_error(tmp_path: Path) -> None:
    with pytest.raises(AuthError, match="cannot be read"):
        keep_secret(tmp_path / "s", {"JWT_SECRET_KEY_FILE": str(tmp_path / "nowhere")})
    with pytest.raises(AuthError, match="cannot be used"):
        read_secret(tmp_path / "nowhere")


def test_access_opens_from_its_settings_alone(tmp_path: Path) -> None:
    settings = AccessSettings(
        secret_file=str(tmp_path / "jwt-secret"), journal=f"sqlite://{tmp_path / 'access'}"
    )
    keep_secret(tmp_path / "jwt-secret", {})
    one, two = open_access(settings), open_access(settings)
    one.add_user("alice", PASSWORD, ["read"], "test")
    token = one.login("alice", PASSWORD, "192.0.2.7").access_token
    assert two.by_token(token, "").name == "alice"
    one.close()
    two.close()
    assert "alice" not in repr(settings)
