"""A stdio server over a simulated cluster, which tells at its end how many orders the venue received.

python -m tests.serve.mcp.stdio_program FOLDER
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from serve.mcp.stdio import log_to_stderr, stdio_server
from serve.mcp.toolsets import Toolset
from tests.serve.mcp.mcp_scene import Scene

folder = Path(sys.argv[1])
scene = Scene(folder)
log_to_stderr()


def opened():  # type: ignore[no-untyped-def]
    print("a library that writes to stdout does no harm")
    return replace(scene.desk, jobs=scene.real_jobs)


stdio_server(opened, toolsets=frozenset(Toolset)).run("stdio")
(folder / "orders.json").write_text(json.dumps(len(scene.sent())))
