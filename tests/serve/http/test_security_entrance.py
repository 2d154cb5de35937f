"""The whole application behind its gate: the short way to a forecast is guarded as every route is."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from serve.desk.principal import Permission
from serve.forecast.service import ForecastService
from serve.http.app import build_app
from serve.http.forecast_endpoint import Entrance
from tests.serve.api.fake_desk import fake_desk
from tests.serve.auth.door import Door, a_door
from tests.serve.auth.route_walk import BAD, open_doors, requests_of

Make = Callable[..., ForecastService]
BODY = {"symbol": "A"}


def whole(service: ForecastService, door: Door, folder: Path) -> tuple[FastAPI, Entrance]:
    built = build_app(service, desk=fake_desk(folder, service), guard=door.gate)
    return built.api, built


def ask(entrance: Any, method: str, path: str, **options: Any) -> httpx.Response:
    async def work() -> httpx.Response:
        transport = httpx.ASGITransport(entrance, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8000"
        ) as client:
            return await client.request(method, path, **options)

    return asyncio.run(work())


@pytest.mark.parametrize("shown", BAD.values(), ids=BAD.keys())
def test_without_good_credentials_no_route_of_the_whole_application_answers(
    make_service: Make, tmp_path: Path, shown: dict[str, str]
) -> None:
    door = a_door(tmp_path, trades_per_s=0.0)  # else the walk itself is too fast
    app, entrance = whole(make_service(), door, tmp_path)
    requests = list(requests_of(app))
    assert len(requests) > 15
    assert asyncio.run(open_doors(entrance, requests, shown)) == []
    door.access.close()


def test_short_way_wants_the_permission_to_read(make_service: Make, tmp_path: Path) -> None:
    door = a_door(tmp_path)
    _, entrance = whole(make_service(), door, tmp_path)
    for permission in Permission:
        _, key = door.access.issue_key(
            permission.replace(":", "-"), frozenset({permission}), "test"
        )
        reply = ask(entrance, "POST", "/v1/forecast", json=BODY, headers={"x-api-key": key})
        assert reply.status_code == (200 if permission is Permission.READ else 403)
    assert ask(entrance, "POST", "/v1/forecast", json=BODY).status_code == 401
    door.access.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({f"x-{number}": "1" for number in range(200)}, 431),
    ],
    ids=["ours", "host", "origin", "site", "headers"],
)
def test_short_way_on_loopback_is_for_our_own_pages(
    make_service: Make, tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    door = a_door(tmp_path, is_on=False)
    _, entrance = whole(make_service(), door, tmp_path)
    reply = ask(entrance, "POST", "/v1/forecast", json=BODY, headers=headers)
    assert reply.status_code == status
    door.access.close()


def test_short_way_is_counted(make_service: Make, tmp_path: Path) -> None:
    door = a_door(tmp_path, requests_per_s=1.0)
    _, entrance = whole(make_service(), door, tmp_path)
    _, key = door.access.issue_key("bot", frozenset({Permission.READ}), "test")
    codes = [
        ask(entrance, "POST", "/v1/forecast", json=BODY, headers={"x-api-key": key}).status_code
        for _ in range(4)
    ]
    assert codes == [200, 200, 429, 429]
    door.access.close()
