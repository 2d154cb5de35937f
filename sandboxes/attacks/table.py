"""The attacks by name: what each tries, where its payload is, and who judges it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import msgspec

from sandboxes.attacks import means
from sandboxes.attacks.observation import RESULT, reports_in
from sandboxes.attacks.payloads import (
    a01_system_files,
    a02_key_file,
    a03_environment,
    a04_loopback,
    a05_ways_out,
    a06_unix_sockets,
    a07_processes,
    a08_memory,
    a09_spin,
    a10_disk,
    a11_signals,
    a12_other_memory,
    a13_kernel_files,
    a14_names,
    a15_privileges,
    a16_daemon,
    a17_flood,
    a18_system_calls,
    a19_descriptors,
    a20_threads,
    a21_shared_places,
    a22_own_program,
    a23_crash,
    a24_drip,
    a25_other_doors,
    a26_kernel_settings,
)
from sandboxes.errors import OutputLimit, SandboxTimeout
from sandboxes.sandbox import RunResult

BAD_CALL = -31
"""SIGSYS: the filter killed it."""
Judge = Callable[[RunResult], str]


def refused_all(result: RunResult) -> str:
    """Return what got through by the payload's own word; empty if nothing did."""
    reports = reports_in(result)
    if len(reports) != 1:
        how = result.error or f"exit code {result.exit_code}"
        return f"no single report ({how}): {result.stderr.strip()[-200:]}"
    return ", ".join(reports[0].through)


def ended_by(code: str) -> Judge:
    def judge(result: RunResult) -> str:
        return "" if result.error == code else f"ended with {result.error or result.exit_code}"

    return judge


def exited_with(*codes: int) -> Judge:
    def judge(result: RunResult) -> str:
        is_as_told = result.exit_code in codes and not result.error and not reports_in(result)
        return "" if is_as_told else f"ended with {result.error or result.exit_code}"

    return judge


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """One payload, in one or more ways.

    Attributes
    ----------
    ways : mapping of way to judge
        The payload is told the way as `how`; a judge returns what is wrong, or nothing.
    timeout_s : float
    is_quick : bool
        It asks for things and ends, so that all such can be asked at each start.
    """

    name: str
    what: str
    module: ModuleType
    ways: Mapping[str, Judge]
    timeout_s: float = 20.0
    is_quick: bool = True

    @property
    def payload(self) -> str:
        assert self.module.__file__ is not None
        return Path(self.module.__file__).read_text(encoding="utf-8")


FOREIGN: dict[str, Judge] = {
    way: lambda result: refused_all(result) and exited_with(BAD_CALL)(result)
    for way in ("i386", "x32")
}
"""Killed on x86_64; elsewhere there is no such door, and the payload says so."""
CRASHES = {
    "fault": exited_with(-11),
    "abort": exited_with(-6),
    "exit": exited_with(7),
    "kill": exited_with(-9),
}


def _attack(module: ModuleType, **given: object) -> Attack:
    name = module.__name__.rpartition(".")[2]
    assert module.__doc__ is not None
    what = module.__doc__.strip().partition("\n")[0].rstrip(".")
    options = {"ways": {"": refused_all}, **given}
    return Attack(name=name, what=what, module=module, **options)  # type: ignore[arg-type]


ATTACKS = (
    _attack(a01_system_files),
    _attack(a02_key_file),
    _attack(a03_environment),
    _attack(a04_loopback),
    _attack(a05_ways_out),
    _attack(a06_unix_sockets),
    _attack(a07_processes),
    _attack(a08_memory),
    _attack(a09_spin, ways={"": ended_by(SandboxTimeout.code)}, timeout_s=1.0, is_quick=False),
    _attack(a10_disk),
    _attack(a11_signals),
    _attack(a12_other_memory),
    _attack(a13_kernel_files),
    _attack(a14_names),
    _attack(a15_privileges),
    _attack(a16_daemon, is_quick=False),
    _attack(a17_flood, ways={"": ended_by(OutputLimit.code)}, is_quick=False),
    _attack(a18_system_calls),
    _attack(a19_descriptors),
    _attack(a20_threads, is_quick=False),
    _attack(a21_shared_places),
    _attack(a22_own_program),
    _attack(a23_crash, ways=CRASHES, is_quick=False),
    _attack(a24_drip, ways={"": ended_by(SandboxTimeout.code)}, timeout_s=1.0, is_quick=False),
    _attack(a25_other_doors, ways=FOREIGN, is_quick=False),
    _attack(a26_kernel_settings),
)


def script_of(*attacks: Attack) -> str:
    """Return one script that makes all these attacks; each reports a line of its own."""
    assert means.__file__ is not None
    parts = [
        "import sys",
        "sys.modules['sandboxes.attacks.means'] = sys.modules['__main__']",
        Path(means.__file__).read_text(encoding="utf-8"),
        "import json\nwith open('params.json') as file:\n    ground = json.load(file)\n",
    ]
    for attack in attacks:
        parts += [
            f"spaces = dict(globals())\nexec({attack.payload!r}, spaces)",
            f"sys.stdout.write({RESULT!r} + json.dumps(report(spaces['attack'](ground))) + '\\n')",
        ]
    return "\n".join(parts)
