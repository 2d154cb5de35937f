"""What the registry knows of the models, as agents get it."""

from datetime import datetime

from pydantic import Field

from actors.models.manifest import ModelManifest
from actors.models.registry import ModelRegistry
from serve.desk.answers import Answer, Provenance, Source, moment
from serve.forecast.service import ForecastService
from serve.mcp.long_work import now


class ModelFacts(Answer):
    """One version."""

    id: str
    part: str = Field(description="champion, challenger, archived, or nothing.")
    architecture: str
    horizon: int
    input_size: int
    features: list[str]
    data_cutoff: datetime
    created_at: datetime
    metrics: dict[str, float] = Field(description="Out of sample, when it was trained.")
    naive_metrics: dict[str, float]
    beats_naive: bool
    coverage_in_service: dict[str, float] = Field(description="Empty: nothing was seen yet.")
    alerts: list[str]
    is_loaded: bool | None = Field(
        default=None, description="In the replica that answers; None when that was not asked."
    )


class Models(Provenance):
    models: list[ModelFacts]
    count: int


def models_of(registry: ModelRegistry, name: str = "") -> Models:
    """Return all versions, or those of one model.

    Raises
    ------
    ModelUnknown
        If there is no such model.
    """
    if name:
        registry.resolve(name)
    names = [name] if name else registry.names()
    rows = [
        facts_of(registry, registry.manifest(f"{each}@{version}"))
        for each in names
        for version in registry.versions(each)
    ]
    return Models(source=Source.REGISTRY, as_of=now(), models=rows, count=len(rows))


def models_in_service(service: ForecastService, name: str = "") -> Models:
    """Return the versions, and which of them the replica that answers has loaded. Raises `ModelUnknown`."""
    found = models_of(service.registry, name.partition("@")[0])
    loaded = {each.model for each in service.status().models}
    rows = [row.model_copy(update={"is_loaded": row.id in loaded}) for row in found.models]
    if "@" in name:
        own, version = service.registry.resolve(name)
        rows = [row for row in rows if row.id == f"{own}@{version}"]
    return found.model_copy(update={"models": rows, "count": len(rows)})


def facts_of(registry: ModelRegistry, manifest: ModelManifest) -> ModelFacts:
    """Return what is known of one version."""
    report = registry.report(manifest.reference)
    return ModelFacts(
        id=manifest.reference,
        part=registry.aliases(manifest.name).part_of(manifest.version),
        architecture=manifest.kind,
        horizon=manifest.horizon,
        input_size=manifest.input_size,
        features=list(manifest.features),
        data_cutoff=moment(manifest.data.last_ts),
        created_at=moment(manifest.created_at),
        metrics=manifest.metrics,
        naive_metrics=manifest.baselines.get("naive", {}),
        beats_naive=manifest.beats_naive,
        coverage_in_service={} if report is None else report.coverage,
        alerts=[] if report is None else list(report.alerts),
    )
