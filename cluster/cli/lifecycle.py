"""`trader up` and `trader down`: a cluster that outlives the terminal."""

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption, QuietOption


def up(
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Start the cluster and leave it running; it goes on where its journal ends."""
    from cluster.cli.output import note, print_facts, print_json
    from cluster.cli.run import overrides_of
    from cluster.cli.session import prepare
    from cluster.config import load_config
    from cluster.launch import start
    from cluster.logs import without_password

    settings = load_config(config, overrides_of(address=address))
    prepare(settings, process="up", quiet=quiet)
    note("starting the cluster ...", quiet=quiet or as_json)
    snapshot = start(settings, detached=True).snapshot()
    facts = {
        "cluster": settings.cluster.name,
        "address": settings.cluster.address,
        "actors": len(snapshot.actors),
        "journal": without_password(settings.cluster.journal),
        "seconds": round(snapshot.seconds.start, 1),
    }
    if as_json:
        print_json(facts)
        return
    print_facts(facts)
    note("\nNext: trader status --watch, trader positions, trader down", quiet=quiet)


def down(
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop the cluster, and the Ray that was started for it."""
    from cluster.cli.output import print_json
    from cluster.cli.run import overrides_of
    from cluster.client import connect
    from cluster.config import load_config
    from cluster.ray_runtime import stop_head

    settings = load_config(config, overrides_of(address=address))
    connect(settings).stop()
    processes = stop_head(settings) if settings.cluster.address == "local" else 0
    if as_json:
        print_json({"cluster": settings.cluster.name, "stopped": True, "processes": processes})
    else:
        typer.echo(f"Cluster {settings.cluster.name} is down; its journal stays.")
