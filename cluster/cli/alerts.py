"""`trader alerts`: watch a cluster from outside, tell people when somebody must look."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption, QuietOption, config_of
from cluster.exit_codes import ExitCode

if TYPE_CHECKING:
    from cluster.config import Config

app = typer.Typer(no_args_is_help=True, help="Watch the cluster and tell people.")


@app.command()
def watch(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Look once, print what fires, tell nobody.")
    ] = False,
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Watch until Ctrl-C, and tell the addresses of ALERT_URLS. Run it beside the cluster, not in it.

    --once ends with exit code 1 when something fires; holding times are not waited for then.
    """
    from cluster.alerts import Watch, alert_urls, looker, sender
    from cluster.cli.output import note

    settings = config_of(config, address)
    if once:
        _look_once(settings, as_json=as_json)
        return
    urls = alert_urls(settings)
    watcher = Watch(settings, looker(settings), sender(urls))
    note(f"Watching {settings.cluster.name!r}, telling {len(urls)} address(es).", quiet=quiet)
    unsent = 0
    while True:
        for notice in watcher.round():
            typer.echo(f"[{notice.kind}] {notice.rule.severity} {notice.rule.name}: {notice.text}")
        if watcher.unsent != unsent:
            unsent = watcher.unsent
            note(f"{unsent} message(s) could not be delivered yet.", quiet=quiet)
        time.sleep(settings.alerts.interval_s)


@app.command("test")
def send_test(config: ConfigOption = None) -> None:
    """Send one message to every address; exit code 1 when one does not take it."""
    from cluster.alerts import alert_urls, sender
    from serve.monitoring.delivery import OutgoingMessage
    from serve.monitoring.rules import Severity

    settings = config_of(config)
    urls = alert_urls(settings)
    message = OutgoingMessage(
        title=f"{settings.cluster.name}: test",
        body="This is a test of the alerts; nothing has happened.",
        severity=Severity.WARNING,
        is_resolved=True,
    )
    failed = [number for number, url in enumerate(urls, 1) if not sender([url])(message)]
    for number in failed:
        typer.echo(f"Address {number} did not take the message.", err=True)
    typer.echo(f"{len(urls) - len(failed)} of {len(urls)} addresses took the message.")
    raise typer.Exit(ExitCode.FAILED if failed else ExitCode.OK)


@app.command()
def rules(as_json: JsonOption = False) -> None:
    """Show every rule, as it stands in Prometheus too."""
    from cluster.cli.output import print_json, print_table
    from serve.monitoring.rules import RULES

    if as_json:
        print_json(
            [
                {
                    "name": rule.name,
                    "severity": rule.severity,
                    "expression": rule.expression,
                    "for_s": rule.for_s,
                    "runbook": rule.runbook,
                }
                for rule in RULES
            ]
        )
        return
    rows = [[rule.name, rule.severity, rule.expression, f"{rule.for_s} s"] for rule in RULES]
    print_table(("rule", "severity", "condition", "for"), rows)


def _look_once(settings: "Config", *, as_json: bool) -> None:
    from cluster.alerts import looker, met_now
    from cluster.cli.output import print_json

    found = met_now(looker(settings))
    if as_json:
        print_json(
            [{"rule": n.rule.name, "severity": n.rule.severity, "text": n.text} for n in found]
        )
    else:
        for notice in found:
            typer.echo(f"{notice.rule.severity} {notice.rule.name}: {notice.text}")
        if not found:
            typer.echo("Nothing fires.")
    raise typer.Exit(ExitCode.FAILED if found else ExitCode.OK)
