"""The daemon inside a sandbox, for the fake: files in a folder, commands as processes.

It is no isolation: tests run harmless code in it alone.
"""

import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

HOME = "/home/user"


class Envd:
    """Answers for one sandbox; `root` holds its files.

    `scripted` maps a part of a command to what it writes and its exit status: nothing is run then.
    """

    def __init__(
        self, root: Path, envs: dict[str, str], scripted: dict[str, tuple[str, int]]
    ) -> None:
        self.root = root
        self._envs = envs
        self._scripted = scripted
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._streams: list[web.Request] = []
        (root / "bin").mkdir()
        python = root / "bin/python3"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)

    def end(self) -> None:
        """Kill every process and cut every stream, as when a machine vanishes."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self.freeze()

    def freeze(self) -> None:
        """Cut every stream, as when a machine is put to sleep."""
        for request in self._streams:
            if request.transport is not None:
                request.transport.abort()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        match request.path:
            case "/health":
                return web.Response(status=204)
            case "/files":
                return await (
                    self._read(request) if request.method == "GET" else self._write(request)
                )
            case "/filesystem.Filesystem/ListDir":
                return self._list(await request.json())
            case "/process.Process/Start":
                return await self._start(request)
            case "/process.Process/SendInput":
                return await self._input(await request.json())
        return web.json_response({"code": "unimplemented", "message": request.path}, status=501)

    def _inner(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    async def _read(self, request: web.Request) -> web.Response:
        path = self._inner(request.query["path"])
        if not path.is_file():
            return web.json_response({"message": f"{path.name} does not exist"}, status=404)
        return web.Response(body=path.read_bytes())

    async def _write(self, request: web.Request) -> web.Response:
        written = []
        async for part in await request.multipart():
            name = request.query.get("path") or part.filename  # type: ignore[union-attr]
            path = self._inner(str(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(await part.read())  # type: ignore[union-attr]
            written.append({"path": str(name), "name": path.name, "type": "file"})
        return web.json_response(written)

    def _list(self, body: dict[str, Any]) -> web.Response:
        folder = self._inner(body["path"])
        entries = [self._entry(path) for path in sorted(folder.rglob("*"))]
        return web.json_response({"entries": entries})

    def _entry(self, path: Path) -> dict[str, Any]:
        entry = {
            "name": path.name,
            "type": "FILE_TYPE_DIRECTORY" if path.is_dir() else "FILE_TYPE_FILE",
            "path": "/" + str(path.relative_to(self.root)),
            "size": str(path.lstat().st_size),
            "mode": 0o644,
            "permissions": "-rw-r--r--",
            "owner": "user",
            "group": "user",
            "modifiedTime": "2026-11-21T00:00:00Z",
        }
        return entry | ({"isSymlink": True, "symlinkTarget": "/x"} if path.is_symlink() else {})

    async def _start(self, request: web.Request) -> web.StreamResponse:
        body = json.loads((await request.read())[5:])
        stream = web.StreamResponse(headers={"Content-Type": "application/connect+json"})
        await stream.prepare(request)
        self._streams.append(request)
        with contextlib.suppress(ConnectionError):  # the other side is gone: nobody is told
            await self._stream(stream, body)
        self._streams.remove(request)
        return stream

    async def _stream(self, stream: web.StreamResponse, body: dict[str, Any]) -> None:
        command = body["process"]["args"][-1]
        reply = next((said for part, said in self._scripted.items() if part in command), None)
        if reply is not None:
            await event(stream, {"start": {"pid": 1}})
            await event(stream, {"data": {"stdout": base64.b64encode(reply[0].encode()).decode()}})
            status = reply[1]
        else:
            status = await self._run(stream, command, body)
        await event(stream, {"end": {"exitCode": status, "exited": True, "status": "exit"}})
        await stream.write(b"\x02" + len(b"{}").to_bytes(4, "big") + b"{}")

    async def _run(self, stream: web.StreamResponse, command: str, body: dict[str, Any]) -> int:
        envs = {**self._envs, **body["process"].get("envs", {})}
        process = await asyncio.create_subprocess_exec(
            "/bin/bash",
            "-c",
            command.replace(HOME, str(self._inner(HOME))),
            stdin=asyncio.subprocess.PIPE if body.get("stdin") else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self._inner(body["process"].get("cwd", HOME)),
            env={**envs, "PATH": f"{self.root}/bin:/usr/bin:/bin", "HOME": str(self._inner(HOME))},
            start_new_session=True,
        )
        self._processes[process.pid] = process
        try:
            await event(stream, {"start": {"pid": process.pid}})
            await asyncio.gather(
                pump(stream, "stdout", process.stdout), pump(stream, "stderr", process.stderr)
            )
            status = await process.wait()
        except ConnectionError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            status = await process.wait()
        return status if status >= 0 else 128 - status

    async def _input(self, body: dict[str, Any]) -> web.Response:
        process = self._processes.get(body["process"]["pid"])
        if process is None or process.returncode is not None:
            return web.json_response({"code": "not_found", "message": "no process"}, status=404)
        assert process.stdin is not None
        process.stdin.write(base64.b64decode(body["input"]["stdin"]))
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        return web.json_response({})


async def pump(stream: web.StreamResponse, name: str, source: asyncio.StreamReader | None) -> None:
    assert source is not None
    while chunk := await source.read(32 << 10):
        await event(stream, {"data": {name: base64.b64encode(chunk).decode()}})


async def event(stream: web.StreamResponse, body: dict[str, Any]) -> None:
    data = json.dumps({"event": body}).encode()
    await stream.write(b"\x00" + len(data).to_bytes(4, "big") + data)
