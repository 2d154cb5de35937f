"""`trader doctor`: says whether this machine is fit to trade."""

import typer

from cluster.cli.options import ConfigOption, JsonOption, config_of
from cluster.exit_codes import ExitCode


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check this machine; exit 1 when a check fails. Warnings do not count."""
    from cluster.cli.output import print_json, print_table
    from cluster.doctor import Status, examine

    checks = examine(config_of(config))
    is_fit = all(check.status is not Status.FAIL for check in checks)
    if as_json:
        print_json({"ok": is_fit, "checks": checks})
    else:
        print_table(
            ("check", "status", "finding"),
            [(check.name, check.status, check.finding) for check in checks],
        )
        for check in checks:
            if check.remedy:
                typer.echo(f"\n{check.name}: {check.remedy}", nl=False)
        typer.echo()
    raise typer.Exit(ExitCode.OK if is_fit else ExitCode.FAILED)
