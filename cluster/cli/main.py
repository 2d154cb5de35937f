"""Entry point of `trader`: assembles the commands, turns errors into one sentence and an exit code."""

import sys

import typer

from cluster.cli import (
    agent,
    alerts,
    backtest,
    check,
    cluster,
    config,
    data,
    doctor,
    execute,
    forecast,
    ib,
    keys,
    kill,
    lifecycle,
    mcp,
    models,
    observe,
    publish,
    replay,
    risk,
    run,
    sandbox,
    serve,
    slippage,
    sweep,
    traces,
    train,
    tune,
    users,
    venues,
)
from cluster.cli.options import JsonOption
from cluster.exit_codes import ExitCode
from trading.errors import TradingError

app = typer.Typer(
    name="trader",
    help="A trading cluster: brokers, books, strategies, risk and ledger as actors on Ray.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("up")(lifecycle.up)
app.command("down")(lifecycle.down)
app.command("status")(observe.status)
app.command("orders")(observe.orders)
app.command("positions")(observe.positions)
app.command("fills")(observe.fills)
app.command("slippage")(slippage.slippage)
app.command("traces")(traces.traces)
app.command("execute")(execute.execute)
app.command("cancel")(execute.cancel)
app.command("publish")(publish.publish)
app.command("kill")(kill.kill)
app.command("replay")(replay.replay)
app.command("backtest")(backtest.backtest)
app.command("check")(check.check)
app.command("tune")(tune.tune)
app.command("sweep", context_settings=sweep.SETTINGS)(sweep.sweep)
app.command("train")(train.train)
app.command("forecast")(forecast.forecast)
app.command("serve")(serve.serve)
app.command("mcp")(mcp.mcp)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(risk.app, name="risk")
app.add_typer(models.app, name="models")
app.add_typer(venues.app, name="venues")
app.add_typer(ib.app, name="ib")
app.add_typer(alerts.app, name="alerts")
app.add_typer(users.app, name="users")
app.add_typer(keys.app, name="keys")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(agent.app, name="agent")
app.add_typer(cluster.app, name="cluster")
app.add_typer(config.app, name="config")


@app.command()
def version(as_json: JsonOption = False) -> None:
    """Show the version."""
    from importlib.metadata import version as installed

    from cluster.cli.output import print_json

    number = installed("neural-trader")
    if as_json:
        print_json({"name": "neural-trader", "version": number})
    else:
        typer.echo(f"neural-trader {number}")


def main() -> None:
    """Run one command and end the process with its exit code."""
    try:
        app(prog_name="trader")
    except TradingError as error:
        typer.echo(f"trader: {_without_secrets(error)} [{error.code}]", err=True)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        typer.echo("trader: interrupted.", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        typer.echo(f"trader: {_story(error)}", err=True)
        sys.exit(ExitCode.FAILED)


def _without_secrets(error: TradingError) -> str:
    from actors.venues.credentials import masked

    return masked(str(error))


def _story(error: Exception) -> str:
    """Say in one line what broke, and where the traceback went."""
    from cluster.logs import record_crash, without_secrets

    summary = without_secrets(f"{type(error).__name__}: {error}".splitlines()[0])
    try:
        place = f"the traceback is in {record_crash(error)}"
    except OSError as failure:
        place = f"the traceback could not be written ({failure})"
    return f"unexpected failure: {summary}; {place}. [FAILED]"


if __name__ == "__main__":
    main()
