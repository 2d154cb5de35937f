"""Read the configuration from its layers, highest first.

1. the command line;
2. the process environment (`TRADER_DATA__DAYS=250`: prefix, section, two underscores, key);
3. `.env` in the working folder;
4. the file given with `--config`;
5. `trader.toml` in the working folder;
6. `~/.config/neural-trader/config.toml`;
7. the shipped demo (`cluster/demo.toml`), only when none of the three files is there;
8. the defaults of the model.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from cluster.config.model import Config
from cluster.config.safety import LIVE_CONFIRM, require_safe
from cluster.config.venue_checks import require_venues
from cluster.config.wording import sentences, unknown_key
from trading.errors import ConfigError

DEMO_FILE = Path(__file__).parent.parent / "demo.toml"
PROJECT_FILE = Path("trader.toml")
ENV_FILE = Path(".env")
DEFAULT_ORIGIN = "default"
PREFIX = "TRADER_"


@dataclass(frozen=True)
class Layer:
    """One source of values: `origin` is what people call it."""

    origin: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """A configuration and, for each dotted key that some layer sets, the layer that won."""

    config: Config
    origins: dict[str, str]

    def origin(self, key: str) -> str:
        """Return where the value of a dotted key comes from."""
        return self.origins.get(key, DEFAULT_ORIGIN)


def load_config(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Config:
    """Return the configuration in force; see `load`."""
    return load(path, overrides).config


def load(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read all layers, merge them and check the result.

    Parameters
    ----------
    path : Path or None
        The file of `--config`.
    overrides : mapping
        Values of the command line, nested by section.

    Raises
    ------
    ConfigError
        If a file is missing or malformed, or a key or value is wrong: one sentence for each.
    AuthError
        If the gate to live money is not passed, or a server would listen unprotected.
    """
    layers = _layers(path, overrides or {})
    origins = {key: layer.origin for layer in layers for key in _dotted(layer.values)}
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer.values)
    try:
        config = Config(**merged)
    except ValidationError as error:
        raise ConfigError("\n".join(sentences(error, origins))) from None
    require_venues(config, origins)
    require_safe(config)
    return Loaded(config, origins)


def _layers(path: Path | None, overrides: Mapping[str, Any]) -> list[Layer]:
    """Lowest first."""
    files = [user_file(), PROJECT_FILE]
    found = [file for file in files if file.is_file()]
    if path is not None:
        found.append(path)
    return [
        *(_file_layer(file, str(file)) for file in found),
        *([] if found else [_file_layer(DEMO_FILE, "shipped demo.toml")]),
        *_env_file_layer(),
        _environment_layer(),
        Layer("the command line", dict(overrides)),
    ]


def user_file() -> Path:
    """Return the path of the user's own configuration file."""
    return Path.home() / ".config" / "neural-trader" / "config.toml"


def _file_layer(path: Path, origin: str) -> Layer:
    try:
        return Layer(origin, tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; correct --config or create it.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        detail = message[:1].lower() + message[1:]
        raise ConfigError(f"{path} is not valid TOML: {detail}.") from None


def _env_file_layer() -> list[Layer]:
    if not ENV_FILE.is_file():
        return []
    names = dotenv_values(ENV_FILE).keys()
    if LIVE_CONFIRM in names:
        raise ConfigError(f"{LIVE_CONFIRM} does not count in {ENV_FILE}; set it in the shell.")
    _require_known_sections(names, str(ENV_FILE))
    values = DotEnvSettingsSource(Config, env_file=ENV_FILE)()
    return [Layer(str(ENV_FILE), _sections_of(values))]


def _environment_layer() -> Layer:
    _require_known_sections(os.environ.keys() - {LIVE_CONFIRM}, "the environment")
    return Layer("the environment", _sections_of(EnvSettingsSource(Config)()))


def _sections_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key in Config.model_fields}


def _require_known_sections(names: Iterable[str], where: str) -> None:
    for name in names:
        if not name.upper().startswith(PREFIX):
            continue
        section = name[len(PREFIX) :].lower().partition("__")[0]
        if section not in Config.model_fields:
            raise ConfigError(unknown_key(name, where, f"{PREFIX}{section.upper()}", _prefixed()))


def _prefixed() -> list[str]:
    return [f"{PREFIX}{section.upper()}" for section in Config.model_fields]


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = merged.get(key)
        if isinstance(nested, dict) and isinstance(value, dict):
            merged[key] = _merge(nested, value)
        else:
            merged[key] = value
    return merged


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{key}.")
