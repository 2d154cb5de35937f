"""The MCP server over stdin and stdout: for a program on the same machine that starts it."""

import getpass
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mcp.server.context import ServerRequestContext

from serve.desk.principal import ALL, Permission, Principal
from serve.mcp.call import DeskHolder
from serve.mcp.server import DeskServer, build_server
from serve.mcp.toolsets import DEFAULT, Toolset
from trading.errors import UsageError

if TYPE_CHECKING:
    from serve.desk.front_desk import FrontDesk


def stdio_server(
    open_desk: "Callable[[], FrontDesk]",
    *,
    permissions: frozenset[Permission] = ALL,
    toolsets: frozenset[Toolset] = DEFAULT,
) -> DeskServer:
    """Return a server for one client: whoever may start it on this machine, with the permissions given.

    Parameters
    ----------
    open_desk : callable
        Called with the first tool that needs the desk: the client hears from the server before that.
    """
    by = Principal(name=f"stdio:{_user()}", permissions=permissions, came_by="stdio")

    def who(_: ServerRequestContext[Any, Any]) -> Principal:
        return by

    return build_server(DeskHolder(open_desk), who, toolsets=toolsets)


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Keep stdout for the protocol alone."""
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s"
    )


def permissions_of(text: str) -> frozenset[Permission]:
    """Read `read,trade:paper`; nothing is all of them.

    Raises
    ------
    UsageError
        If there is no such permission.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = {each.value for each in Permission}
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no permission {name!r}; there are {', '.join(sorted(known))}."
            )
    return frozenset(Permission(name) for name in names) or ALL


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in the system's list
        return "user"
