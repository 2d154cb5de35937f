"""Configuration of models and of what forecasts with them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from cluster.config.sections import Count, Section

PROVIDERS = ("tensorrt", "cuda", "cpu")


def _known_providers(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in PROVIDERS]
    if unknown or not names:
        raise ValueError(f"must be some of {', '.join(PROVIDERS)}, the wanted one first")
    return names


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


Providers = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_known_providers)]


class ModelsConfig(Section):
    """Where forecasting models are kept, and how they are run."""

    folder: str = Field(
        default="",
        description="Registry: a path or any URL that fsspec knows.",
        json_schema_extra={"default": "<state_dir>/models"},
    )
    providers: Providers = Field(
        default=PROVIDERS,
        description="Who computes, the wanted one first: `tensorrt`, `cuda`, `cpu`.",
    )
    precision: Literal["fp32", "fp16", "int8"] = Field(
        default="fp32", description="Which graph of a version is run."
    )
    threads: Count = Field(default=1, description="CPU threads of one model session.")


class ServeConfig(Section):
    """The forecasting service on Ray Serve."""

    host: str = Field(default="127.0.0.1", description="Address that HTTP listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port that HTTP listens on.")
    ha_proxy: bool = Field(
        default=True, description="Let HAProxy, which Ray ships, carry HTTP to the replicas."
    )
    min_replicas: Count = Field(default=1, description="Replicas of the forecaster at rest.")
    max_replicas: Count = Field(default=2, description="Replicas of the forecaster under load.")
    num_cpus: float = Field(default=1.0, ge=0, description="CPUs that a replica reserves.")
    num_gpus: float = Field(default=0.0, ge=0, description="GPU share that a replica reserves.")
    max_batch_size: Count = Field(default=32, description="Windows that one run may join.")
    batch_wait_ms: float = Field(
        default=0.0, ge=0, description="How long a window waits for others to join."
    )
    models_per_replica: Count = Field(
        default=8, description="Loaded models that a replica keeps, the last used ones."
    )
    deadline_ms: float = Field(
        default=1000.0, gt=0, description="An answer that takes longer is an error, not a forecast."
    )
    shadow: bool = Field(
        default=True, description="Also ask the challenger, and compare; nobody gets its answer."
    )
    max_body_bytes: Count = Field(default=1_048_576, description="Largest request body.")
    cache_entries: int = Field(
        default=10_000,
        ge=0,
        description="Answers kept by model version and last bar; 0 keeps none.",
    )


class ForecastSourceConfig(Section):
    """A source of forecasts in the cluster: its name is that of the table."""

    model: str = Field(
        default="nhits@champion", description="Registered model, `name@version` or `name@alias`."
    )
    url: str = Field(
        default="",
        description="Forecasting service to ask, such as http://127.0.0.1:8000; empty runs the model "
        "beside the source.",
    )
    horizon_bars: Count = Field(default=5, description="How far the forecast reaches.")
    valid_bars: Count = Field(
        default=1, description="Bars after which nobody may trade on a forecast any more."
    )
    timeout_ms: float = Field(
        default=1000.0, gt=0, description="A forecast that takes longer is given up and counted."
    )
