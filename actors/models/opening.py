"""The registry as everybody opens it: with the models that ship inside the package."""

from pathlib import Path

import msgspec

from actors.models.manifest import ModelManifest
from actors.models.registry import ModelRegistry
from trading.errors import ModelCorrupt

SHIPPED = Path(__file__).parent / "shipped"
"""A folder per model: `manifest.json` and the files that it names."""


def open_registry(url: str, shipped: Path = SHIPPED) -> ModelRegistry:
    """Return the registry of a folder (a path, or any URL that fsspec knows).

    A model that ships with the package and is not known there becomes version 1 and champion, so that a first
    forecast needs neither a network nor a training.

    Raises
    ------
    ModelCorrupt
        If what ships with the package is not what was made; reinstall it.
    """
    registry = ModelRegistry(url)
    for folder in sorted(path.parent for path in shipped.glob("*/manifest.json")):
        if not registry.aliases(folder.name).sequence:
            registry.seed(*_read(folder))
    return registry


def _read(folder: Path) -> tuple[ModelManifest, dict[str, bytes]]:
    try:
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=ModelManifest)
        return manifest, {file.name: (folder / file.name).read_bytes() for file in manifest.files}
    except (OSError, msgspec.DecodeError) as error:
        raise ModelCorrupt(f"{folder} is damaged ({error}); install neural-trader again.") from None
