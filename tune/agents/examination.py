"""All stages of one strategy, in their order, up to the first that fails."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median

import msgspec
import numpy as np

from sandboxes.sandbox import Isolation
from trading.backtest.settings import BacktestSettings, Costs
from trading.indicators.rolling import FloatArray
from trading.ladder.rules import LadderRules
from trading.ladder.standing import Stage
from trading.ladder.trials import SHARPE
from trading.metrics.sharpe_inference import sharpe_estimate
from tune.agents.candidate import Candidate
from tune.agents.causal_weights import causal_weights, compare
from tune.agents.lint import NOTICE, lint
from tune.agents.stage_result import StageResult
from tune.agents.walk_forward import Walk, walk
from tune.agents.worker import NoAnswer, OpenWorker, Worker
from tune.figures import figures_of
from tune.manifest import digest_of, running_code
from tune.prices import Prices, trade
from tune.verdict.verdict import judge

SMOKE_CALLS = 20
CHECKED_BARS = 1_500
"""Newest bars that the checks of `trader check` look at; the comparison bar by bar is made on all."""
SHOWN = (
    "sharpe",
    "annual_return",
    "max_drawdown",
    "volatility",
    "turnover",
    "trades",
    "commission",
)


def _usual_settings() -> BacktestSettings:
    """Return what `trader backtest` assumes."""
    return BacktestSettings(costs=Costs(per_unit=0.005, minimum=1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What candidates are measured on.

    Attributes
    ----------
    source : str
        Where the prices came from, in words.
    plan : str
        See `tune.agents.walk_forward.walk`.
    """

    open_worker: OpenWorker
    prices: Prices
    source: str
    settings: BacktestSettings = field(default_factory=_usual_settings)
    rules: LadderRules = field(default_factory=LadderRules)
    plan: str = "24m/6m"

    def inputs(self) -> dict[str, str]:
        """Return what every figure depends on."""
        code = running_code()
        settings = msgspec.json.encode(self.settings, order="deterministic")
        return {
            "data": self.source,
            "data_digest": digest_of(self.prices.bars, self.prices.quoted),
            "settings": settings.decode(),
            "settings_sha256": hashlib.sha256(settings).hexdigest(),
            "code": f"{code.version} {code.commit or ''}".strip(),
        }


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one candidate, without the last verdict, which depends on all that was tried.

    Attributes
    ----------
    results : tuple of StageResult
    walked : Walk or None
        None when a stage before it failed.
    kill : tuple of (code, reason) or None
        Why its sandbox had to be killed.
    """

    candidate: Candidate
    results: tuple[StageResult, ...]
    walked: Walk | None = None
    kill: tuple[str, str] | None = None
    inputs: dict[str, str] = {}

    @property
    def sharpe(self) -> float | None:
        """Per bar, of the backtest."""
        return next((each.figures[SHARPE] for each in self.results if SHARPE in each.figures), None)


def examine(
    candidate: Candidate, bench: Bench, on_stage: Callable[[StageResult], None] = lambda _: None
) -> Examined:
    """Carry out the stages.

    Raises
    ------
    SandboxError
        If the sandbox itself cannot be had.
    DataError, UsageError
        If the prices will not do.
    """
    course = _Course(candidate, bench)
    results: list[StageResult] = []
    for result in course.stages():
        told = {**course.inputs, **result.inputs}
        results.append(msgspec.structs.replace(result, inputs=told))
        on_stage(results[-1])
        if not result.passed:
            break
    return Examined(
        candidate=candidate,
        results=tuple(results),
        walked=course.walked if results[-1].passed else None,
        kill=course.kill,
        inputs=course.inputs,
    )


def _kept_in(found: Isolation) -> dict[str, str]:
    """Return what a verdict depends on of the sandbox: what holds it, and what is installed in it."""
    return {
        "backend": found.backend,
        "rung": found.rung,
        "proof": found.proof,
        "digest": found.details.get("digest", ""),
    }


class _Course:
    """What later stages need of earlier ones."""

    def __init__(self, candidate: Candidate, bench: Bench) -> None:
        self._candidate, self._bench = candidate, bench
        self._bars = bench.prices.bars
        self._causal: FloatArray = np.zeros((0, 0))
        self._batch: FloatArray = np.zeros((0, 0))
        self.walked: Walk | None = None
        self.kill: tuple[str, str] | None = None
        self.inputs = {
            **bench.inputs(),
            "template": candidate.template,
            "parameters": candidate.terms,
        }

    def stages(self) -> Iterator[StageResult]:
        yield self._lint()
        yield self._in_worker(Stage.SMOKE, self._smoke)
        yield self._in_worker(Stage.LOOK_AHEAD, self._look_ahead)
        yield self._in_worker(Stage.DETERMINISM, self._determinism)
        yield self._backtest()

    def _lint(self) -> StageResult:
        found = lint(self._candidate.source.text)
        first = f" Line {found[0].line}: {found[0].text}." if found else ""
        return StageResult(
            stage=Stage.LINT,
            passed=not found,
            reason=f"{len(found)} findings.{first}" if found else "Nothing was found.",
            findings=(*(f"line {each.line}: {each.text}" for each in found), NOTICE),
        )

    def _in_worker(self, stage: Stage, run: Callable[[Worker], StageResult]) -> StageResult:
        """Give a stage a new worker; what the strategy does wrong is its verdict."""
        with self._bench.open_worker(self._candidate) as worker:
            try:
                return run(worker)
            except NoAnswer as error:
                return StageResult(stage=stage, passed=False, reason=f"{str(error).rstrip('.')}.")
            finally:
                self.inputs |= _kept_in(worker.isolation)
                worker.require_untroubled()
                if worker.killed:
                    self.kill = (worker.killed.code, str(worker.killed))

    def _smoke(self, worker: Worker) -> StageResult:
        bars, lookback = self._bars, worker.lookback
        took = []
        for stop in range(max(1, len(bars) - SMOKE_CALLS), len(bars) + 1):
            begin = time.perf_counter()
            worker.targets(bars.rows(max(0, stop - lookback), stop))
            took.append(1e3 * (time.perf_counter() - begin))
        found = worker.isolation
        return StageResult(
            stage=Stage.SMOKE,
            passed=True,
            reason=f"It answered {len(took)} times in {found.backend} {found.rung}, {median(took):.2f} ms each.",
            figures={"call_ms_median": median(took)},
        )

    def _look_ahead(self, worker: Worker) -> StageResult:
        bars = self._bars
        self._causal = causal_weights(worker, bars)
        newest = bars.rows(max(0, len(bars) - max(CHECKED_BARS, 2 * worker.lookback)), len(bars))
        with self._bench.open_worker(self._candidate) as other:
            self._batch = other.targets(bars)
            verdict = judge(self._candidate.name, other, newest)
            other.require_untroubled()
            worker.killed = other.killed
        findings = (compare(self._batch, self._causal, bars), *verdict.findings)
        bad = [each for each in findings if not each.passed]
        reason = f"{bad[0].check}: {bad[0].text}" if bad else f"{len(findings)} checks passed."
        return StageResult(
            stage=Stage.LOOK_AHEAD,
            passed=not bad,
            reason=reason,
            findings=tuple(f"{each.check}: {each.text}" for each in findings),
        )

    def _determinism(self, worker: Worker) -> StageResult:
        """Ask a worker that was never asked for the same: its digest must be that of the other."""
        digests = [_digest(self._batch), _digest(worker.targets(self._bars))]
        same = digests[0] == digests[1]
        return StageResult(
            stage=Stage.DETERMINISM,
            passed=same,
            reason="Two workers gave the same weights, byte for byte."
            if same
            else "Two workers gave different weights: it depends on chance, or on what it saw before.",
            inputs={"weights_sha256": digests[1]},
        )

    def _backtest(self) -> StageResult:
        bench, prices = self._bench, self._bench.prices
        result = trade(prices.bars, self._causal, bench.settings, prices.quoted)
        figures = figures_of(result)
        estimate = sharpe_estimate(result.returns)
        self.walked = walk(prices, self._causal, bench.settings, bench.plan)
        wrong = _weaknesses(figures, bench.rules)
        reason = "; ".join(wrong) or f"Sharpe ratio {figures['sharpe']:.2f} after costs"
        return StageResult(
            stage=Stage.BACKTEST,
            passed=not wrong,
            reason=f"{reason[0].upper()}{reason[1:]}.",
            figures={**{name: figures[name] for name in SHOWN}, SHARPE: estimate.sharpe},
        )


def _weaknesses(figures: dict[str, float], rules: LadderRules) -> list[str]:
    found = []
    if figures["trades"] < rules.trades_min:
        found.append(
            f"{figures['trades']:.0f} round trips prove nothing, {rules.trades_min} are asked for"
        )
    if not figures["max_drawdown"] <= rules.drawdown_max:
        found.append(
            f"it fell by {figures['max_drawdown']:.1%}, {rules.drawdown_max:.0%} are allowed"
        )
    if not figures["sharpe"] > 0:
        found.append(f"the Sharpe ratio is {figures['sharpe']:.2f} after costs")
    return found


def _digest(weights: FloatArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(weights, dtype="<f8").tobytes()).hexdigest()
