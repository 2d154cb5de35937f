"""Where the configured cluster keeps its models, and how it runs them."""

from typing import TYPE_CHECKING

from cluster.config import Config

if TYPE_CHECKING:
    from actors.models.forecaster import ModelAccess
    from actors.models.registry import ModelRegistry


def models_url(config: Config) -> str:
    """Return the folder or URL of the registry."""
    return config.models.folder or str(config.cluster.state_dir / "models")


def open_models(config: Config) -> "ModelRegistry":
    """Return the registry, with the models that ship with the package.

    Raises
    ------
    ModelCorrupt
        If what ships with the package is damaged.
    """
    from actors.models.opening import open_registry

    return open_registry(models_url(config))


def model_access(config: Config) -> "ModelAccess":
    """Return what a process needs to run registered models."""
    from actors.models.forecaster import ModelAccess

    models = config.models
    return ModelAccess(
        url=models_url(config),
        providers=models.providers,
        precision=models.precision,
        threads=models.threads,
    )
