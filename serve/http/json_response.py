"""Structs as JSON responses, and what the document says of them."""

from typing import Any

import msgspec
from starlette.responses import Response

SCHEMA_REF = "#/components/schemas/{name}"


def shown(value: Any, status: int = 200) -> Response:
    """Return a response with `value` as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def answers(kind: type[msgspec.Struct], *, is_list: bool = False) -> dict[str, Any]:
    """Return the arguments that describe a route which answers a struct of ours, or a list of them."""
    reference = {"$ref": SCHEMA_REF.format(name=kind.__name__)}
    schema = {"type": "array", "items": reference} if is_list else reference
    described = {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
    return {"responses": {200: described}, "response_class": Response}
