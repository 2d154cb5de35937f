"""Structs as JSON responses."""

from typing import Any

import msgspec
from starlette.responses import Response


def shown(value: Any, status: int = 200) -> Response:
    """Return a response with `value` as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")
