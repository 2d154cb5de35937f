"""`trader mcp`: the cluster as tools for a program on this machine, over stdin and stdout."""

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import AddressOption, ConfigOption

if TYPE_CHECKING:
    from serve.desk.front_desk import FrontDesk


def mcp(
    *,
    toolsets: Annotated[
        str,
        typer.Option(
            "--toolsets",
            metavar="A,B",
            envvar="TOOLSETS",
            help="core (the default), portfolio, trading, strategy, risk, neural, cluster, agent, data, jobs, or all.",
        ),
    ] = "",
    permissions: Annotated[
        str,
        typer.Option(
            "--permissions",
            metavar="A,B",
            help="What the client may do, e.g. read,sandbox:run. [default: everything]",
        ),
    ] = "",
    config: ConfigOption = None,
    address: AddressOption = None,
) -> None:
    """Serve tools to an agent over stdin and stdout (MCP), until it closes them. Logs go to stderr.

    Whatever trades asks the person in front of the client; there is no option that answers for them.
    """
    from cluster.cli.options import config_of
    from serve.mcp.stdio import log_to_stderr, permissions_of, stdio_server
    from serve.mcp.toolsets import toolsets_of

    shown, allowed = toolsets_of(toolsets), permissions_of(permissions)
    settings = config_of(config, address)
    log_to_stderr()

    def opened() -> "FrontDesk":
        from cluster.desk.opening import open_desk

        return open_desk(settings)

    stdio_server(opened, permissions=allowed, toolsets=shown).run("stdio")
