"""`trader risk`: what the portfolio can lose, what would have to happen, and the limits of the account."""

import typer

from cluster.cli import risk_kelly, risk_limits, risk_report, risk_stress

app = typer.Typer(help="Measure risk, stress the portfolio, change limits.", no_args_is_help=True)
app.command("report")(risk_report.report)
app.command("stress")(risk_stress.stress)
app.command("kelly")(risk_kelly.kelly)
app.add_typer(risk_limits.app, name="limits")
