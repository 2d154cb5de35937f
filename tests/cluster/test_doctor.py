"""What the doctor finds, and when it says fail."""

import socket
import sqlite3
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from actors.journal.open import open_journal
from cluster import doctor
from cluster.config import Config, load_config
from tests.dead_port import nobody_at
from trading.identifiers import StreamName


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return load_config()


def fill_journal(config: Config) -> Path:
    journal = open_journal(config.cluster.journal)
    stream = StreamName("account:paper:DEMO")
    epoch = journal.acquire(stream, "test")
    journal.append(stream, epoch, [b"one", b"two", b"three"], 1)
    journal.close()
    return config.cluster.state_dir / "journal"


def test_when_the_machine_is_examined_every_trouble_has_a_cure(config: Config) -> None:
    findings = doctor.examine(config)
    assert len(findings) >= 12
    for finding in findings:
        assert finding.message
        assert bool(finding.remedy) == (finding.level != "ok"), finding


def test_when_examined_nothing_is_made(config: Config, tmp_path: Path) -> None:
    doctor.examine(config)
    assert list(tmp_path.iterdir()) == []


def test_when_the_journal_is_intact_it_is_ok(config: Config) -> None:
    fill_journal(config)
    (finding,) = doctor.check_journal(config)
    assert finding.level == "ok"
    assert "3 records" in finding.message


def test_when_a_record_is_altered_the_stream_and_the_last_good_record_are_named(
    config: Config,
) -> None:
    (file,) = fill_journal(config).glob("*.sqlite")
    with sqlite3.connect(file) as database:
        database.execute("UPDATE record SET payload = x'00' WHERE seq = 3")
    database.close()
    (finding,) = doctor.check_journal(config)
    assert finding.level == "fail"
    assert "account:paper:DEMO" in finding.message
    assert "last good record is 2" in finding.message


def test_when_a_port_is_in_use_its_owner_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        finding = doctor.check_port("Ray GCS", "127.0.0.1", server.getsockname()[1])
        assert "in use by" in finding.message
    with nobody_at() as port:
        assert doctor.check_port("Ray GCS", "127.0.0.1", port).level == "ok"


def test_when_python_is_too_old_it_fails() -> None:
    assert doctor.check_python((3, 10)).level == "fail"
    assert doctor.check_python((3, 12)).level == "ok"


@pytest.mark.parametrize(
    ("walls", "steadies", "level"),
    [
        ((100.0, 100.2), (7.0, 7.0, 7.2, 7.2), "ok"),
        ((100.0, 101.0), (7.0, 7.0, 7.2, 7.2), "fail"),
        ((100.0, 99.5), (7.0, 7.0, 7.2, 7.2), "fail"),
        ((101.0, 101.2), (7.0, 8.0, 8.2, 8.2), "ok"),  # paused around the first reading
        ((100.0, 101.2), (7.0, 7.0, 7.2, 8.2), "ok"),  # and the second
    ],
)
def test_when_the_clock_jumps_it_fails_and_when_we_are_paused_it_does_not(
    walls: tuple[float, ...],
    steadies: tuple[float, ...],
    level: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clocks = SimpleNamespace(sleep=lambda _: None)
    clocks.time, clocks.monotonic = iter(walls).__next__, iter(steadies).__next__
    monkeypatch.setattr(doctor, "time", clocks)
    assert doctor.check_clock_drift().level == level


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (None, "warn"),
        ("Leap status     : Normal", "ok"),
        ("Leap status     : Not synchronised", "fail"),
    ],
)
def test_when_chrony_answers_it_is_believed(
    answer: str | None, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_output", lambda _: answer)
    assert doctor.check_clock_sync(tmp_path / "absent").level == level


def test_when_authentication_is_off_it_warns(config: Config) -> None:
    assert doctor.check_ray_auth(config, {}).level == "ok"
    assert doctor.check_ray_auth(config, {"RAY_AUTH_MODE": "disabled"}).level == "warn"
    missing = {"RAY_AUTH_TOKEN_PATH": "/nowhere/token"}
    assert doctor.check_ray_auth(config, missing).level == "fail"


def test_when_the_token_is_in_the_environment_it_is_not_shown(config: Config) -> None:
    finding = doctor.check_ray_auth(config, {"RAY_AUTH_TOKEN": "canary-5510"})
    assert "canary-5510" not in repr(finding)


def test_when_the_state_folder_cannot_be_made_it_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert doctor.check_state_dir(tmp_path / "file" / "state").level == "fail"
    assert doctor.check_state_dir(tmp_path / "new" / "state").level == "ok"
    assert not (tmp_path / "new").exists()


Usage = namedtuple("Usage", "total used free")


def test_when_the_disk_is_full_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**6))
    assert doctor.check_state_dir(tmp_path / "state").level == "fail"


def test_when_shared_memory_is_small_or_missing_it_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor.check_shared_memory(tmp_path / "absent").level == "warn"
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage(2**26, 0, 2**26))
    assert doctor.check_shared_memory(tmp_path).level == "warn"


def test_when_a_gpu_is_there_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    assert doctor.check_gpu().level == "ok"
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(doctor, "_output", lambda _: None)
    assert doctor.check_gpu().level == "warn"
    monkeypatch.setattr(doctor, "_output", lambda _: "H200, 141 GiB\nH200, 141 GiB\n")
    assert doctor.check_gpu().message == "H200, 141 GiB; H200, 141 GiB"


def test_when_a_command_is_missing_or_fails_it_says_nothing() -> None:
    assert doctor._output(["no-such-command-here"]) is None
    assert doctor._output([sys.executable, "-c", "raise SystemExit(3)"]) is None
    assert doctor._output([sys.executable, "-c", "print(5)"]) == "5\n"


def test_when_others_can_read_a_secret_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert doctor.check_private("secret", path).level == "ok"
    path.write_bytes(bytes(32))
    path.chmod(0o640)
    assert doctor.check_private("secret", path).level == "fail"
    path.chmod(0o600)
    assert doctor.check_private("secret", path).level == "ok"


def test_when_a_file_stands_where_the_journal_goes_it_fails(config: Config) -> None:
    folder = config.cluster.state_dir / "journal"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("not a folder")
    (finding,) = doctor.check_journal(config)
    assert finding.level == "fail"
    assert "journal" in finding.message
