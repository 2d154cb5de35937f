"""Records carry the field set, and never a secret."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from cluster import logs

CANARY = "canary-9d21"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
        if handler not in handlers:
            handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


def records(folder: Path) -> list[dict[str, object]]:
    text = (folder / "trader.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_when_logged_the_known_fields_come_first_in_order(tmp_path: Path) -> None:
    logs.set_up_logs(folder=tmp_path, quiet=True)
    structlog.get_logger().info("order_sent", extra=1, symbol="AAPL", seq=7, actor="broker")
    (record,) = records(tmp_path)
    assert list(record) == ["ts", "level", "event", "actor", "symbol", "seq", "extra"]
    assert record["event"] == "order_sent"
    assert str(record["ts"]).endswith("Z")
    assert len(str(record["ts"])) == 30


def test_when_the_standard_library_logs_it_takes_the_same_road(tmp_path: Path) -> None:
    logs.set_up_logs(folder=tmp_path, quiet=True)
    logging.getLogger("some.library").warning("lost %s", "node-1")
    (record,) = records(tmp_path)
    assert (record["level"], record["event"]) == ("warning", "lost node-1")


def test_when_below_the_level_nothing_is_written(tmp_path: Path) -> None:
    logs.set_up_logs("WARNING", folder=tmp_path, quiet=True)
    structlog.get_logger().info("quiet")
    logging.getLogger("x").info("quiet")
    assert records(tmp_path) == []


def test_when_not_on_a_terminal_stderr_gets_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up_logs()
    structlog.get_logger().info("up")
    out, err = capsys.readouterr()
    assert json.loads(err)["event"] == "up"
    assert not out


def test_when_quiet_stderr_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up_logs(quiet=True)
    structlog.get_logger().error("up")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": CANARY},
        {"RAY_AUTH_TOKEN": CANARY},
        {"outer": {"secret": CANARY}},
        {"outer": [{"password": CANARY}]},
        {"url": f"redis://user:{CANARY}@host:6379/0"},
        {"urls": (f"redis://:{CANARY}@host",)},
    ],
)
def test_when_a_field_holds_a_secret_it_is_hidden(
    fields: dict[str, object], tmp_path: Path
) -> None:
    logs.set_up_logs(folder=tmp_path, quiet=True)
    structlog.get_logger().info("start", **fields)
    text = (tmp_path / "trader.log").read_text(encoding="utf-8")
    assert CANARY not in text
    assert logs.HIDDEN in text


def test_when_an_exception_holds_a_password_the_traceback_hides_it(tmp_path: Path) -> None:
    logs.set_up_logs(folder=tmp_path, quiet=True)
    try:
        raise OSError(f"redis://u:{CANARY}@host refused")
    except OSError:
        structlog.get_logger().exception("journal_down")
    text = (tmp_path / "trader.log").read_text(encoding="utf-8")
    assert CANARY not in text
    assert "OSError" in text


def test_when_a_crash_is_recorded_the_log_has_the_traceback_without_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = logs.record_crash(ValueError(f"redis://u:{CANARY}@host"))
    text = path.read_text(encoding="utf-8")
    assert "ValueError" in text
    assert CANARY not in text
