"""Where something was computed, said in every answer of a tool that takes `use_gpu`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from serve.desk.answers import Provenance

UseGpu = Annotated[bool, Field(description="A wish; the answer says what was used.")]
NO_GPU_VERSION = "This computation has no GPU version: it takes milliseconds on the CPU."


class Processing(BaseModel):
    """Device of a computation, and why that one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    gpu_used: bool
    why: str


def on_cpu(use_gpu: bool, why: str = NO_GPU_VERSION) -> Processing:
    """Return what is true of a computation on the CPU."""
    return Processing(device="cpu", gpu_used=False, why=why if use_gpu else "No GPU was asked for.")


def with_processing(answer: Provenance, processing: Processing) -> dict[str, Any]:
    """Return an answer with where it was computed."""
    return {
        **answer.model_dump(mode="json"),
        "processing": processing.model_dump(),
    }
