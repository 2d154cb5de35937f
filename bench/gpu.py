"""The CPU against the GPU: indicators, correlation matrices, Monte Carlo, and forecasts.

    python -m bench.gpu [--cpu-only] [--scale 0.1]

Every number that the GPU finds is compared with the one of the CPU before its time counts. Inputs lie where they are
computed; the results of indicators stay there too, those of the others come back to the host. cupy runs
everything; torch stands in for it where it can (its tensors do not follow the array API, so no indicators).
The CPU uses as many threads as its libraries take: OPENBLAS_NUM_THREADS, NUMBA_NUM_THREADS.
Without a GPU one line says what is missing. With --cpu-only numpy plays both sides, which tries the comparison.
"""

import argparse
import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from trading.indicators.bollinger import bollinger
from trading.indicators.moving_average import ema
from trading.indicators.rsi import rsi
from trading.indicators.zscore import moving_zscore
from trading.portfolio_risk.correlation.rolling import rolling_correlation
from trading.portfolio_risk.place import HOST, Place
from trading.portfolio_risk.return_models import normal_model
from trading.portfolio_risk.simulation import monte_carlo

ROUNDS, WARM_UPS = 7, 2
SEED = 7
INDICATOR_SHAPE = (10_000, 500)
CORRELATION_SHAPE = (1_000, 200)
PATHS, ASSETS = 1_000_000, 100
BATCHES = (1, 64, 4_096)
EXACT, SINGLE = 1e-9, 1e-4
"""Largest relative difference of the same arithmetic in double and in single precision."""
SAMPLED = 20.0
"""Over the root of the paths: that of two measures of risk that were drawn apart, with room to spare."""
WINDOW = 60


@dataclass(frozen=True, slots=True)
class Machine:
    """Where one side of the comparison computes."""

    name: str
    place: Place
    wait: Callable[[], None]
    provider: str
    follows_array_api: bool = True

    def draws(self) -> Any:
        """Return a generator that draws there."""
        if self.place.xp is np:
            return np.random.default_rng(SEED)
        if self.follows_array_api:
            return self.place.xp.random.default_rng(SEED)
        return TorchDraws(self.place)


