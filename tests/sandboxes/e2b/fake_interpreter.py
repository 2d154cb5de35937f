"""The code interpreter inside a sandbox, for the fake: it answers cells by a table."""

import asyncio
import json
from typing import Any

from aiohttp import web

ENDED = {"type": "end_of_execution"}


class Interpreter:
    """`cells` maps code to the events that it causes, or to `hang`."""

    def __init__(self, cells: dict[str, Any], released: asyncio.Event) -> None:
        self.contexts: dict[str, int] = {}
        self._cells = cells
        self._released = released

    async def answer(self, request: web.Request) -> web.StreamResponse:
        match (request.method, *request.path.strip("/").split("/")):
            case ("POST", "contexts"):
                name = f"c{len(self.contexts) + 1}"
                self.contexts[name] = 0
                return web.json_response({"id": name, "language": "python", "cwd": "/home/user"})
            case ("POST", "contexts", name, "restart") if name in self.contexts:
                self.contexts[name] += 1
                return web.Response(status=200)
            case ("DELETE", "contexts", name) if name in self.contexts:
                del self.contexts[name]
                return web.Response(status=204)
            case ("POST", "execute"):
                return await self._execute(request)
        return web.Response(status=404, text="no such context")

    async def _execute(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body["context_id"] not in self.contexts:
            return web.Response(status=404, text="no such context")
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        events = self._cells[body["code"]]
        if events == "hang":
            await self._released.wait()
            return stream
        for event in [*events, ENDED]:
            await stream.write(json.dumps(event).encode() + b"\n")
        return stream
