"""Metrics are what the machines say, in names and labels that the table declares."""

import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.latency import BOUNDS_US, LatencyWindow
from serve.monitoring.exposition import exposition
from serve.monitoring.metrics import HISTOGRAM, METRICS, Kind
from serve.monitoring.samples import samples_of
from tests.serve.simulated_desk import SimulatedDesk


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    return SimulatedDesk(tmp_path_factory.mktemp("desk"))


def _values(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_when_machines_report_every_sample_is_declared_with_all_its_labels(desk):
    samples = list(samples_of(desk.snapshot(), 0))
    assert {"trading_account_equity", "trading_orders", "trading_limit_used_ratio"} <= {
        each.name for each in samples
    }
    for sample in samples:
        assert len(sample.labels) == len(METRICS[sample.name].labels), sample
        assert METRICS[sample.name].kind is not Kind.COUNTER or sample.value >= 0


def test_when_prometheus_reads_the_page_it_finds_what_the_ledger_says(desk):
    snapshot = desk.snapshot()
    values = _values(exposition(snapshot, "demo", 0))
    account, ledger = next(
        (name.partition(":")[2], view)
        for name, view in snapshot.machines.items()
        if name.startswith("ledger:")
    )
    labels = (("account", account), ("cluster", "demo"))
    assert values["trading_account_equity", labels] == float(ledger["equity"])
    assert values["trading_up", (("cluster", "demo"),)] == 1


def test_when_the_market_moves_the_metrics_do(tmp_path):
    desk = SimulatedDesk(tmp_path)
    before = _values(exposition(desk.snapshot(), "demo", 0))
    desk.advance(5)
    after = _values(exposition(desk.snapshot(), "demo", 0))
    clock = ("trading_market_clock_seconds", (("cluster", "demo"),))
    assert after[clock] > before[clock]


def test_when_the_cluster_is_gone_one_metric_says_so():
    values = _values(exposition(None, "demo", 0))
    assert values == {("trading_up", (("cluster", "demo"),)): 0}


def test_when_latencies_are_counted_the_histogram_adds_up():
    import msgspec

    from serve.desk.view import ClusterSnapshot

    window = LatencyWindow(10)
    for microseconds in (40, 60, 60, 700, 3_000_000):
        window.record(microseconds * 1_000)
    snapshot = msgspec.structs.replace(
        ClusterSnapshot(),
        latency_counts=tuple(window.counts),
        latency_total_s=window.total_ns / 1e9,
    )
    values = _values(exposition(snapshot, "demo", 0))

    def bucket(end):
        return values[f"{HISTOGRAM}_bucket", (("cluster", "demo"), ("le", end))]

    assert bucket("5e-05") == 1
    assert bucket("0.0001") == 3
    assert bucket("0.001") == 4
    assert bucket("+Inf") == values[f"{HISTOGRAM}_count", (("cluster", "demo"),)] == 5
    assert values[f"{HISTOGRAM}_sum", (("cluster", "demo"),)] == pytest.approx(3.00086)
    assert len(window.counts) == len(BOUNDS_US) + 1


def test_when_promtool_is_there_it_finds_nothing_wrong_with_the_page(desk):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    text = exposition(desk.snapshot(), "demo", 0)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
