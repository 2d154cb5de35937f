"""Whether a running strategy is well: a score of 100 less what stated rules take away."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from serve.desk.accounts import AccountViews, source_of
from serve.desk.analysis.figures import Figure
from serve.desk.analysis.strategy_runs import account_with, standing_of
from serve.desk.answers import Answer, Fill, Provenance, StrategyStanding, moment
from serve.desk.front_desk import FrontDesk
from serve.desk.order_rows import fills_of
from serve.desk.view import ClusterSnapshot

HEALTHY, WARNING = 80, 60
CLOSINGS_MIN = 10
ORDERS_MIN = 20


class HealthRule(Answer):
    """One rule, and what it found."""

    name: str
    rule: str
    measured: Figure = Field(description="None where there is nothing to measure yet.")
    limit: float
    deducted: int
    recommendation: str = Field(description="Empty while the rule is kept.")


class PositionConcentration(Answer):
    max_single_position: Figure = Field(description="Part of the strategy's capital.")
    symbol: str


class StrategyHealth(Provenance):
    strategy: str
    health_score: int = Field(description="100 less all deductions, at least 0.")
    health_status: Literal["healthy", "warning", "critical"] = Field(
        description=f"healthy from {HEALTHY}, warning from {WARNING}."
    )
    issues: list[str]
    recommendations: list[str]
    position_concentration: PositionConcentration
    rules: list[HealthRule]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the rules look at; None where there is nothing to measure yet."""

    is_down: float
    is_switched_off: float
    is_halted: float
    win_rate: float | None
    max_drawdown: float
    sharpe: float | None
    largest: float | None
    refused: float | None


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    rule: str
    limit: float
    deduction: int
    advice: str
    measured: Callable[[_Facts], float | None]
    is_low_bad: bool = False

    def judge(self, facts: _Facts) -> HealthRule:
        value = self.measured(facts)
        is_broken = value is not None and (
            value < self.limit if self.is_low_bad else value > self.limit
        )
        return HealthRule(
            name=self.name,
            rule=self.rule,
            measured=value,
            limit=self.limit,
            deducted=self.deduction if is_broken else 0,
            recommendation=self.advice if is_broken else "",
        )


_RULES = (
    _Rule(
        "machine_down",
        "its machine answers, or 40 points less",
        0.0,
        40,
        "Look at the cluster's log; the supervisor starts it again.",
        lambda facts: facts.is_down,
    ),
    _Rule(
        "switched_off",
        "it has not switched itself off after a failure, or 40 points less",
        0.0,
        40,
        "It raised or answered nonsense: read the reason, correct it, start it again.",
        lambda facts: facts.is_switched_off,
    ),
    _Rule(
        "halted",
        "the risk manager has not halted it, or 40 points less",
        0.0,
        40,
        "Read the reason of the halt before it is let go.",
        lambda facts: facts.is_halted,
    ),
    _Rule(
        "win_rate",
        f"at least 0.4 of its closing fills win (of {CLOSINGS_MIN} or more), or 20 points less",
        0.4,
        20,
        "Backtest it over the newest bars: is it out of its market?",
        lambda facts: facts.win_rate,
        is_low_bad=True,
    ),
    _Rule(
        "drawdown",
        "its deepest fall is at most 0.15 of its best equity, or 15 points less",
        0.15,
        15,
        "Give it less capital, or a tighter limit.",
        lambda facts: facts.max_drawdown,
    ),
    _Rule(
        "sharpe",
        "its Sharpe ratio is at least 0, or 10 points less",
        0.0,
        10,
        "It has lost money for its risk so far; compare it with others.",
        lambda facts: facts.sharpe,
        is_low_bad=True,
    ),
    _Rule(
        "concentration",
        "its largest position is at most 0.3 of its capital, or 10 points less",
        0.3,
        10,
        "Let it hold more instruments, or cap the weight of one.",
        lambda facts: facts.largest,
    ),
    _Rule(
        "refusals",
        f"at most 0.1 of its orders are refused by our own rules (of {ORDERS_MIN} or more), or 10 points less",
        0.1,
        10,
        "Look at the codes of the refusals: its orders and the limits do not fit.",
        lambda facts: facts.refused,
    ),
)


def strategy_health(desk: FrontDesk, strategy: str) -> StrategyHealth:
    """Judge a strategy of the cluster by stated rules.

    Raises
    ------
    NotFound
        If it does not run here.
    ClusterUnreachable
        If the cluster does not answer.
    """
    snapshot = desk.trading.snapshot()
    standing = standing_of(snapshot, strategy)
    account = account_with(snapshot, standing.strategy_id)
    machine = account.machines.get(f"strategy:{standing.strategy_id}", {})
    largest, symbol = _largest(account, machine, float(standing.capital))
    facts = _facts(snapshot, standing, machine, largest)
    rules = [rule.judge(facts) for rule in _RULES]
    broken = [rule for rule in rules if rule.deducted]
    score = max(0, 100 - sum(rule.deducted for rule in broken))
    return StrategyHealth(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        strategy=standing.strategy_id,
        health_score=score,
        health_status=_status(score),
        issues=[_issue(rule, standing, machine) for rule in broken],
        recommendations=[rule.recommendation for rule in broken],
        position_concentration=PositionConcentration(max_single_position=largest, symbol=symbol),
        rules=rules,
    )


def _facts(
    snapshot: ClusterSnapshot,
    standing: StrategyStanding,
    machine: Mapping[str, Any],
    largest: float | None,
) -> _Facts:
    fills = [fill for fill in fills_of(snapshot) if fill.strategy_id == standing.strategy_id]
    refused = sum(machine.get("denials", {}).values())
    orders = int(machine.get("orders_sent", 0))
    return _Facts(
        is_down=float(not machine),
        is_switched_off=float(bool(machine.get("disabled"))),
        is_halted=float(bool(standing.halt_reason)),
        win_rate=_win_rate(fills),
        max_drawdown=standing.max_drawdown,
        sharpe=standing.sharpe_ratio,
        largest=largest,
        refused=refused / orders if orders >= ORDERS_MIN else None,
    )


def _win_rate(fills: list[Fill]) -> float | None:
    closing = [fill.realized_pnl for fill in fills if fill.realized_pnl]
    if len(closing) < CLOSINGS_MIN:
        return None
    return sum(profit > 0 for profit in closing) / len(closing)


def _largest(
    account: AccountViews, machine: Mapping[str, Any], capital: float
) -> tuple[float | None, str]:
    """Return the strategy's largest position as a part of its capital, and what it is in."""
    positions = account.of("ledger").get("positions", ())
    prices = {row["instrument_id"]: row["last_px"] for row in positions}
    values = {
        name: abs(float(units) * float(prices[name]))
        for name, units in machine.get("positions", {}).items()
        if prices.get(name) is not None
    }
    if not values or capital <= 0:
        return None, ""
    name = max(values, key=lambda each: values[each])
    return values[name] / capital, name


def _issue(rule: HealthRule, standing: StrategyStanding, machine: Mapping[str, Any]) -> str:
    reasons = {"halted": standing.halt_reason, "switched_off": str(machine.get("disabled", ""))}
    measured = f"measured {rule.measured:.3g}, limit {rule.limit:g}"
    return f"{rule.name}: {reasons.get(rule.name) or measured} (-{rule.deducted})"


def _status(score: int) -> Literal["healthy", "warning", "critical"]:
    if score >= HEALTHY:
        return "healthy"
    return "warning" if score >= WARNING else "critical"
