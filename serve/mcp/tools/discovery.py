"""What else this server could show."""

from serve.desk.answers import Answer, Provenance, Source
from serve.mcp.call import Caller
from serve.mcp.long_work import now
from serve.mcp.tool import TOOLS, tool
from serve.mcp.toolsets import ABOUT, VARIABLE, Toolset


class ToolsetFacts(Answer):
    name: str
    about: str
    shown: list[str]
    hidden: list[str]


class Toolsets(Provenance):
    toolsets: list[ToolsetFacts]
    how: str


@tool(Toolset.CORE, is_core=True)
def list_toolsets(call: Caller) -> Toolsets:
    """List the groups of tools: what is shown here, what is hidden, and how it is switched on."""
    return Toolsets(
        source=Source.REGISTRY,
        as_of=now(),
        toolsets=[_facts(each, call.shown) for each in Toolset],
        how=f"Whoever runs the server sets {VARIABLE}=core,neural (or all), or trader mcp --toolsets; "
        "a hidden tool is refused.",
    )


def _facts(toolset: Toolset, shown: frozenset[str]) -> ToolsetFacts:
    of_it = [
        spec.name
        for spec in TOOLS.values()
        if (spec.is_core if toolset is Toolset.CORE else spec.toolset is toolset)
    ]
    return ToolsetFacts(
        name=toolset,
        about=ABOUT[toolset],
        shown=[name for name in of_it if name in shown],
        hidden=[name for name in of_it if name not in shown],
    )
