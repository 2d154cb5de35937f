"""Every request that an application knows, for a walk along all of its doors."""

import re
from collections.abc import Iterable, Iterator

import httpx
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount
from starlette.types import ASGIApp

from serve.auth.paths import Paths

BAD: dict[str, dict[str, str]] = {
    "nothing": {},
    "a bad token": {"authorization": "Bearer a.b.c"},
    "a bad key": {"x-api-key": "nt_000000000000_" + "0" * 64},
    "a bad cookie": {"cookie": "nt_session=a.b.c", "x-requested-with": "test"},
}


def requests_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield method and path of every route of HTTP, and of what is mounted; parameters have a value."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, Mount):
            yield "POST", f"{route.path}/"
            continue
        for method in sorted(getattr(route, "methods", None) or ()):
            yield method, re.sub(r"\{[^}]*\}", "1", route.path or "")


async def open_doors(
    entrance: ASGIApp, requests: Iterable[tuple[str, str]], headers: dict[str, str]
) -> list[str]:
    """Return the requests that did not need anybody known and are not public."""
    transport = httpx.ASGITransport(entrance, client=("192.0.2.7", 1))
    found = []
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        for method, path in requests:
            reply = await client.request(method, path, headers=headers)
            if not Paths().is_public({"path": path}) and reply.status_code != 401:
                found.append(f"{method} {path}: {reply.status_code}")
    return found
