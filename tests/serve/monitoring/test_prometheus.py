"""What Prometheus itself makes of our files: rules, configuration, board, and a scrape."""

import json
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import yaml

from cluster.monitoring_files import alert_rules, dashboard, expressions
from serve.desk.principal import ALL, Principal
from serve.monitoring.exposition import exposition
from tests.serve.simulated_desk import SimulatedDesk

DEPLOY = Path("docs/deploy")
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)"
)


def _promtool(*words):
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_files_for_prometheus_are_valid():
    _promtool("check", "rules", str(DEPLOY / "prometheus/rules.yml"))
    _promtool("check", "config", str(DEPLOY / "prometheus/prometheus.yml"))


@needs_promtool
def test_every_expression_of_rules_and_panels_is_promql(tmp_path):
    rules = [{"record": f"r:{n}", "expr": text} for n, text in enumerate(expressions())]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    _promtool("check", "rules", str(path))


@needs_promtool
def test_when_a_feed_goes_stale_prometheus_fires_after_its_time(tmp_path):
    series = {
        "series": 'trading_feed_stale{cluster="demo",venue="paper"}',
        "values": "0x4 1x12",
    }
    expected = {
        "exp_labels": {"severity": "critical", "cluster": "demo", "venue": "paper"},
        "exp_annotations": {
            "summary": "The market data of paper is stale: no order leaves.",
            "runbook_url": "docs/runbooks/FeedStale.md",
        },
    }
    case = {
        "interval": "5s",
        "input_series": [series],
        "alert_rule_test": [
            {"eval_time": "35s", "alertname": "FeedStale", "exp_alerts": []},
            {"eval_time": "45s", "alertname": "FeedStale", "exp_alerts": [expected]},
        ],
    }
    path = tmp_path / "cases.yml"
    rules = str((DEPLOY / "prometheus/rules.yml").absolute())
    path.write_text(
        yaml.safe_dump({"rule_files": [rules], "evaluation_interval": "5s", "tests": [case]})
    )
    _promtool("test", "rules", str(path))


def test_the_board_has_a_panel_for_each_expression_and_no_two_share_a_place():
    panels = [each for each in dashboard()["panels"] if each["type"] == "timeseries"]
    told = {target["expr"] for panel in panels for target in panel["targets"]}
    rules = {rule["expr"] for rule in alert_rules()["groups"][0]["rules"]}
    assert told | rules >= set(expressions())
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])


def test_a_prometheus_that_scrapes_us_fires_when_the_kill_switch_is_latched(tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("Prometheus is not installed (Debian package prometheus)")
    desk = SimulatedDesk(tmp_path)
    desk.kill(Principal(name="eva", permissions=ALL, came_by="stdio"), "test", flatten=False)
    with _scraped(desk) as target, _prometheus(tmp_path, target) as url:
        alerts = _until(lambda: _query(url, 'ALERTS{alertstate="firing"}'), "KillSwitchLatched")
        equity = _query(url, "last_over_time(trading_account_equity[5m])")  # a scrape may fail
    assert {a["metric"]["alertname"] for a in alerts} >= {"KillSwitchLatched"}
    ledger = next(v for name, v in desk.snapshot().machines.items() if name.startswith("ledger:"))
    assert float(equity[0]["value"][1]) == float(ledger["equity"])


class _scraped:  # noqa: N801  # read as a verb
    """`/metrics` of a desk on a port of its own."""

    def __init__(self, desk):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                text = exposition(desk.snapshot(), "demo", time.time_ns()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self):
        self._thread.start()
        return f"127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _prometheus:  # noqa: N801
    """A real one, with our configuration but for the address and a quicker clock."""

    def __init__(self, folder, target):
        config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        config["global"]["evaluation_interval"] = "200ms"
        config["rule_files"] = [str((DEPLOY / "prometheus/rules.yml").absolute())]
        config["scrape_configs"] = config["scrape_configs"][:1]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        self._place = socket.socket()  # bound to the end: no other process gets the port meanwhile
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self._address = f"127.0.0.1:{self._place.getsockname()[1]}"
        self._command = [
            "prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={self._address}",
        ]  # fmt: skip

    def __enter__(self):
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return f"http://{self._address}"

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(60)
        self._place.close()


def _query(url, text):
    try:
        with urlopen(f"{url}/api/v1/query?query={quote(text)}", timeout=5) as answer:
            return json.load(answer)["data"]["result"]
    except OSError:
        return []  # it is just starting


def _until(ask, alert, bound_s=90):
    end = time.monotonic() + bound_s
    while time.monotonic() < end:
        found = ask()
        if any(each["metric"]["alertname"] == alert for each in found):
            return found
        time.sleep(0.2)
    raise AssertionError(f"{alert} did not fire within {bound_s} s")
