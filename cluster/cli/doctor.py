"""`trader doctor`: says whether this machine is fit to trade."""

import typer

from cluster.cli.options import ConfigOption, JsonOption, config_of
from cluster.exit_codes import ExitCode


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check this machine; exit 1 when a check fails. Warnings do not count."""
    from cluster.cli.output import print_json, print_table
    from cluster.doctor import examine

    findings = examine(config_of(config))
    is_fit = all(finding.level != "fail" for finding in findings)
    if as_json:
        print_json({"ok": is_fit, "findings": findings})
    else:
        print_table(
            ("check", "level", "finding"),
            [(finding.check, finding.level, finding.message) for finding in findings],
        )
        remedies = [f"{finding.check}: {finding.remedy}" for finding in findings if finding.remedy]
        if remedies:
            typer.echo("\n" + "\n".join(remedies))
    raise typer.Exit(ExitCode.OK if is_fit else ExitCode.FAILED)
