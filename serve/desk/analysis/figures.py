"""Measured numbers in answers: what is not defined is None, never a made-up 0."""

import math
from typing import Annotated, Any

from pydantic import BeforeValidator


def _defined(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Figure = Annotated[float | None, BeforeValidator(_defined)]
"""None where it is not defined: the ratio of a risk that is 0, an average of nothing."""
