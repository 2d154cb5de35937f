"""The facts of one pool in a file, so that its next life knows them."""

import os
from pathlib import Path

import msgspec

from sandboxes.errors import SandboxError
from sandboxes.pool.facts import AnyFact

LINES_MAX = 50_000
_decoder = msgspec.json.Decoder(AnyFact)


class Ledger:
    """Lines of JSON, oldest first; what is older than `horizon_s` is left out now and then."""

    def __init__(self, path: Path, horizon_s: float) -> None:
        self._path = path
        self._horizon_s = horizon_s
        self._lines = 0
        self._lines_max = LINES_MAX

    def read(self, now_s: float) -> list[AnyFact]:
        """Return the facts that still count, and write the file anew with them alone.

        Raises
        ------
        SandboxError
            If a line is none of ours. A last line without an end was cut by a crash and is left out.
        """
        whole = self._path.read_bytes().split(b"\n")[:-1] if self._path.exists() else []
        try:
            facts = [_decoder.decode(line) for line in whole]
        except msgspec.DecodeError as error:
            raise SandboxError(f"{self._path} is damaged ({error}); move it away.") from None
        found = [fact for fact in facts if fact.at_s > now_s - self._horizon_s]
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(b"".join(map(_line, found)))
        fresh.replace(self._path)
        self._lines, self._lines_max = len(found), max(LINES_MAX, 2 * len(found))
        return found

    def append(self, fact: AnyFact) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, _line(fact))
        finally:
            os.close(descriptor)
        self._lines += 1
        if self._lines > self._lines_max:
            self.read(fact.at_s)


def _line(fact: AnyFact) -> bytes:
    return msgspec.json.encode(fact) + b"\n"
