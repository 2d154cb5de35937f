"""`trader risk kelly`: how much of the capital each strategy should get."""

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.laboratory_options import (
    CostOption,
    DataOption,
    FromOption,
    SymbolsOption,
    ToOption,
    settings_of,
)
from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of
from cluster.cli.strategy_inputs import prices_of_source, symbols_of

if TYPE_CHECKING:
    from tune.risk.strategy_kelly import StrategyKelly


def kelly(
    strategies: Annotated[
        str, typer.Option("--strategies", metavar="A,B", help="Installed strategies.")
    ],
    *,
    fraction: Annotated[
        float, typer.Option("--fraction", metavar="PART", help="Of the Kelly weights, up to 1.")
    ] = 0.5,
    weight_max: Annotated[
        float, typer.Option("--weight-max", metavar="PART", help="Most for one strategy.")
    ] = 1.0,
    gross_max: Annotated[
        float, typer.Option("--gross-max", metavar="PART", help="Most for all; above 1 borrows.")
    ] = 1.0,
    drawdown_limit: Annotated[
        float | None,
        typer.Option("--drawdown-limit", metavar="PART", help="Loss that may never be exceeded."),
    ] = None,
    drawdown: Annotated[
        float, typer.Option("--drawdown", metavar="PART", help="Loss since the best so far.")
    ] = 0.0,
    symbols: SymbolsOption = "",
    start: FromOption = "",
    end: ToOption = "",
    data: DataOption = "sp500",
    cost_bps: CostOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Share the capital among strategies for the best growth, with less for the error of the estimates.

    Each strategy is backtested with the usual costs; weights are a fraction of those that grow most.
    """
    from cluster.cli.output import note, print_json
    from trading.allocation.kelly.allocation import KellyRule
    from trading.allocation.kelly.caps import Caps
    from trading.errors import UsageError
    from tune.risk.strategy_kelly import strategy_kelly
    from tune.signal_sources import SignalSources

    names = symbols_of(strategies)
    if not names:
        raise UsageError("--strategies names none; write for example momentum,pairs.")
    rule = KellyRule(
        fraction=fraction,
        caps=Caps(weight_min=0.0, weight_max=weight_max, gross_max=gross_max),
        drawdown=drawdown,
        drawdown_limit=drawdown_limit,
    )
    prices = prices_of_source(config_of(config), data, symbols, (start, end))
    found = strategy_kelly(names, prices, settings_of(cost_bps), SignalSources(), rule)
    if as_json:
        print_json(_plain(found))
        return
    _print(found)
    for text in found.notes:
        note(text, quiet=quiet)


def _print(found: "StrategyKelly") -> None:
    from cluster.cli.output import print_facts, print_table

    weights = found.allocation.weights
    rows = [
        (name, f"{ratio:.2f}", f"{100 * weight:.1f} %")
        for name, ratio, weight in zip(found.names, found.sharpe, weights, strict=True)
    ]
    print_table(
        ("strategy", "Sharpe", "capital"), [*rows, ("cash", "-", _percent(1 - weights.sum()))]
    )
    typer.echo()
    print_facts(
        {
            "held of the Kelly weights": _percent(found.allocation.fraction),
            "kept for the error of the estimates": _percent(found.allocation.shrinkage),
            "growth a year, in the sample": _percent(found.annual_growth),
            **{
                f"chance of ever losing {100 * depth:.0f} %": _percent(chance)
                for depth, chance in found.loss_probability.items()
            },
        }
    )


def _plain(found: "StrategyKelly") -> dict[str, object]:
    allocation = found.allocation
    return {
        "strategies": [
            {"strategy": name, "sharpe": ratio, "weight": weight}
            for name, ratio, weight in zip(
                found.names, found.sharpe, allocation.weights.tolist(), strict=True
            )
        ],
        "fraction": allocation.fraction,
        "shrinkage": allocation.shrinkage,
        "annual_growth": found.annual_growth,
        "loss_probability": {f"{depth:g}": p for depth, p in found.loss_probability.items()},
        "correlation": found.correlation.tolist(),
        "notes": list(found.notes),
    }


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
