"""`trader run`: start the cluster, replay real prices through it, show it live, report, stop."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption, QuietOption
from cluster.exit_codes import ExitCode
from trading.errors import UsageError

if TYPE_CHECKING:
    from cluster.config import Config
    from cluster.result import RunResult


def run(
    config: ConfigOption = None,
    speed: Annotated[
        str | None, typer.Option("--speed", metavar="N|max", help="Replayed days per second.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="Trading days at the end of the data.")
    ] = None,
    symbols: Annotated[
        str | None, typer.Option("--symbols", metavar="A,B", help="Symbols to trade.")
    ] = None,
    keep_up: Annotated[
        bool, typer.Option("--keep-up", help="Leave the cluster running afterwards.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Where the HTML report goes.")
    ] = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Trade a replay of real prices, live on this screen; ends by itself with a report."""
    from cluster.cli.output import is_interactive, note, print_json
    from cluster.cli.session import prepare
    from cluster.config import load_config
    from cluster.result import run_summary

    overrides = overrides_of(speed=speed, days=days, symbols=symbols, address=address)
    settings = with_own_journal(load_config(config, overrides))
    is_live = is_interactive(quiet=quiet or as_json)
    prepare(settings, process="run", quiet=is_live or quiet)
    note("starting the cluster ...", quiet=quiet or as_json)
    result = _trade(settings, report, is_live=is_live, keep_up=keep_up)
    if as_json:
        print_json(run_summary(result))
    else:
        _show(result, quiet=quiet, keep_up=keep_up)
    if result.check is not None and not result.check.is_clean:
        raise typer.Exit(ExitCode.FAILED)


def overrides_of(
    *,
    speed: str | None = None,
    days: int | None = None,
    symbols: str | None = None,
    address: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Return what the command line says, nested like the configuration.

    Raises
    ------
    UsageError
        If `speed` is neither a positive number nor `max`.
    """
    data: dict[str, Any] = {"days": days, "symbols": symbols}
    if speed is not None:
        data["pace_slices_per_s"] = pace_of(speed)
    cluster = {"address": address}
    sections = {"data": data, "cluster": cluster}
    return {
        name: {key: value for key, value in values.items() if value is not None}
        for name, values in sections.items()
    }


def pace_of(speed: str) -> float:
    """Return slices per second; 0 stands for as fast as possible."""
    if speed == "max":
        return 0.0
    with suppress(ValueError):
        pace = float(speed)
        if 0 < pace <= 1_000_000:
            return pace
    raise UsageError(f"--speed is a positive number of days per second, or max; got {speed!r}.")


def with_own_journal(config: "Config") -> "Config":
    """Give each run a journal of its own, unless the configuration names one."""
    from datetime import UTC, datetime

    from cluster.config.model import ClusterConfig

    default = ClusterConfig(name=config.cluster.name, state_dir=config.cluster.state_dir).journal
    if config.cluster.journal != default:
        return config
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    url = default.removesuffix("journal") + f"runs/{stamp}/journal"
    return config.model_copy(update={"cluster": config.cluster.model_copy(update={"journal": url})})


def _trade(settings: "Config", report: Path | None, *, is_live: bool, keep_up: bool) -> "RunResult":
    """Start, watch to the end, write the report; whatever happens, nothing is left half-started."""
    import msgspec

    from cluster.cli.watch import watch
    from cluster.history import read_history
    from cluster.launch import start
    from cluster.report import write_report
    from cluster.result import result_of

    target = report or default_report(settings)
    _require_writable(target)
    view = start(settings, detached=keep_up)
    try:
        last = watch(view, pace=settings.data.pace_slices_per_s, is_live=is_live)
        result = result_of(settings, last, read_history(settings))
        written = write_report(result, target)
        return msgspec.structs.replace(result, report=str(written))
    except BaseException:
        keep_up = False
        raise
    finally:
        if not keep_up:
            view.stop()


def default_report(config: "Config") -> Path:
    """Return where the report goes: beside an embedded journal, else into the state folder."""
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(config.cluster.journal)
    if parts.scheme == "sqlite":
        return Path(unquote(parts.path)).with_name("report.html")
    return config.cluster.state_dir / "report.html"


def _require_writable(target: Path) -> None:
    """Find out before the run, not after it, that the report has no place."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {target} ({error.strerror}); choose another --report."
        ) from None


def _show(result: "RunResult", *, quiet: bool, keep_up: bool) -> None:
    from cluster import tables
    from cluster.cli.output import note, print_facts, print_table
    from cluster.result import check_summary

    rows = [
        (
            one.strategy_id,
            tables.signed(one.profit),
            tables.percent(one.total_return),
            tables.ratio(one.sharpe),
            tables.percent(one.max_drawdown),
            one.trades,
        )
        for one in result.strategies
    ]
    print_table(("strategy", "profit", "return", "sharpe", "max drawdown", "trades"), rows)
    orders, latency = result.orders, result.latency_us.tick_to_order
    check = check_summary(result.check) or {}
    typer.echo()
    print_facts(
        {
            "days": f"{result.days} ({len(result.symbols)} symbols)",
            "equity": f"{tables.money(result.initial_equity)} -> {tables.money(result.final_equity)}",
            "orders": f"{orders.submitted} submitted, {orders.filled} filled, "
            f"{orders.canceled} canceled, {orders.rejected} rejected, "
            f"{sum(orders.refused.values())} refused",
            "check": ", ".join(f"{key} {value:g}" for key, value in check.items()) or "not made",
            "latency": f"tick to order p50 {tables.microseconds(latency.p50)}, "
            f"p99 {tables.microseconds(latency.p99)}",
            "journal": result.config.cluster.journal,
            "report": result.report,
        }
    )
    note(_next_steps(result, keep_up=keep_up), quiet=quiet)


def _next_steps(result: "RunResult", *, keep_up: bool) -> str:
    journal = result.config.cluster.journal
    steps = [
        "trader status; trader positions; trader down"
        if keep_up
        else "trader run --speed max --symbols AAPL,MSFT",
        f"trader replay --journal {journal} --until 500",
        "trader config show --origin",
        "trader doctor",
    ]
    return "\nTry next:\n" + "\n".join(f"  {step}" for step in steps)
