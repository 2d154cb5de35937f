"""`trader risk`: what the portfolio can lose, what would have to happen, and the limits of the account."""

import typer

from cluster.cli import risk_limits

app = typer.Typer(help="Measure risk, stress the portfolio, change limits.", no_args_is_help=True)
app.add_typer(risk_limits.app, name="limits")
