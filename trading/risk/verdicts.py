"""What a check says. Permission is a type: the send path takes only `Approved`."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from trading.refusals import RefusalCode

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Approved(Generic[T]):
    """An order that passed every check. Only `trading.risk.checks` makes one."""

    order: T


@dataclass(frozen=True, slots=True)
class Denied:
    """A refusal: the code, and a sentence with the numbers that led to it."""

    code: RefusalCode
    reason: str


def deny(code: RefusalCode, **numbers: object) -> Denied:
    """Return a refusal whose sentence ends in `key=value` for each number."""
    facts = " ".join(f"{key}={value}" for key, value in numbers.items())
    return Denied(code, f"{code.meaning} {facts}".rstrip())
