"""What every section of the configuration is made of."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def _plain_name(text: str) -> str:
    if not NAME_PATTERN.fullmatch(text):
        raise ValueError(
            "must be letters, digits, '_', '-' or '.', starting with a letter or digit"
        )
    return text


def _split_at_commas(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _none_when_off(value: object) -> object:
    return None if value == "off" else value


def _full_path(path: Path) -> Path:
    """Hosts run in other folders than the person who starts them."""
    return path.expanduser().absolute()


Name = Annotated[str, AfterValidator(_plain_name)]
UserPath = Annotated[Path, AfterValidator(_full_path)]
Symbols = Annotated[tuple[str, ...], BeforeValidator(_split_at_commas)]
Ratio = Annotated[Decimal, Field(gt=0, le=1)]
OptionalRatio = Annotated[
    Annotated[Decimal, Field(gt=0, le=1)] | None, BeforeValidator(_none_when_off)
]
Money = Annotated[Decimal, Field(gt=0)]
OptionalMoney = Annotated[Money | None, BeforeValidator(_none_when_off)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
