"""What a pool remembers. `at_s` is the host's time since 1970."""

import msgspec


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="fact"):
    at_s: float


class RunStarted(Fact, frozen=True, tag="run"):
    """A sandbox was handed out, or a further script was begun in one."""

    owner: str


class CpuUsed(Fact, frozen=True, tag="cpu"):
    owner: str
    cpu_s: float


class SourceKilled(Fact, frozen=True, tag="kill"):
    """A sandbox was ended for what the code in it did. `source` is the sha256 of the code."""

    source: str
    owner: str
    cause: str


AnyFact = RunStarted | CpuUsed | SourceKilled
