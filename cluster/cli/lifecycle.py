"""`trader up` and `trader down`: a cluster that outlives the terminal."""

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption, QuietOption, config_of


def up(
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Start a cluster that goes on when this terminal closes."""
    from cluster import launch
    from cluster.cli.output import note, print_json
    from cluster.cli.tables import print_actors

    settings = config_of(config, address)
    note(f"Starting cluster {settings.cluster.name!r} ...", quiet=quiet)
    snapshot = launch.start(settings, detached=True).snapshot()
    if as_json:
        print_json({"cluster": settings.cluster.name, "actors": snapshot.actors})
        return
    print_actors(snapshot.actors)
    note(
        f"Cluster {settings.cluster.name!r} runs. Look: trader status, orders, positions, fills. "
        "Stop trading: trader kill. End it: trader down.",
        quiet=quiet,
    )


def down(
    config: ConfigOption = None, address: AddressOption = None, as_json: JsonOption = False
) -> None:
    """Stop the cluster, and the Ray that `trader up` started for it."""
    from cluster import ray_runtime
    from cluster.cli.output import print_json
    from cluster.client import connect
    from cluster.venue_access import remove_left_credentials
    from trading.errors import ClusterUnreachable

    settings = config_of(config, address)
    is_local = settings.cluster.address == "local"
    problem: ClusterUnreachable | None = None
    try:
        connect(settings).stop()
    except ClusterUnreachable as error:
        problem = error
    processes = ray_runtime.stop_head(settings) if is_local else 0
    if problem is None or is_local:
        remove_left_credentials(settings)
    if problem is not None and not processes:
        raise problem
    if as_json:
        print_json(
            {"cluster": settings.cluster.name, "stopped": problem is None, "processes": processes}
        )
    elif problem is None:
        typer.echo(f"Cluster {settings.cluster.name!r} is down.")
    else:
        typer.echo(f"No cluster answered; {processes} Ray processes that it had left were stopped.")