@dataclass(frozen=True, slots=True)
class TorchDraws:
    """Draws of torch, with the methods of a generator of numpy that `return_models.Draws` names."""

    place: Place

    def standard_normal(self, size: tuple[int, int]) -> Any:
        xp = self.place.xp
        return xp.randn(size, dtype=xp.float64, device=self.place.device)


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to measure: makes its inputs on a machine, then computes again and again."""

    name: str
    tolerance: float
    make: Callable[[Machine], Callable[[], Any]]
    needs_array_api: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """One row: milliseconds, and the largest difference relative to the largest number."""

    subject: Subject
    cpu_ms: float
    other_ms: float
    difference: float

    @property
    def agrees(self) -> bool:
        return self.difference <= self.subject.tolerance


def host_machine(name: str = "CPU") -> Machine:
    return Machine(name, HOST, lambda: None, "cpu")


def gpu_machine() -> Machine | str:
    """Return the GPU, or in words what is missing."""
    missing = []
    cupy = _imported("cupy")
    if cupy is None:
        missing.append("cupy cannot be imported")
    else:
        try:
            if cupy.cuda.runtime.getDeviceCount():
                return Machine("cupy", Place(cupy), cupy.cuda.Device().synchronize, "cuda")
        except cupy.cuda.runtime.CUDARuntimeError as error:
            missing.append(f"cupy finds no GPU ({error})")
    torch = _imported("torch")
    if torch is None:
        missing.append("torch cannot be imported")
    elif torch.cuda.is_available():
        place = Place(torch, "cuda")
        return Machine("torch", place, torch.cuda.synchronize, "cuda", follows_array_api=False)
    else:
        missing.append(f"torch {torch.__version__} finds no GPU")
    return "; ".join(missing)


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:  # also of an installation that is broken
        return None


# -- subjects


def subjects(scale: float = 1.0) -> Iterator[Subject]:
    """Yield all; `scale` shrinks the number of rows."""
    rows = max(2 * WINDOW, int(INDICATOR_SHAPE[0] * scale))
    yield from _indicators((rows, INDICATOR_SHAPE[1]))
    rows = max(2 * WINDOW, int(CORRELATION_SHAPE[0] * scale))
    yield _correlations((rows, CORRELATION_SHAPE[1]))
    yield from _simulations(max(10_000, int(PATHS * scale)))
    yield from _forecasts([max(1, int(batch * min(1.0, scale * 10))) for batch in BATCHES])


def _indicators(shape: tuple[int, int]) -> Iterator[Subject]:
    moves = np.random.default_rng(SEED).normal(0.0, 0.01, shape)
    close = 100.0 * np.exp(moves.cumsum(axis=0))
    for name, compute in {
        f"z-score, {WINDOW} bars": lambda x: moving_zscore(x, WINDOW),
        "Bollinger, 20 bars": lambda x: bollinger(x, 20).upper,
        "EMA, 20 bars (row by row)": lambda x: ema(x, 20),
        "RSI, 14 bars (row by row)": lambda x: rsi(x, 14),
    }.items():
        yield Subject(
            f"{name}, {shape[0]:,} x {shape[1]}",
            EXACT,
            partial(_resident, values=close, compute=compute),
            needs_array_api=True,
        )


def _resident(
    machine: Machine, values: np.ndarray, compute: Callable[[Any], Any]
) -> Callable[[], Any]:
    there = machine.place.array(values)
    return lambda: compute(there)


def _correlations(shape: tuple[int, int]) -> Subject:
    returns = np.random.default_rng(SEED).normal(0.0, 0.01, shape)
    names = tuple(map(str, range(shape[1])))
    return Subject(
        f"correlations of {WINDOW} bars, {shape[0]:,} x {shape[1]}",
        EXACT,
        lambda machine: lambda: rolling_correlation(returns, names, WINDOW, machine.place),
    )


def _simulations(paths: int) -> Iterator[Subject]:
    rng = np.random.default_rng(SEED)
    names = tuple(map(str, range(ASSETS)))
    loadings = rng.normal(0.0, 0.006, (ASSETS, 5))
    covariance = loadings @ loadings.T + np.diag(rng.uniform(0.005, 0.02, ASSETS) ** 2)
    money = rng.normal(20_000.0, 15_000.0, ASSETS)

    def make(draws: Callable[[Machine], Any]) -> Callable[[Machine], Callable[[], Any]]:
        def on(machine: Machine) -> Callable[[], Any]:
            model = normal_model(np.zeros(ASSETS), covariance, names, machine.place)

            def run() -> np.ndarray:
                found = monte_carlo(model, money, names, 0.99, rng=draws(machine), paths=paths)
                return np.array([found.value_at_risk, found.expected_shortfall])

            return run

        return on

    size = f"{paths:,} x {ASSETS}"
    host_draws = make(lambda machine: np.random.default_rng(SEED))
    yield Subject(f"Monte Carlo, drawn on the host, {size}", EXACT, host_draws)
    there_draws = make(lambda machine: machine.draws())
    yield Subject(f"Monte Carlo, drawn there, {size}", SAMPLED / paths**0.5, there_draws)


def _forecasts(batches: Sequence[int]) -> Iterator[Subject]:
    """The model that ships with the package, through onnxruntime; prices go there and quantiles come back."""
    from actors.models.opening import open_registry
    from actors.models.session import load_session

    with tempfile.TemporaryDirectory() as folder:
        registry = open_registry(folder)
        if not registry.names():
            print("no forecasts: no model ships with this package")
            return
        name = registry.names()[0]
        manifest = registry.manifest(name)
        moves = np.random.default_rng(SEED).normal(0.0, 0.01, (max(batches), manifest.input_size))
        close = 100.0 * np.exp(moves.cumsum(axis=1))
        sessions: dict[str, Any] = {}

        def on(machine: Machine, batch: int) -> Callable[[], Any]:
            if machine.provider not in sessions:
                sessions[machine.provider] = load_session(registry, name, (machine.provider, "cpu"))
            session = sessions[machine.provider]
            if session.provider != machine.provider:
                raise LookupError(f"onnxruntime runs on {session.provider} here")
            inputs = {"close": close[:batch]}
            return lambda: session.predict(inputs).log_returns

        for batch in batches:
            yield Subject(
                f"{manifest.reference} ({manifest.kind}), batch {batch:,}",
                SINGLE,
                partial(on, batch=batch),
            )


# -- measuring


def compare(subject: Subject, cpu: Machine, other: Machine) -> Measured:
    """Compute on both, look at the difference, and time both."""
    expected, cpu_ms = _timed(subject.make(cpu), cpu)
    found, other_ms = _timed(subject.make(other), other)
    here, there = np.asarray(expected), other.place.host(found)
    return Measured(subject, cpu_ms, other_ms, _difference(here, there))


def _timed(run: Callable[[], Any], machine: Machine) -> tuple[Any, float]:
    """Return the result, and the median time."""
    for _ in range(WARM_UPS):
        result = run()
    machine.wait()
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        result = run()
        machine.wait()
        times.append(time.perf_counter() - begun)
    return result, statistics.median(times) * 1e3


def _difference(here: np.ndarray, there: np.ndarray) -> float:
    """Return the largest difference over the largest number; infinite when NaN are at other places."""
    if here.shape != there.shape or not np.array_equal(np.isnan(here), np.isnan(there)):
        return float("inf")
    return float(np.nanmax(np.abs(here - there)) / np.nanmax(np.abs(here)))


def line(name: str, *cells: str) -> str:
    return f"{name:<58}" + "".join(f"{cell:>12}" for cell in cells)


def text(row: Measured) -> str:
    apart = (f"{row.difference:.1e}", f"{row.subject.tolerance:.0e}")
    if not row.agrees:
        return line(row.subject.name, "-", "-", "WRONG", *apart)
    times = (f"{row.cpu_ms:.2f}", f"{row.other_ms:.2f}", f"{row.cpu_ms / row.other_ms:.2f}x")
    return line(row.subject.name, *times, *apart)


def print_table(found: Iterator[Subject], cpu: Machine, other: Machine) -> bool:
    """Measure and print; return whether all numbers agreed."""
    print(line("", f"{cpu.name} ms", f"{other.name} ms", "faster", "difference", "allowed"))
    agrees = True
    for subject in found:
        if subject.needs_array_api and not other.follows_array_api:
            print(f"{subject.name}: left out, {other.name} does not follow the array API")
            continue
        try:
            row = compare(subject, cpu, other)
        except LookupError as error:
            print(f"{subject.name}: left out, {error}")
            continue
        print(text(row), flush=True)
        agrees &= row.agrees
    return agrees


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu-only", action="store_true", help="let numpy play both sides")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows, for a try")
    options = parser.parse_args(arguments)
    other = host_machine("numpy") if options.cpu_only else gpu_machine()
    if isinstance(other, str):
        print(f"No GPU is measured: {other}.")
        return 0
    agrees = print_table(subjects(options.scale), host_machine(), other)
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
