"""Whether the files of the registry are what was registered, and whether every graph runs."""

from collections.abc import Iterator

import msgspec

from actors.models.manifest import ModelFile, ModelManifest
from actors.models.registry import ModelRegistry
from actors.models.session import ModelSession
from trading.errors import TradingError


class VerifiedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a version.

    Attributes
    ----------
    problem : str
        What is wrong with it; empty when it is whole.
    """

    reference: str
    file: str
    size_bytes: int
    problem: str = ""


def verified(registry: ModelRegistry, reference: str = "") -> list[VerifiedFile]:
    """Return every file of one version, or of all, with what is wrong with it.

    A manifest that cannot be read counts as a file.

    Raises
    ------
    ModelUnknown
        If there is no such version.
    """
    if reference:
        name, version = registry.resolve(reference)
        return list(_version(registry, f"{name}@{version}"))
    return [
        row
        for name in registry.names()
        for version in registry.versions(name)
        for row in _version(registry, f"{name}@{version}")
    ]


def _version(registry: ModelRegistry, reference: str) -> Iterator[VerifiedFile]:
    try:
        manifest = registry.manifest(reference)
    except TradingError as error:
        yield VerifiedFile(reference=reference, file="manifest", size_bytes=0, problem=str(error))
        return
    for file in manifest.files:
        yield VerifiedFile(
            reference=reference,
            file=file.name,
            size_bytes=file.size_bytes,
            problem=_problem(registry, manifest, file),
        )


def _problem(registry: ModelRegistry, manifest: ModelManifest, file: ModelFile) -> str:
    try:
        content = registry.read(manifest, file.name)
        if file.name.endswith(".onnx"):
            ModelSession(manifest, content, ("cpu",)).warm_up()
    except TradingError as error:
        return str(error)
    return ""
