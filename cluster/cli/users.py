"""`trader users`: who may log in at the front desk."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from serve.auth.access_book import Permissions

app = typer.Typer(
    help="Users of the front desk: who may log in, and do what.", no_args_is_help=True
)

UserArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.")]
PermissionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--permission",
        "-p",
        metavar="WORD",
        help="read, trade:paper, trade:live, risk:admin, model:admin, sandbox:run or all; several times.",
    ),
]
BY = "trader"


@app.command()
def add(
    name: UserArgument,
    permission: PermissionOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Let somebody in. Without --permission they may only read.

    The password is asked for, or is the first line of stdin where there is no terminal; it never stands in the command.
    """
    from cluster.access import opened_access
    from cluster.cli.output import note, print_json

    settings, granted = config_of(config), permissions_of(permission)
    with opened_access(settings) as access:
        access.add_user(name, asked_password(), granted, BY)
    if as_json:
        print_json({"user": name, "permissions": sorted(granted)})
    else:
        note(f"Added {name}, who may {', '.join(sorted(granted))}.", quiet=quiet)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the users and what they may do."""
    from cluster.access import opened_access
    from cluster.cli.output import print_json, print_table
    from cluster.cli.wording import moment

    with opened_access(config_of(config)) as access:
        users = sorted(access.book().users.values(), key=lambda user: user.name)
    if as_json:
        shown = [
            {"user": u.name, "permissions": sorted(u.permissions), "added_at": moment(u.added_at)}
            for u in users
        ]
        print_json({"users": shown})
        return
    rows = [(u.name, " ".join(sorted(u.permissions)), moment(u.added_at)) for u in users]
    print_table(("user", "permissions", "added (UTC)"), rows)


@app.command()
def remove(name: UserArgument, config: ConfigOption = None, quiet: QuietOption = False) -> None:
    """Keep somebody out, at once: their sessions end, and their keys are void."""
    from cluster.access import opened_access
    from cluster.cli.output import note

    with opened_access(config_of(config)) as access:
        access.remove_user(name, BY)
    note(f"Removed {name}.", quiet=quiet)


@app.command()
def passwd(name: UserArgument, config: ConfigOption = None, quiet: QuietOption = False) -> None:
    """Change a password; all sessions of the user end."""
    from cluster.access import opened_access
    from cluster.cli.output import note

    with opened_access(config_of(config)) as access:
        access.user(name)  # says so before anybody has typed a password
        access.change_password(name, asked_password(), BY)
    note(f"Changed the password of {name}.", quiet=quiet)


def asked_password() -> str:
    """Return a password that a person types twice, or that a program writes to stdin."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def permissions_of(words: list[str] | None) -> "Permissions":
    """Return the permissions of that name; `read` when none is named.

    Raises
    ------
    UsageError
        If one is no permission.
    """
    from serve.desk.principal import ALL, Permission
    from trading.errors import UsageError

    wanted = set(words or [Permission.READ])
    known = {str(each): each for each in Permission}
    unknown = sorted(wanted - known.keys() - {"all"})
    if unknown:
        raise UsageError(
            f"{unknown[0]!r} is no permission; there are {', '.join(sorted(known))} and all."
        )
    return ALL if "all" in wanted else frozenset(known[word] for word in wanted)
