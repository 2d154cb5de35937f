"""`trader doctor`."""

from pathlib import Path
from typing import Any


def test_when_the_machine_is_examined_the_findings_are_shown(trader: Any) -> None:
    ended = trader("doctor", "--json")
    assert ended.status == int(not ended.json["ok"])
    assert {"check", "level", "message", "remedy"} == set(ended.json["checks"][0])
    assert "| python" in trader("doctor").out


def test_when_a_check_fails_the_doctor_ends_with_1(trader: Any, home: Path) -> None:
    secret = home / ".local/state/neural-trader/demo/secret"
    secret.parent.mkdir(parents=True)
    secret.write_bytes(bytes(32))
    secret.chmod(0o644)
    ended = trader("doctor")
    assert ended.status == 1
    assert "chmod 600" in ended.out
