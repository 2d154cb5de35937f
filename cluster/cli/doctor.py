"""`trader doctor`: says whether this machine is fit to trade."""

from collections import Counter

import typer

from cluster.cli.options import ConfigOption, JsonOption
from cluster.exit_codes import ExitCode


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the machine, the journal and the permissions; exit 1 when a check fails."""
    from cluster.cli.output import print_json, print_table
    from cluster.config import load_config
    from cluster.doctor import examine

    findings = examine(load_config(config))
    counts = Counter(finding.level for finding in findings)
    if as_json:
        print_json({"ok": not counts["fail"], "checks": findings})
    else:
        rows = [(one.level, one.check, one.message, one.remedy or "-") for one in findings]
        print_table(("level", "check", "found", "remedy"), rows)
        typer.echo(f"\n{counts['ok']} ok, {counts['warn']} warnings, {counts['fail']} failures")
    if counts["fail"]:
        raise typer.Exit(ExitCode.FAILED)
