"""`trader run`: trade a replay from start to end, or a real venue until Ctrl-C; show it, judge it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption, QuietOption, config_of
from cluster.exit_codes import ExitCode

if TYPE_CHECKING:
    from cluster.cli.progress import Progress
    from cluster.client import RayClusterView
    from cluster.config import Config
    from cluster.result import RunResult
    from serve.desk.front_desk import FrontDesk
    from serve.desk.view import ClusterSnapshot, ClusterView

POLL_INTERVAL_S = 0.25
LAST_LOOKS = 20
"""Looks at the books after the last day, until they agree: the last fills may still be on their way."""


def run(
    *,
    speed: Annotated[
        str | None,
        typer.Option("--speed", metavar="N|max", help="Replayed days per second, or max."),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="Trade the last N days of the data.")
    ] = None,
    symbols: Annotated[
        str | None, typer.Option("--symbols", metavar="A,B", help="Trade these symbols alone.")
    ] = None,
    keep_up: Annotated[
        bool, typer.Option("--keep-up", help="Leave the cluster running (see `trader up`).")
    ] = False,
    no_page: Annotated[
        bool, typer.Option("--no-page", help="Do not serve the page while it runs.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="PATH", help="Where the HTML report goes.")
    ] = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Trade a replay of real prices and show it live. Ends with a result per strategy and a report.

    Each run has a folder and a journal of its own below the state folder; --keep-up uses the
    configured ones. While it runs the front desk answers on 127.0.0.1 (serve.port, or a free port): the page,
    /v1, /docs; not with --json. The exit code is 1 when ledger and exchange disagree at the end. With a real venue
    the run ends at Ctrl-C, uses the configured journal, and the exit code is 1 when the account does not
    agree with the venue's.
    """
    from cluster.cli.folders import stamp_of, with_fresh_folder
    from cluster.cli.output import note, print_json
    from cluster.cli.summary import print_result
    from cluster.config.venue_checks import is_simulated
    from cluster.result import run_summary

    data = _data(speed, days, symbols)
    settings = configured = config_of(config, address, data)
    is_replay = is_simulated(settings)
    if not is_replay:
        _require_no_replay(data)
    now_ns = time.time_ns()
    if is_replay and not keep_up:
        settings = with_fresh_folder(settings, now_ns)
    path = (report or settings.cluster.state_dir / f"report-{stamp_of(now_ns)}.html").absolute()
    _require_place(path)
    shown = None if no_page or as_json else configured
    result = _trade(settings, path, keep_up=keep_up, plain=as_json, quiet=quiet, shown=shown)
    if as_json:
        print_json(run_summary(result))
    else:
        print_result(result)
        note(_try_next(keep_up=keep_up), quiet=quiet)
    raise typer.Exit(ExitCode.OK if result.is_clean else ExitCode.FAILED)


def _data(speed: str | None, days: int | None, symbols: str | None) -> dict[str, Any]:
    given = {
        "pace_slices_per_s": None if speed is None else _pace(speed),
        "days": days,
        "symbols": symbols,
    }
    return {key: value for key, value in given.items() if value is not None}


def _require_no_replay(data: dict[str, Any]) -> None:
    """Refuse options of a replay where there is none.

    Raises
    ------
    UsageError
        If there is one.
    """
    from trading.errors import UsageError

    if data:
        raise UsageError(
            "--speed, --days and --symbols belong to a replay; with a real venue, feed.symbols in the "
            "configuration says what is traded."
        )


def _pace(speed: str) -> float:
    """Return days per second; 0 is as fast as possible.

    Raises
    ------
    UsageError
        If `speed` is neither a number above zero nor `max`.
    """
    from math import isfinite

    from trading.errors import UsageError

    if speed == "max":
        return 0.0
    with suppress(ValueError):
        pace = float(speed)
        if isfinite(pace) and pace > 0:
            return pace
    raise UsageError(f"--speed is {speed!r}; give days per second (a number above 0) or max.")


