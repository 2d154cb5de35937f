"""Turn what pydantic says into one clear sentence for each mistake."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cluster.config.model import Config

_UNSHOWN = {"cluster.journal", "cluster.ladder", "auth.record"}  # may hold a password
_SECRET_KEY = re.compile(
    r"secret|passw|passphrase|token|credential|private|api_?key|(^|_)key$|(^|_)pin$", re.IGNORECASE
)


def sentences(error: ValidationError, origins: Mapping[str, str]) -> list[str]:
    """Return one sentence per mistake, naming key, file and, for an unknown key, the nearest known one."""
    return [_sentence(detail, origins) for detail in error.errors(include_url=False)]


def unknown_key(key: str, where: str, wanted: str, known: Iterable[str]) -> str:
    """Return the sentence about a key that does not exist, with its nearest neighbour if there is one."""
    names = sorted(known)
    near = get_close_matches(wanted, names, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}."
    return f"{key} in {where} is not a known key; {advice}"


def misplaced_secret(key: str, where: str, variables: Iterable[str] = ()) -> str | None:
    """Return the sentence about a key that sounds like a credential; None when it does not. Shows no value.

    Parameters
    ----------
    variables : iterable of str
        The environment variables in which it belongs.
    """
    if not _SECRET_KEY.search(key.rpartition(".")[2]):
        return None
    names = " and ".join(variables) or "the venue's variables (`trader venues show NAME`)"
    return (
        f"{key} in {where} looks like a credential, which has no place in the configuration; remove it, and "
        f"export {names}, or write them to .env (chmod 600)."
    )


def origin_of(key: str, origins: Mapping[str, str]) -> str:
    """Return the layer that sets a dotted key, or that sets something above it."""
    return _origin(key.split("."), origins)


def _sentence(detail: ErrorDetails, origins: Mapping[str, str]) -> str:
    path = [str(part) for part in detail["loc"]]
    key = ".".join(path)
    where = _origin(path, origins)
    if detail["type"] == "extra_forbidden":
        secret = misplaced_secret(key, where)
        if secret is not None:
            return secret
        prefix = ".".join(path[:-1])
        known = [f"{prefix}.{name}" if prefix else name for name in _known_keys(path[:-1])]
        return unknown_key(key, where, key, known)
    if detail["type"] == "missing":
        return f"{key} is missing; set it in {where}."
    if not key:
        return f"{_plain(detail['msg']).capitalize()}."
    got = "" if key in _UNSHOWN else f", got {detail['input']!r}"
    return f"{key} in {where} {_plain(detail['msg'])}{'' if ', got' in detail['msg'] else got}."


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message.replace("Input should", "must").partition(", unable to")[0]
    return message[:1].lower() + message[1:]


def _origin(path: list[str], origins: Mapping[str, str]) -> str:
    for length in range(len(path), 0, -1):
        origin = origins.get(".".join(path[:length]))
        if origin:
            return origin
    return "the configuration"


def _known_keys(path: list[str]) -> list[str]:
    model: Any = Config
    for part in path:
        field = model.model_fields.get(part) if _is_model(model) else None
        model = field.annotation if field else _value_type(model)
    return list(model.model_fields) if _is_model(model) else []


def _value_type(annotation: Any) -> Any:
    arguments = get_args(annotation)
    return arguments[-1] if arguments else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
