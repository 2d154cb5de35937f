"""URLs: what they open, and what is said about those that open nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from actors.journal.open import open_journal
from actors.journal.sqlite import SqliteJournal
from trading.errors import ConfigError, JournalUnavailable

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["journal", "with blank", "deep/er"])
def test_sqlite_url_opens_the_absolute_folder(tmp_path, name):
    journal = open_journal(f"sqlite://{tmp_path}/{name}".replace(" ", "%20"))
    assert isinstance(journal, SqliteJournal)
    assert (tmp_path / name).is_dir()
    journal.close()


def test_sqlite_url_without_slashes_is_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_journal("sqlite:state/journal").close()
    assert (tmp_path / "state" / "journal").is_dir()


@pytest.mark.parametrize("url", ["", "journal", "postgres://x/y", "SQLITE3:///x"])
def test_unknown_scheme_is_refused_and_the_known_ones_are_named(url):
    with pytest.raises(ConfigError, match="sqlite, redis, rediss and unix"):
        open_journal(url)


@pytest.mark.parametrize("url", ["sqlite:", "sqlite://", "sqlite://folder", "sqlite://a/b"])
def test_sqlite_url_without_a_folder_is_refused(url):
    with pytest.raises(ConfigError, match="sqlite:///absolute/folder"):
        open_journal(url)


def test_folder_that_cannot_be_made_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        open_journal(f"sqlite://{tmp_path}/file/journal")


def test_server_that_is_not_there_is_unavailable_and_its_password_is_not_told(tmp_path):
    with pytest.raises(JournalUnavailable) as caught:
        open_journal(f"unix://:secret@{tmp_path}/socket")
    assert f"{tmp_path}/socket" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://host:port", "redis://host:6379/?socket_timeout=x"])
def test_malformed_server_url_is_a_config_error(url):
    with pytest.raises(ConfigError):
        open_journal(url)


WITHOUT_REDIS = """
import sys
sys.modules["redis"] = None
import actors.journal.redis
from actors.journal.open import open_journal
from trading.errors import ConfigError
open_journal("sqlite:" + sys.argv[1]).close()
try:
    open_journal("redis://127.0.0.1:1")
except ConfigError as error:
    print(error)
"""


def test_without_redis_py_only_the_redis_journal_is_missing(tmp_path, spawn):
    out, _ = spawn(WITHOUT_REDIS, str(tmp_path / "journal")).communicate(timeout=60)
    assert "pip install neural-trader[redis]" in out


def test_import_of_the_package_loads_no_store():
    source = (
        "import sys, actors.journal; sys.exit('sqlite3' in sys.modules or 'redis' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", source], cwd=ROOT, check=False).returncode == 0
