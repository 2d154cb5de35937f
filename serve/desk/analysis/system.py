"""The machine and the processes of the cluster, measured now, over a window of less than a second."""

import importlib
import importlib.util
import time
from collections.abc import Sequence
from typing import Any

import psutil
from pydantic import Field

from serve.desk.accounts import accounts_of, source_of
from serve.desk.analysis.figures import Figure
from serve.desk.answers import Answer, Provenance, moment
from serve.desk.front_desk import FrontDesk
from serve.desk.view import ClusterSnapshot
from trading.errors import UsageError

METRICS = ("cpu", "memory", "latency", "throughput", "gpu")
WINDOW_S = 0.4
"""Longer than the cluster's snapshots are shared."""
MEGABYTE = 1e6
GIGABYTE = 1e9


class ProcessUse(Answer):
    """One process of the cluster on this machine."""

    name: str
    pid: int
    cpu_percent: float = Field(description="100 is one core.")
    memory_mb: float


class CpuUse(Answer):
    usage_percent: float = Field(description="Of all cores.")
    cores: int
    frequency_mhz: Figure
    load_1m: float


class MemoryUse(Answer):
    usage_percent: float
    total_gb: float
    available_gb: float
    cluster_mb: float = Field(description="Of the cluster's processes on this machine.")


class LatencyNow(Answer):
    """From a tick to the order that it led to, since the broker's process started (microseconds)."""

    tick_to_order_p50_us: Figure
    tick_to_order_p99_us: Figure


class ThroughputNow(Answer):
    """Over the window of the measurement."""

    window_s: float
    messages_per_second: float = Field(description="Handled by all actors.")
    orders_per_second: float
    fills_per_second: float
    messages_total: int


class GpuUse(Answer):
    is_present: bool
    reason: str = Field(description="Why none is shown; empty when one is.")
    name: str = ""
    usage_percent: Figure = None
    memory_used_gb: Figure = None
    memory_total_gb: Figure = None


class SystemMetrics(Provenance):
    """Only what was asked for is filled."""

    method: str
    cpu: CpuUse | None = None
    memory: MemoryUse | None = None
    latency: LatencyNow | None = None
    throughput: ThroughputNow | None = None
    gpu: GpuUse | None = None
    processes: list[ProcessUse]


def system_metrics(desk: FrontDesk, metrics: Sequence[str] = METRICS) -> SystemMetrics:
    """Measure the machine and the cluster.

    Parameters
    ----------
    metrics : sequence of str
        cpu, memory, latency, throughput, gpu.

    Raises
    ------
    UsageError
        If there is no such metric.
    ClusterUnreachable
        If the cluster does not answer.
    """
    asked = set(metrics or METRICS)
    for name in asked:
        if name not in METRICS:
            raise UsageError(f"there is no metric {name!r}; known are: {', '.join(METRICS)}.")
    before, start = desk.trading.snapshot(), time.monotonic()
    running = _processes(before)
    for process in running.values():
        _cpu_of(process)  # the first question starts the measurement
    usage = psutil.cpu_percent(interval=WINDOW_S)
    after, seconds = desk.trading.snapshot(), time.monotonic() - start
    rows = _uses(running)
    latency = after.latency_us.tick_to_order
    return SystemMetrics(
        source=source_of(after),
        as_of=moment(after.clock_ns),
        method=f"psutil and two looks at the cluster, {seconds:.2f} s apart, just now.",
        cpu=_cpu(usage) if "cpu" in asked else None,
        memory=_memory(rows) if "memory" in asked else None,
        latency=LatencyNow(tick_to_order_p50_us=latency.p50, tick_to_order_p99_us=latency.p99)
        if "latency" in asked
        else None,
        throughput=_throughput(before, after, seconds) if "throughput" in asked else None,
        gpu=_gpu() if "gpu" in asked else None,
        processes=rows,
    )


def _processes(snapshot: ClusterSnapshot) -> dict[str, psutil.Process]:
    """Return the cluster's living processes on this machine by the name of their actor.

    An actor of another machine may have the number of a process here that is none of ours.
    """
    found = {}
    for actor in snapshot.actors:
        try:
            process = psutil.Process(actor.pid)
            if actor.alive and _is_ours(process):
                found[actor.name] = process
        except psutil.Error:
            continue
    return found


def _is_ours(process: psutil.Process) -> bool:
    words = " ".join([process.name(), *process.cmdline()])
    return "ray::" in words or "trader" in words


def _cpu_of(process: psutil.Process) -> float | None:
    try:
        return float(process.cpu_percent())
    except psutil.Error:
        return None  # it ended meanwhile


def _uses(running: dict[str, psutil.Process]) -> list[ProcessUse]:
    rows = []
    for name, process in running.items():
        try:
            used = float(process.cpu_percent())
            size = process.memory_info().rss / MEGABYTE
        except psutil.Error:
            continue  # it ended meanwhile
        rows.append(ProcessUse(name=name, pid=process.pid, cpu_percent=used, memory_mb=size))
    return sorted(rows, key=lambda row: -row.memory_mb)


def _cpu(usage: float) -> CpuUse:
    frequency = psutil.cpu_freq()
    return CpuUse(
        usage_percent=usage,
        cores=psutil.cpu_count() or 1,
        frequency_mhz=None if frequency is None else frequency.current,
        load_1m=psutil.getloadavg()[0],
    )


def _memory(rows: list[ProcessUse]) -> MemoryUse:
    memory = psutil.virtual_memory()
    return MemoryUse(
        usage_percent=memory.percent,
        total_gb=memory.total / GIGABYTE,
        available_gb=memory.available / GIGABYTE,
        cluster_mb=sum(row.memory_mb for row in rows),
    )


def _throughput(before: ClusterSnapshot, after: ClusterSnapshot, seconds: float) -> ThroughputNow:
    """A process that was replaced meanwhile counts again from 0, so nothing is below 0."""
    old, new = _counts(before), _counts(after)
    messages, orders, fills = (max(0, b - a) / seconds for a, b in zip(old, new, strict=True))
    return ThroughputNow(
        window_s=seconds,
        messages_per_second=messages,
        orders_per_second=orders,
        fills_per_second=fills,
        messages_total=new[0],
    )


def _counts(snapshot: ClusterSnapshot) -> tuple[int, int, int]:
    """Return messages handled, orders submitted and orders filled so far."""
    orders = [account.of("ledger").get("orders", {}) for account in accounts_of(snapshot)]
    return (
        sum(actor.messages for actor in snapshot.actors),
        sum(int(counts.get("submitted", 0)) for counts in orders),
        sum(int(counts.get("filled", 0)) for counts in orders),
    )


def _gpu() -> GpuUse:
    if importlib.util.find_spec("pynvml") is None:
        return GpuUse(is_present=False, reason="pynvml is not installed, so no GPU can be asked.")
    nvml: Any = importlib.import_module("pynvml")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return GpuUse(is_present=False, reason=f"the driver does not answer: {error}")
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(0)
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        return GpuUse(
            is_present=True,
            reason="",
            name=str(nvml.nvmlDeviceGetName(handle)),
            usage_percent=float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
            memory_used_gb=memory.used / GIGABYTE,
            memory_total_gb=memory.total / GIGABYTE,
        )
    except nvml.NVMLError as error:
        return GpuUse(is_present=False, reason=f"the first GPU does not answer: {error}")
    finally:
        nvml.nvmlShutdown()
