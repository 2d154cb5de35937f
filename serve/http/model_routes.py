"""`/v1/models`: what is registered, who plays which part, and changing that.

What changes something wants the content type `application/json`, which a form on a foreign web page cannot send.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from actors.models.aliases import Aliases
from actors.models.manifest import ModelManifest
from actors.models.registry import PARTS, ModelRegistry
from serve.api.permitted import ModelAdmin, Reader
from serve.forecast.service import ForecastService
from serve.http.guard import Service
from serve.http.json_response import answers, shown
from trading.errors import ModelRefused
from trading.forecasting.monitoring import MonitorReport

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["nhits"])]
Version = Annotated[
    str, Path(pattern=r"^([0-9]{1,6}|champion|challenger)$", examples=["3", "champion"])
]
Why = Annotated[str, Field(min_length=1, max_length=500, description="The reason; it is kept.")]

router = APIRouter(prefix="/models", tags=["models"])


class Promotion(BaseModel):
    """Gives a version a part."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"alias": "champion", "why": "lower CRPS in 2022"}]},
    )
    alias: str = Field(description=f"One of {', '.join(PARTS)}.")
    why: Why
    force: bool = Field(
        default=False,
        description="Also when it does not beat the naive forecast, or an alarm stands.",
    )


class Rollback(BaseModel):
    """Goes back to the champion before."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"champion": 3, "why": "coverage fell to 60 %"}]},
    )
    champion: int = Field(
        ge=1,
        description="The version that shall not be champion any more. When another one is champion already, "
        "nothing is done: a request that arrives twice goes back once.",
    )
    why: Why


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One model with its versions and parts."""

    name: str
    versions: tuple[int, ...]
    aliases: Aliases


class ModelDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One model with the history of its parts, the newest decision last."""

    name: str
    versions: tuple[int, ...]
    aliases: Aliases
    history: tuple[Aliases, ...]


class VersionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One version: what it was made of, what part it plays, and what was seen of it in service."""

    manifest: ModelManifest
    part: str
    report: MonitorReport | None


@router.get("", summary="All models", **answers(ModelSummary, is_list=True))
async def list_models(_: Reader, service: Service) -> Response:
    registry = service.registry
    return await _read(lambda: [_summary(registry, name) for name in registry.names()])


@router.get("/{name}", summary="One model, and the history of its parts", **answers(ModelDetail))
async def get_model(_: Reader, service: Service, name: Name) -> Response:
    return await _read(lambda: _detail(service.registry, name))


@router.get(
    "/{name}/{version}",
    summary="One version: manifest, part and report",
    **answers(VersionDetail),
)
async def get_model_version(_: Reader, service: Service, name: Name, version: Version) -> Response:
    return await _read(lambda: _version(service.registry, f"{name}@{version}"))


@router.post("/{name}/{version}/promote", summary="Give a version a part", **answers(Aliases))
async def promote_model(
    by: ModelAdmin, service: Service, name: Name, version: Version, asked: Promotion
) -> Response:
    def decide() -> Aliases:
        return service.registry.promote(
            f"{name}@{version}",
            asked.alias,
            by=by.name,
            why=asked.why,
            at=time.time_ns(),
            force=asked.force,
        )

    return await _decide(service, decide)


@router.post("/{name}/rollback", summary="Go back to the champion before", **answers(Aliases))
async def roll_back_model(
    by: ModelAdmin, service: Service, name: Name, asked: Rollback
) -> Response:
    def decide() -> Aliases:
        _, champion = service.registry.resolve(name)
        if champion != asked.champion:
            raise ModelRefused(
                f"{name}@{asked.champion} is not champion, {name}@{champion} is; nothing was done."
            )
        return service.registry.rollback(name, by=by.name, why=asked.why, at=time.time_ns())

    return await _decide(service, decide)


async def _read(read: Callable[[], object]) -> Response:
    return shown(await asyncio.to_thread(read))


async def _decide(service: ForecastService, decide: Callable[[], Aliases]) -> Response:
    """Store a decision and follow it here at once; other replicas do within about a second."""
    decided = await asyncio.to_thread(decide)
    await service.lineup.look()
    return shown(decided)


def _summary(registry: ModelRegistry, name: str) -> ModelSummary:
    return ModelSummary(name=name, versions=registry.versions(name), aliases=registry.aliases(name))


def _detail(registry: ModelRegistry, name: str) -> ModelDetail:
    versions = registry.versions(name)
    if not versions:
        registry.resolve(name)  # says which models there are
    return ModelDetail(
        name=name,
        versions=versions,
        aliases=registry.aliases(name),
        history=registry.history(name),
    )


def _version(registry: ModelRegistry, reference: str) -> VersionDetail:
    manifest = registry.manifest(reference)
    part = registry.aliases(manifest.name).part_of(manifest.version)
    return VersionDetail(manifest=manifest, part=part, report=registry.report(manifest.reference))
