"""The header with which a request may be repeated without being carried out twice."""

from typing import Any

from fastapi import Header


def idempotency_header(description: str, example: str) -> Any:
    """Return the declaration of `Idempotency-Key` for one kind of request."""
    return Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9._:-]{1,128}$",
        description=description,
        examples=[example],
    )
