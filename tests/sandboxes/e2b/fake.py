"""A control plane, envd and code interpreter on 127.0.0.1 that speak to the unmodified library of E2B.

One address serves all three, as `sandbox_url` makes it: requests to a sandbox carry its id and the port
that they mean in headers. Whatever is wrong with a service can be arranged with `Fake.fail`.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from sandboxes.e2b.connection import Connection
from tests.sandboxes.e2b.fake_envd import Envd
from tests.sandboxes.e2b.fake_interpreter import Interpreter

KEY = "e2b_canary_key_0123456789"
ENVD_PORT, INTERPRETER_PORT = "49983", "49999"
BUILD_ID = "00000000-0000-0000-0000-000000000001"
GONE = {"message": "The sandbox was not found", "code": 502}


@dataclass
class Guest:
    """One sandbox of the fake."""

    id: str
    body: dict[str, Any]
    started_at: datetime
    end_at: datetime
    envd: Envd
    interpreter: Interpreter
    state: str = "running"

    def listed(self) -> dict[str, Any]:
        return {
            "templateID": self.body["templateID"],
            "sandboxID": self.id,
            "clientID": "fake",
            "startedAt": self.started_at.isoformat(),
            "endAt": self.end_at.isoformat(),
            "cpuCount": 2,
            "memoryMB": 512,
            "diskSizeMB": 1024,
            "state": self.state,
            "envdVersion": "0.6.5",
            "metadata": self.body.get("metadata", {}),
        }


@dataclass
class Fault:
    """What happens, `times` times, to requests whose `METHOD path` the pattern finds."""

    pattern: str
    act: str | int
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "arranged by the test"


class Fake:
    """The service. `requests` remembers every request as `METHOD path`."""

    def __init__(self, root: Path) -> None:
        self.guests: dict[str, Guest] = {}
        self.requests: list[str] = []
        self.created: list[dict[str, Any]] = []
        self.builds: list[dict[str, Any]] = []
        self.scripted: dict[str, tuple[str, int]] = {}
        self.cells: dict[str, Any] = {}
        self.internet: bool | None = False
        self.page = 100
        self.build_status = "ready"
        self.uploads: list[bytes] = []
        self.released = asyncio.Event()
        self._keys: dict[str, str] = {}
        self._faults: list[Fault] = []
        self._root = root
        self.url = ""

    def connection(self, **changes: Any) -> Connection:
        options = {"api_key": KEY, "api_url": self.url, "sandbox_url": self.url}
        quick = {"request_timeout_s": 30.0, "network_allowance_s": 0.2}
        return Connection(**{**options, **quick, **changes})

    def fail(self, pattern: str, act: str | int, times: int = 1, **more: Any) -> None:
        """Arrange a status, `hang`, `half` (an answer cut short), `drop` (none at all) or `late` (done, then hang)."""
        self._faults.append(Fault(pattern, act, times, **more))

    def vanish(self, guest_id: str) -> None:
        """Let a sandbox end without being asked to."""
        self.guests.pop(guest_id).envd.end()

    def application(self) -> web.Application:
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", self._serve)
        return application

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        line = f"{request.method} {request.path}"
        self.requests.append(line)
        fault = next((each for each in self._faults if re.search(each.pattern, line)), None)
        if fault is not None:
            fault.times -= 1
            if not fault.times:
                self._faults.remove(fault)
            return await self._fail(request, fault)
        return await self._answer(request)

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if isinstance(fault.act, int):
            body = {"code": fault.act, "message": fault.message}
            return web.json_response(body, status=fault.act, headers=fault.headers)
        if fault.act == "late":
            await self._answer(request)
        if fault.act in {"late", "hang"}:
            await self.released.wait()
        if fault.act == "half":
            half = web.StreamResponse(
                headers={"Content-Type": "application/json", "Content-Length": "500"}
            )
            await half.prepare(request)
            await half.write(b'{"sandboxID": "s')
        if fault.act == "nonsense":
            return web.Response(text="<html>gateway</html>", content_type="text/html")
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        port = request.headers.get("E2b-Sandbox-Port")
        if port is not None:
            guest = self.guests.get(request.headers["E2b-Sandbox-Id"])
            if guest is None or guest.state != "running":
                return web.json_response(GONE, status=502)
            if port == INTERPRETER_PORT:
                return await guest.interpreter.answer(request)
            assert port == ENVD_PORT
            if request.headers.get("X-Access-Token") != f"token-{guest.id}":
                return web.json_response({"message": "no token"}, status=401)
            return await guest.envd.answer(request)
        if request.path.startswith("/upload/"):
            self.uploads.append(await request.read())
            return web.Response()
        if request.headers.get("X-API-KEY") != KEY:
            return web.json_response(
                {"code": 401, "message": f"bad key {request.headers.get('X-API-KEY')}"}, status=401
            )
        return await self._control(request)

    async def _control(self, request: web.Request) -> web.Response:
        if "/templates" in request.path:
            return await self._template(request)
        match (request.method, *request.path.strip("/").split("/")):
            case ("POST", "v2", "sandboxes"):
                return await self._create(request)
            case ("GET", "v2", "sandboxes"):
                return self._list(request)
            case (
                (_, "v2", "sandboxes", guest_id, "connect")
                | (_, "sandboxes", guest_id)
                | (_, "sandboxes", guest_id, _)
            ) if guest_id in self.guests:
                return await self._one(request, self.guests[guest_id])
        return web.json_response({"code": 404, "message": "no such thing"}, status=404)

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        key = request.headers.get("Idempotency-Key", "")
        if key not in self._keys:
            self.created.append(body)
            guest_id = f"s{len(self.created)}"
            self._keys[key] = guest_id
            folder = self._root / guest_id
            (folder / "home/user").mkdir(parents=True)
            now = datetime.now(UTC)
            self.guests[guest_id] = Guest(
                guest_id,
                body,
                now,
                now + timedelta(seconds=body["timeout"]),
                Envd(folder, body.get("envVars", {}), self.scripted),
                Interpreter(self.cells, self.released),
            )
        return web.json_response(self._handed_over(self._keys[key]), status=201)

    def _handed_over(self, guest_id: str) -> dict[str, Any]:
        return {
            "templateID": self.guests[guest_id].body["templateID"],
            "sandboxID": guest_id,
            "clientID": "fake",
            "envdVersion": "0.6.5",
            "envdAccessToken": f"token-{guest_id}",
            "trafficAccessToken": f"traffic-{guest_id}",
            "domain": None,
        }

    def _list(self, request: web.Request) -> web.Response:
        wanted = {unquote(k): unquote(v) for k, v in parse_qsl(request.query.get("metadata", ""))}
        found = [
            guest.listed()
            for guest in self.guests.values()
            if wanted.items() <= guest.body.get("metadata", {}).items()
        ]
        start = int(request.query.get("nextToken", "0"))
        stop = start + self.page
        headers = {"x-next-token": str(stop)} if stop < len(found) else {}
        return web.json_response(found[start:stop], headers=headers)

    async def _one(self, request: web.Request, guest: Guest) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        match (request.method, request.path.rsplit("/", 1)[1]):
            case ("DELETE", _):
                self.vanish(guest.id)
                return web.Response(status=204)
            case ("POST", "timeout"):
                guest.end_at = datetime.now(UTC) + timedelta(seconds=body["timeout"])
                return web.Response(status=204)
            case ("POST", "pause"):
                guest.state = "paused"
                guest.envd.freeze()
                return web.Response(status=204)
            case ("POST", "connect"):
                guest.state = "running"
                return web.json_response(self._handed_over(guest.id), status=201)
        detail = guest.listed() | {"allowInternetAccess": self.internet}
        return web.json_response(detail)

    async def _template(self, request: web.Request) -> web.Response:
        match (request.method, *request.path.strip("/").split("/")):
            case ("POST", "v3", "templates"):
                self.builds.append(await request.json())
                answer = {
                    "templateID": "t1",
                    "buildID": BUILD_ID,
                    "public": False,
                    "names": [],
                    "tags": [],
                    "aliases": [],
                }
                return web.json_response(answer, status=202)
            case ("GET", "templates", _, "files", hash_):
                return web.json_response(
                    {"present": False, "url": f"{self.url}/upload/{hash_}"}, status=201
                )
            case ("POST", "v2", "templates", _, "builds", _):
                self.builds.append(await request.json())
                return web.Response(status=202)
        logs = [] if request.query.get("logsOffset", "0") != "0" else ["step 1", "step 2"]
        entries = [
            {"timestamp": "2026-11-21T00:00:00Z", "level": "info", "message": text} for text in logs
        ]
        status = {
            "templateID": "t1",
            "buildID": BUILD_ID,
            "status": self.build_status,
            "logs": logs,
            "logEntries": entries,
        }
        if self.build_status == "error":
            status["reason"] = {"message": "no such wheel"}
        return web.json_response(status)


@asynccontextmanager
async def serving(root: Path) -> AsyncIterator[Fake]:
    """Run the fake on a free port; end what it started afterwards."""
    fake = Fake(root)
    runner = web.AppRunner(fake.application(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    fake.url = f"http://127.0.0.1:{port}"
    try:
        yield fake
    finally:
        fake.released.set()
        for guest in list(fake.guests.values()):
            guest.envd.end()
        await runner.cleanup()
