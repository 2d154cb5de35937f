"""`trader sandbox templates`: what code finds installed, pinned with hashes, here and at E2B."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from cluster.config import Config

app = typer.Typer(help="What code in a sandbox finds installed.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the template.")]
DIGITS = 12


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every template, the digest of its lock for this machine, and where its packages come from."""
    from cluster.cli.output import print_json, print_table
    from sandboxes.templates import registry

    settings = config_of(config)
    found = [_told(settings, name) for name in registry.names()]
    if as_json:
        print_json(found)
        return
    rows = [
        (each["name"], each["digest"][:DIGITS] or "-", each["here"], each["summary"])
        for each in found
    ]
    print_table(("template", "digest", "here", "what for"), rows)


@app.command()
def inspect(name: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one template: packages with versions, limits, environment, image at E2B."""
    from cluster.cli.output import print_facts, print_json
    from sandboxes.local.packages import lock_of
    from sandboxes.templates import registry

    settings = config_of(config)
    template = registry.inspect(name)
    lock = lock_of(template)
    told = _told(settings, name) | {
        "locked": list(lock.requirements) if lock else [],
        "asked": list(template.packages),
        "preload": list(template.preload),
        "memory_mib": template.limits.memory_bytes >> 20,
        "env": template.env,
    }
    if as_json:
        print_json(told)
        return
    env = " ".join(f"{key}={value}" for key, value in template.env.items())
    lists = {key: ", ".join(told[key]) or "-" for key in ("locked", "asked", "preload")}
    print_facts({**told, **lists, "env": env})


@app.command()
def build(
    name: NameArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Install a template from its lock into a virtual environment of this machine; every hash is checked.

    Sandboxes take it from then on. What is built already is found.
    """
    from cluster.cli.output import note, print_facts, print_json
    from sandboxes.local.packages import build_folder
    from sandboxes.templates import registry
    from sandboxes.templates.local_build import build_local
    from sandboxes.templates.lock import this_platform

    lock = registry.lock(name, this_platform())
    folder = build_folder(_home(config_of(config)), name, lock)
    note(f"Installing {len(lock.requirements)} packages into {folder} ...", quiet=quiet)
    made = build_local(name, folder)
    told = {"name": made.name, "digest": made.digest, "folder": str(folder)}
    if as_json:
        print_json(told)
    else:
        print_facts(told)


@app.command()
def deploy(
    name: NameArgument,
    index_url: Annotated[
        str,
        typer.Option(
            "--index-url", metavar="URL", help="A further package index, such as torch's."
        ),
    ] = "",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Build a template at E2B from its lock, under its alias, tagged with the digest; needs E2B_API_KEY."""
    import asyncio

    from cluster.cli.output import note, print_facts, print_json
    from cluster.sandboxes import connection_to_e2b
    from sandboxes.templates import registry

    connection = connection_to_e2b()
    from sandboxes.templates.e2b_build import build_e2b

    def tell(text: str) -> None:
        note(text, quiet=quiet)

    image = asyncio.run(build_e2b(name, connection, index_url, tell))
    digest = registry.lock(name, registry.inspect(name).e2b.platform).digest
    told = {"name": name, "digest": digest, "image": image}
    if as_json:
        print_json(told)
    else:
        print_facts(told)


def _told(config: "Config", name: str) -> dict[str, Any]:
    """Return what is known of a template, and what a sandbox here would take."""
    from sandboxes.errors import SandboxRefused
    from sandboxes.local.packages import lock_of, packages_for
    from sandboxes.templates import registry

    template = registry.inspect(name)
    lock = lock_of(template)
    try:
        here = packages_for(_home(config), template).origin
    except SandboxRefused:
        here = "needs a build"
    return {
        "name": name,
        "summary": template.summary,
        "digest": lock.digest if lock else "",
        "here": here,
        "e2b": template.e2b.alias,
    }


def _home(config: "Config") -> Any:
    """Return the folder that sandboxes of whoever runs this take their copies from."""
    from sandboxes.local.plan import next_user
    from sandboxes.local.runtime import usable_home

    return usable_home(config.cluster.sandbox_dir, next_user())
