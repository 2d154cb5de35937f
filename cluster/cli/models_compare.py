"""`trader models compare`: versions side by side, as their manifests tell it or on data of today."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from actors.models.manifest import ModelManifest
    from cluster.config import Config
    from cluster.model_comparison import Comparison

LOWER_IS_BETTER = frozenset({"crps", "pinball", "pinball_in_deviations", "mase", "smape"})
HIGHER_IS_BETTER = frozenset({"directional_accuracy"})
COVERAGE = "coverage_"
COUNTS = frozenset({"windows", "moments"})
SIGNIFICANT = 0.05
P_VALUE = "dm_vs_naive_p"


def compare(
    references: Annotated[
        list[str], typer.Argument(metavar="REF REF...", help="NAME@3, NAME@champion, NAME, ...")
    ],
    *,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="SOURCE",
            help="Score all anew on the same windows of it: sp500, a file, catalogue:NAME[@5m].",
        ),
    ] = "",
    symbols: Annotated[
        str, typer.Option("--symbols", metavar="A,B", help="These symbols of --data alone.")
    ] = "",
    start: Annotated[
        str, typer.Option("--start", metavar="DATE", help="First day: YYYY, YYYY-MM, YYYY-MM-DD.")
    ] = "",
    end: Annotated[str, typer.Option("--end", metavar="DATE", help="Last day, included.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put the metrics of versions side by side, and say which is better, and whether by more than luck.

    Without --data as each one was judged when it was trained. With it, all on the same windows, which lie after
    the training of every one of them.
    """
    from cluster.cli.output import note
    from cluster.models import open_models
    from trading.errors import UsageError

    settings = config_of(config)
    registry = open_models(settings)
    manifests = {m.reference: m for m in (registry.manifest(each) for each in references)}
    if len(manifests) < 2:
        raise UsageError("Name at least two different versions to compare.")
    if not data and (symbols or start or end):
        raise UsageError("--symbols, --start and --end choose from --data; say which.")
    if not data:
        scores = {reference: manifest.metrics for reference, manifest in manifests.items()}
        verdict = verdict_as_trained(list(manifests.values()))
        _tell(scores, verdict, {"scores": scores, "verdict": verdict}, as_json=as_json)
        return
    found = _anew(settings, list(manifests), data, symbols, (start, end))
    verdict = verdict_of(found)
    note(_windows(found), quiet=quiet or as_json)
    _tell(
        found.scores,
        verdict,
        {**msgspec.structs.asdict(found), "verdict": verdict},
        as_json=as_json,
    )


def _anew(
    config: "Config", references: Sequence[str], data: str, symbols: str, span: tuple[str, str]
) -> "Comparison":
    from cluster.cli.strategy_inputs import prices_of_source
    from cluster.model_comparison import compare_on
    from cluster.models import model_access
    from tune.prices import moment_of

    sessions = [model_access(config).session(each) for each in references]
    bars = prices_of_source(config, data, symbols, ("", "")).bars
    first = moment_of(span[0]) if span[0] else None
    last = moment_of(span[1], is_end=True) - 1 if span[1] else None
    return compare_on(bars, sessions, first, last)


def _tell(
    scores: Mapping[str, Mapping[str, float]], verdict: str, plain: object, *, as_json: bool
) -> None:
    from cluster.cli.output import print_json, print_table

    if as_json:
        print_json(plain)
        return
    names = list(dict.fromkeys(name for each in scores.values() for name in each))
    rows = []
    for name in names:
        values = {reference: each.get(name) for reference, each in scores.items()}
        best = best_of(name, values)
        digits = 0 if name in COUNTS else 5
        cells = [_cell(value, digits, is_best=ref == best) for ref, value in values.items()]
        rows.append((name, *cells))
    print_table(("metric", *scores), rows)
    typer.echo(verdict)


def best_of(metric: str, values: Mapping[str, float | None]) -> str:
    """Return which version a metric speaks for; empty when it does for none.

    A coverage is best nearest to what it should be.
    """
    known = {reference: value for reference, value in values.items() if value is not None}
    if metric.startswith(COVERAGE):
        wanted = float(metric.removeprefix(COVERAGE)) / 100.0
        known = {reference: abs(value - wanted) for reference, value in known.items()}
    elif metric in HIGHER_IS_BETTER:
        known = {reference: -value for reference, value in known.items()}
    elif metric not in LOWER_IS_BETTER:
        return ""
    if len(set(known.values())) < 2:
        return ""
    return min(known, key=lambda reference: known[reference])


def verdict_as_trained(manifests: "Sequence[ModelManifest]") -> str:
    """Return in a sentence which version did best by its own evaluation, if they can be compared."""
    from cluster.model_comparison import have_same_windows

    if not have_same_windows(manifests):
        return (
            "They were judged on different windows, so these numbers cannot be compared; "
            "score them on the same ones with --data."
        )
    ranked = sorted(manifests, key=lambda manifest: manifest.metrics["crps"])
    best, second = ranked[0], ranked[1]
    lead = 1.0 - best.metrics["crps"] / second.metrics["crps"]
    if lead == 0:
        return f"{best.reference} and {second.reference} have the same CRPS."
    return (
        f"{best.reference} has the lowest CRPS, {lead:.2%} below {second.reference}; whether by more than luck, "
        f"--data can tell.{_against_naive(ranked)}"
    )


def _against_naive(manifests: "Sequence[ModelManifest]") -> str:
    """Say how surely each version differs from the naive forecast, where its evaluation tested that."""
    known = [
        f"{m.reference} {'better' if m.beats_naive else 'no better'} (p {_p_value(m.metrics[P_VALUE])})"
        for m in manifests
        if P_VALUE in m.metrics
    ]
    return f" Against the naive forecast: {', '.join(known)}." if known else ""


def _p_value(chance: float) -> str:
    return "< 0.001" if chance < 0.001 else f"= {chance:.3f}"


def verdict_of(found: "Comparison") -> str:
    """Return in a sentence which version is best, and whether by more than luck."""
    second = min(found.chance, key=lambda reference: found.scores[reference]["crps"])
    lead = 1.0 - found.scores[found.best]["crps"] / found.scores[second]["crps"]
    if lead == 0:
        return f"{found.best} and {second} have the same CRPS."
    text = f"{found.best} has the lowest CRPS, {lead:.2%} below {second}"
    chance = found.chance[second]
    judged = "more than luck" if chance < SIGNIFICANT else "that may be luck"
    return f"{text}: {judged} (p {_p_value(chance)})."


def _cell(value: float | None, digits: int, *, is_best: bool) -> str:
    return "-" if value is None else f"{value:,.{digits}f}{' *' if is_best else ''}"


def _windows(found: "Comparison") -> str:
    from cluster.cli.wording import day

    return (
        f"{found.windows:,} windows of {found.moments:,} bars, {day(found.first_ts)} to "
        f"{day(found.last_ts)}, after the training of all; * is better."
    )
