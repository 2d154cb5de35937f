"""What a run was made of: enough to make it again, number by number."""

import hashlib
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from trading.errors import UsageError
from trading.strategies.strategy import Bars
from tune.prices import Quoted

Plan = TypeVar("Plan")
PACKAGE = "neural-trader"
LIBRARIES = ("numpy", "numba", "polars", "optuna", "ray")
"""Those whose version can change a number or the order of suggestions."""
FIELDS = ("ts", "open", "high", "low", "close", "volume")


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """Which code ran.

    Attributes
    ----------
    commit : str or None
        Of the checkout that the package was imported from, with `-dirty` when files were changed since;
        None outside a checkout.
    """

    version: str
    commit: str | None


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """Which bars were used.

    Attributes
    ----------
    source : str
        Where they came from, in words that the reader of a manifest can follow.
    digest : str
        BLAKE2b of every array, see `digest_of`.
    first_ts, last_ts : int
        Close of the first and of the last bar (ns UTC).
    """

    source: str
    digest: str
    bars: int
    instruments: tuple[str, ...]
    first_ts: int
    last_ts: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    Attributes
    ----------
    kind : str
        "search" or "sweep".
    plan : dict
        Strategy, parameters or space, settings, seed: all that was asked for, as plain JSON.
    execution : dict
        How it was run (workers, resources): may differ when it is resumed.
    libraries : dict
        Version by distribution.
    """

    name: str
    kind: str
    plan: dict[str, Any]
    data: Data
    code: Code
    libraries: dict[str, str]
    execution: dict[str, Any]
    started_at: datetime
    finished_at: datetime | None = None

    def difference(self, other: "Manifest") -> str | None:
        """Return what makes the numbers of the two incomparable, in words; None if nothing does."""
        return _first_difference("", self._origin(), other._origin())

    def plan_as(self, kind: str, plan: type[Plan]) -> Plan:
        """Return the plan of a run of that kind, to repeat it.

        Raises
        ------
        UsageError
            If the run is of another kind.
        """
        if self.kind != kind:
            raise UsageError(f"Run {self.name!r} is a {self.kind}, not a {kind}.")
        return msgspec.convert(self.plan, plan)

    def _origin(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {
            "kind": self.kind,
            "data": self.data.digest,
            "code": msgspec.to_builtins(self.code),
            "libraries": self.libraries,
            "plan": self.plan,
        }


def make_manifest(
    *,
    name: str,
    kind: str,
    plan: msgspec.Struct,
    bars: Bars,
    source: str,
    execution: dict[str, Any],
    started_at: datetime,
    quoted: Quoted | None = None,
) -> Manifest:
    """Return the manifest of a run that starts now, in this process.

    Parameters
    ----------
    quoted : Quoted or None
        What is traded, when that is not `bars`.
    """
    return Manifest(
        name=name,
        kind=kind,
        plan=msgspec.json.decode(msgspec.json.encode(plan)),
        data=_data_of(bars, source, quoted),
        code=running_code(),
        libraries={library: version(library) for library in LIBRARIES},
        execution=execution,
        started_at=started_at,
    )


def running_code() -> Code:
    """Return the code of this process."""
    return Code(version=version(PACKAGE), commit=_commit())


def digest_of(bars: Bars, quoted: Quoted | None = None) -> str:
    """Return a BLAKE2b digest (hexadecimal) of times, instruments, prices, volumes and signals.

    Quoted prices and their actions are in it where there are some.
    """
    digest = hashlib.blake2b(digest_size=32)
    digest.update("\n".join(bars.instrument_ids).encode())
    arrays = [(name, getattr(bars, name)) for name in FIELDS]
    arrays += sorted(bars.signals.items())
    if quoted is not None:
        arrays += [(f"quoted {name}", getattr(quoted.bars, name)) for name in FIELDS]
        arrays += [("splits", quoted.actions.splits), ("dividends", quoted.actions.dividends)]
    for name, array in arrays:
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _data_of(bars: Bars, source: str, quoted: Quoted | None) -> Data:
    return Data(
        source=source,
        digest=digest_of(bars, quoted),
        bars=len(bars),
        instruments=tuple(bars.instrument_ids),
        first_ts=int(bars.ts[0]),
        last_ts=int(bars.ts[-1]),
    )


def _commit() -> str | None:
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, timeout=30, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def _first_difference(path: str, mine: Any, theirs: Any) -> str | None:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for key in dict.fromkeys((*mine, *theirs)):
            found = _first_difference(f"{path} {key}", mine.get(key), theirs.get(key))
            if found:
                return found
        return None
    return None if mine == theirs else f"{path.strip()} was {_short(mine)} and is {_short(theirs)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