def _require_place(report: Path) -> None:
    """Find out before the run, not after it, that the report cannot be written.

    Raises
    ------
    UsageError
        If its folder cannot be made, or it is a folder itself.
    """
    from trading.errors import UsageError

    if report.is_dir():
        raise UsageError(f"{report} is a folder; give --report the path of a file.")
    try:
        report.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{report.parent} cannot be made ({error.strerror}); give --report another path."
        ) from None


def _trade(
    config: "Config",
    report: Path,
    *,
    keep_up: bool,
    plain: bool,
    quiet: bool,
    shown: "Config | None",
) -> "RunResult":
    """Start, watch to the end, write the report; stop whatever happens, unless asked not to.

    Parameters
    ----------
    shown : Config or None
        As people wrote it, when there shall be a page.
    """
    import msgspec

    from cluster import launch
    from cluster.cli.output import note
    from cluster.history import read_history
    from cluster.report import write_report
    from cluster.result import result_of

    note(f"Starting cluster {config.cluster.name!r} ...", quiet=quiet)
    view = launch.start(config, detached=keep_up)
    try:
        with _page(view, config, shown) as page:
            snapshot = _watch(view, config, plain=plain, quiet=quiet, page=page)
        result = result_of(config, snapshot, read_history(config))
        result = msgspec.structs.replace(result, report=str(report))
        write_report(result, report)
        return result
    finally:
        if not keep_up:
            view.stop()


@contextmanager
def _page(view: "RayClusterView", config: "Config", shown: "Config | None") -> Iterator[str]:
    """Serve the front desk for as long as the context lasts; yield its address, empty without one."""
    if shown is None:
        yield ""
        return
    from cluster.access import prepare_access
    from cluster.desk.page import serving_page

    def make_desk() -> "FrontDesk":
        from cluster.desk.opening import forecasting, front_desk
        from cluster.desk.ray_link import RayLink

        forecasts, histories = forecasting(shown)
        link = RayLink(view, owns_view=False)
        return front_desk(shown, lambda: link, forecasts, histories, running=config)

    with serving_page(make_desk, config.serve.port, prepare_access(shown)) as page:
        yield page.url


def _watch(
    view: "ClusterView", config: "Config", *, plain: bool, quiet: bool, page: str
) -> "ClusterSnapshot":
    """Show the run until the replay has finished and the books have settled; a real venue until Ctrl-C."""
    from cluster.cli.output import note
    from cluster.cli.progress import progress_of

    if page:
        note(f"Page: {page}", quiet=quiet)
    with progress_of(plain=plain, quiet=quiet, page=page) as progress:
        snapshot = view.snapshot()
        if snapshot.venue is not None:
            return _watch_venue(view, progress)
        looks = LAST_LOOKS
        while looks and not _is_settled(snapshot):
            progress.show(snapshot)
            time.sleep(POLL_INTERVAL_S)
            snapshot = view.snapshot()
            looks -= snapshot.finished
        progress.show(snapshot)
    return snapshot


def _watch_venue(view: "ClusterView", progress: "Progress") -> "ClusterSnapshot":
    """Show a run that has no end of its own; Ctrl-C is its ordinary end."""
    with suppress(KeyboardInterrupt):
        while True:
            progress.show(view.snapshot())
            time.sleep(POLL_INTERVAL_S)
    return view.snapshot()


def _is_settled(snapshot: "ClusterSnapshot") -> bool:
    return snapshot.finished and snapshot.check is not None and snapshot.check.is_clean


def _try_next(*, keep_up: bool) -> str:
    if keep_up:
        return "The cluster is still up. Try next: trader status, trader positions, trader down."
    return (
        "Try next: trader run --speed max --symbols AAPL,MSFT,XOM; trader run --keep-up, then "
        "trader status; trader orders; trader config show --origin; trader doctor."
    )
