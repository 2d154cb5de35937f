"""`trader keys`: ways in for programs and agents."""

from typing import Annotated

import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of
from cluster.cli.users import BY, PermissionOption, permissions_of

app = typer.Typer(
    help="Keys of programs: make one, list them, take one back.", no_args_is_help=True
)

DAY_S = 86_400


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    permission: PermissionOption = None,
    user: Annotated[
        str,
        typer.Option(
            "--user", metavar="NAME", help="In whose name, and with no more than they may do."
        ),
    ] = "",
    days: Annotated[
        int, typer.Option("--days", min=0, max=3650, help="How long it is good; 0 is for ever.")
    ] = 90,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a key and print it: this once, for only its hash is kept. Without --permission it may only read."""
    from cluster.access import opened_access
    from cluster.cli.output import note, print_json

    granted = permissions_of(permission)
    with opened_access(config_of(config)) as access:
        key, text = access.issue_key(name, granted, BY, owner=user, life_s=days * DAY_S)
    if as_json:
        print_json({"key_id": key.key_id, "key": text, "permissions": sorted(granted)})
        return
    typer.echo(text)
    note("Keep it now; it cannot be shown again. Send it as X-API-Key.", quiet=quiet)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the keys, without their secrets."""
    from cluster.access import opened_access
    from cluster.cli.output import print_json, print_table
    from cluster.cli.wording import moment

    with opened_access(config_of(config)) as access:
        book = access.book()
        rows = [
            {
                "key_id": key.key_id,
                "name": key.name,
                "user": key.owner,
                "permissions": sorted(book.permissions_of(key)),
                "issued_at": moment(key.issued_at),
                "expires_at": moment(key.expires_at),
            }
            for key in book.keys.values()
        ]
    if as_json:
        print_json({"keys": rows})
        return
    print_table(
        ("key", "name", "user", "permissions", "issued (UTC)", "expires (UTC)"),
        [
            (r["key_id"], r["name"], r["user"] or "-", " ".join(r["permissions"]), r["issued_at"],
             r["expires_at"])
            for r in rows
        ],
    )  # fmt: skip


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `trader keys list` shows it.")],
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Take a key back, at once."""
    from cluster.access import opened_access
    from cluster.cli.output import note

    with opened_access(config_of(config)) as access:
        access.revoke_key(key_id, BY)
    note(f"Revoked {key_id}.", quiet=quiet)
