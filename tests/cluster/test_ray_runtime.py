"""Starting and joining Ray: refusals come before anything is started."""

import os
import socket
from pathlib import Path

import pytest

from cluster import ray_runtime
from cluster.config import Config, load_config
from tests.dead_port import nobody_at
from trading.errors import AuthError, ClusterUnreachable, ConfigError


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "restored at the end")
        monkeypatch.delenv(name)
    return load_config(None, {"cluster": {"state_dir": str(tmp_path / "state"), "name": "x"}})


def test_when_the_head_port_is_taken_nothing_is_started(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr(ray_runtime.subprocess, "run", fail)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(ray_runtime, "HEAD_PORT", taken.getsockname()[1])
        with pytest.raises(ConfigError, match=r"in use: another Ray"):
            ray_runtime.start_head(config)


def test_when_nothing_listens_joining_fails_at_once_and_names_the_address(config: Config) -> None:
    with nobody_at() as port, pytest.raises(ClusterUnreachable, match=str(port)):
        ray_runtime.join(config, f"127.0.0.1:{port}")


def test_token_authentication_is_on_and_the_token_is_private(config: Config) -> None:
    ray_runtime.protect(config)
    assert os.environ["RAY_AUTH_MODE"] == "token"
    token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
    assert token.stat().st_mode & 0o077 == 0
    assert len(token.read_text()) == 64


def test_beyond_loopback_without_the_token_is_refused(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    exposed = config.model_copy(
        update={"cluster": config.cluster.model_copy(update={"bind": "10.0.0.5"})}
    )
    with pytest.raises(AuthError, match=r"10[.]0[.]0[.]5"):
        ray_runtime.protect(exposed)


def test_stopping_a_head_that_never_ran_stops_nothing(config: Config) -> None:
    assert ray_runtime.stop_head(config) == 0


@pytest.mark.parametrize("home", ["/home/al", "/home/michael", "/home/a-person-with-a-long-name"])
def test_whatever_the_home_is_called_rays_sockets_have_room(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)
    state = Path(home) / ".local/state/neural-trader/demo"
    config = load_config(None, {"cluster": {"state_dir": str(state)}})
    socket = "session_2026-11-21_21-07-57_266003_4194304/sockets/dash_MetricsHead"
    assert len(str(ray_runtime._ray_folder(config) / socket)) <= 107
