"""`trader config`, and every command with a configuration that is wrong."""

from pathlib import Path
from typing import Any

import pytest


def test_when_the_configuration_is_shown_its_origins_are_too(
    trader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADER_DATA__DAYS", "77")
    shown = trader("config", "show", "--json", "--origin").json
    assert shown["values"]["data"]["days"] == 77
    assert shown["origins"]["data.days"] == "the environment"
    assert shown["origins"]["account.venue"] == "shipped demo.toml"
    ended = trader("config", "show", "--origin")
    (line,) = [line for line in ended.out.splitlines() if line.startswith("data.days ")]
    assert line.split() == ["data.days", "=", "77", "#", "the", "environment"]
    assert "#" not in trader("config", "show").out
    assert trader("config", "check", "--json").json["ok"] is True
    assert "valid" in trader("config", "check").out
    assert trader("config", "schema").json["title"] == "neural-trader configuration"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[data]\ndayz = 3\n", "did you mean data.days?"),
        ("[data\n", "is not valid TOML"),
        (None, "does not exist"),
    ],
)
@pytest.mark.parametrize("command", [["config", "check"], ["run"], ["status"], ["kill", "-y"]])
def test_when_the_configuration_is_wrong_the_exit_code_is_3(
    trader: Any, command: list[str], text: str | None, words: str
) -> None:
    if text is not None:
        Path("bad.toml").write_text(text, encoding="utf-8")
    ended = trader(*command, "--config", "bad.toml")
    assert ended.status == 3
    assert words in ended.err
    assert "[CONFIG_INVALID]" in ended.err
    assert ended.out == ""
