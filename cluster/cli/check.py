"""`trader check`: whether a strategy looks ahead, and needs the memory that it says."""

from typing import Annotated

import typer

from cluster.cli.laboratory_options import DataOption, FromOption, SymbolsOption, ToOption
from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of
from cluster.cli.strategy_inputs import (
    FORECASTER,
    ForecasterOption,
    ParamOption,
    parameters_of,
    prices_of_source,
    sources_of,
)
from cluster.exit_codes import ExitCode

BARS = 1_500
"""Newest bars that are looked at when no time is given."""


def check(
    strategy: Annotated[
        str, typer.Argument(metavar="STRATEGY", help="Name, FILE.py or FILE.py:Class.")
    ],
    *,
    param: ParamOption = None,
    data: DataOption = "sp500",
    symbols: SymbolsOption = "",
    start: FromOption = "",
    end: ToOption = "",
    forecaster: ForecasterOption = FORECASTER,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Compare live with batch at every bar.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check a strategy: no look into the future, batch equals live, memory, sane weights.

    The exit code is 1 when a check failed. A file is imported: it runs with your rights.
    """
    from cluster.cli.meter import meter
    from cluster.cli.output import note, print_json, print_table
    from tune.signal_sources import with_signals
    from tune.user_strategy import load_strategy
    from tune.verdict.verdict import CHECKS, judge

    guest = load_strategy(strategy, parameters_of(param or []))
    settings = config_of(config)
    bars = prices_of_source(settings, data, symbols, (start, end)).bars
    if not start and not end:
        bars = bars.rows(max(0, len(bars) - max(BARS, 2 * guest.lookback)), len(bars))
    sources = sources_of(settings, forecaster, "", "", "", quiet=quiet)
    told, notes = with_signals(bars, getattr(guest, "NEEDS", ()), sources)
    with meter("Checks", len(CHECKS), plain=as_json, quiet=quiet) as show:
        verdict = judge(strategy, guest, told, is_thorough=thorough, on_check=show)
    if as_json:
        print_json(
            {
                "strategy": verdict.strategy,
                "params": verdict.params,
                "passed": verdict.passed,
                "findings": verdict.findings,
                "notes": notes,
            }
        )
    else:
        rows = [
            (each.check, "passed" if each.passed else "FAILED", each.text)
            for each in verdict.findings
        ]
        print_table(("check", "verdict", "found"), rows)
        for text in notes:
            note(text, quiet=quiet)
        failed = sum(not each.passed for each in verdict.findings)
        note(
            f"{strategy}: {failed} checks failed." if failed else f"{strategy}: passed.",
            quiet=quiet,
        )
    raise typer.Exit(ExitCode.OK if verdict.passed else ExitCode.FAILED)
