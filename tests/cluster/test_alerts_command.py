"""`trader alerts`, with a web hook on loopback as the service that is told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from cluster.alerts import ENVIRONMENT, Watch, alert_urls, sender
from cluster.config import load_config
from cluster.exit_codes import ExitCode
from serve.desk.view import ClusterSnapshot
from trading.errors import AuthError, ClusterUnreachable, ConfigError


class Hook:
    """A service that remembers what it was told; with `status` 500 it takes nothing."""

    def __init__(self):
        hook = self
        self.told: list[dict] = []
        self.status = 200

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.status == 200:
                    hook.told.append(json.loads(body))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Apprise itself waits 4 s for a connection and 4 s for an answer: too little where others work too.
        address = f"127.0.0.1:{self.server.server_port}"
        self.url = f"json://{address}/?token=hunter2&cto=60&rto=60"


@pytest.fixture
def hook():
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


KILLED = {
    "broker:A": {
        "ambiguous": 0, "duplicates": 0, "sequence": 1, "is_journal_up": True, "is_connected": True,
        "is_ready": True, "mismatches": [], "clock": {"skew_ms": None}, "orders_by_status": {},
        "kill": {"is_latched": True},
    }
}  # fmt: skip


def test_when_the_switch_is_latched_somebody_is_told_once_and_when_it_is_over(home, hook):
    snapshots = [ClusterSnapshot(machines=KILLED)]
    watch = Watch(load_config(None, {}), lambda: snapshots[-1], sender([hook.url]))
    watch.round()
    watch.round()
    assert [message["title"] for message in hook.told] == ["demo: firing KillSwitchLatched"]
    assert "docs/runbooks/KillSwitchLatched.md" in hook.told[0]["message"]
    assert hook.told[0]["type"] == "failure"
    broker = KILLED["broker:A"] | {"kill": {"is_latched": False}}
    snapshots.append(msgspec.structs.replace(snapshots[0], machines={"broker:A": broker}))
    watch.round()
    assert hook.told[-1]["title"] == "demo: resolved KillSwitchLatched"
    assert hook.told[-1]["type"] == "success"


def test_when_the_service_is_down_the_message_is_kept_and_sent_later(home, hook):
    hook.status = 500
    watch = Watch(
        load_config(None, {}), lambda: ClusterSnapshot(machines=KILLED), sender([hook.url])
    )
    watch.round()
    assert (hook.told, watch.unsent) == ([], 1)
    hook.status = 200
    watch.round()
    assert (len(hook.told), watch.unsent) == (1, 0)


def test_when_the_cluster_does_not_answer_that_is_an_alert_too(home, hook, monkeypatch):
    from cluster import alerts

    clock = [0.0]
    monkeypatch.setattr(alerts.time, "monotonic", lambda: clock[-1])

    def look():
        raise ClusterUnreachable("gone")

    watch = Watch(load_config(None, {}), look, sender([hook.url]))
    assert watch.round() == []
    clock.append(11.0)
    assert [notice.rule.name for notice in watch.round()] == ["ClusterDown"]


def test_when_a_test_is_sent_it_arrives_and_the_address_is_not_shown(trader, hook, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, hook.url)
    ended = trader("alerts", "test")
    assert ended.status == ExitCode.OK
    assert len(hook.told) == 1
    hook.status = 500
    ended = trader("alerts", "test")
    assert ended.status == ExitCode.FAILED
    assert "Address 1 did not take" in ended.err
    assert "hunter2" not in ended.out + ended.err


def test_when_nobody_is_to_be_told_the_command_says_how(trader):
    ended = trader("alerts", "watch")
    assert ended.status == ExitCode.CONFIG
    assert ENVIRONMENT in ended.err


def test_when_others_can_read_the_addresses_they_are_not_used(home, tmp_path):
    path = tmp_path / "urls"
    path.write_text("json://127.0.0.1\n\njson://127.0.0.2\n")
    config = load_config(None, {"alerts": {"urls_file": str(path)}})
    path.chmod(0o644)
    with pytest.raises(AuthError, match="chmod 600"):
        alert_urls(config)
    path.chmod(0o600)
    assert alert_urls(config) == ("json://127.0.0.1", "json://127.0.0.2")


def test_when_an_address_is_none_the_error_does_not_show_it():
    with pytest.raises(ConfigError, match="address 2") as caught:
        sender(["json://127.0.0.1", "nonsense-hunter2"])
    assert "hunter2" not in str(caught.value)


def test_when_nothing_runs_one_look_fails_by_name(trader, no_cluster):
    ended = trader("alerts", "watch", "--once", "--json")
    assert ended.status == ExitCode.FAILED
    assert [found["rule"] for found in ended.json] == ["ClusterDown"]


def test_when_all_is_well_one_look_is_clean(trader, monkeypatch):
    from cluster import alerts

    monkeypatch.setattr(alerts, "looker", lambda _: ClusterSnapshot)
    ended = trader("alerts", "watch", "--once")
    assert (ended.status, ended.out) == (ExitCode.OK, "Nothing fires.\n")


def test_when_quiet_hours_are_no_hours_the_configuration_says_so(home):
    with pytest.raises(ConfigError, match="22:00-06:00"):
        load_config(None, {"alerts": {"quiet_hours": "at night"}})


def test_when_rules_are_shown_each_has_its_condition(trader):
    shown = {row["name"]: row["expression"] for row in trader("alerts", "rules", "--json").json}
    assert shown["FeedStale"] == "trading_feed_stale > 0"


def test_when_the_cluster_comes_back_the_watcher_finds_it_again(home, monkeypatch):
    from cluster.alerts import looker
    from cluster.desk import ray_link

    found = []

    class Link:
        """The first one is gone at its first look; it is let go."""

        def __init__(self):
            self.is_closed = False
            self.blueprint = type(
                "Nothing", (), {"accounts": (), "account_id": "A", "strategies": ()}
            )()
            found.append(self)

        def snapshot(self):
            if len(found) == 1:
                raise ClusterUnreachable("gone")
            return ClusterSnapshot(name="back")

        def close(self):
            self.is_closed = True

    monkeypatch.setattr(ray_link, "link_outside", lambda _: Link())
    look = looker(load_config(None, {}))
    with pytest.raises(ClusterUnreachable):
        look()
    assert look().name == "back"
    assert [link.is_closed for link in found] == [True, False]
