"""Who computes: the first of the wanted providers that this machine really has."""

from collections.abc import Sequence
from pathlib import Path

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""Name in our words -> name of onnxruntime."""


def ladder(wanted: Sequence[str]) -> list[str]:
    """Return onnxruntime's names of the wanted providers that can work here, the CPU always last.

    onnxruntime lists what it was built with; without the device it would print pages and then fall back by itself.
    """
    import onnxruntime

    built = set(onnxruntime.get_available_providers())
    usable = [name for name in wanted if name != "cpu" and has_gpu()]
    names = [PROVIDERS[name] for name in usable if PROVIDERS[name] in built]
    return [*names, PROVIDERS["cpu"]]


def has_gpu() -> bool:
    """Say whether there is an NVIDIA device on this machine."""
    return Path("/dev/nvidiactl").exists()


def name_of(provider: str) -> str:
    """Return our word for a provider of onnxruntime."""
    return next(name for name, theirs in PROVIDERS.items() if theirs == provider)
