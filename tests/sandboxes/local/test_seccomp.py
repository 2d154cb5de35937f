"""The filter, interpreted here as the kernel does, on both machines."""

import errno
import re
import struct
from pathlib import Path

import pytest

from sandboxes.local.seccomp import ALLOW, ERROR, KILL_PROCESS, assemble
from sandboxes.local.syscalls import AARCH64, ARCHITECTURES, X86_64, Architecture

PID = 4321
DENIED, ABSENT = ERROR | errno.EPERM, ERROR | errno.ENOSYS
BOTH = pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=["x86_64", "aarch64"])
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def decide(machine: Architecture, number: int, *arguments: int, audit: int = 0) -> int:
    words = [each & (1 << 64) - 1 for each in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("<iIQ6Q", number, audit or machine.audit, 0, *words)
    steps = list(struct.iter_unpack("=HBBI", assemble(machine, PID)))
    place = held = 0
    while True:
        code, yes, no, value = steps[place]
        place += 1
        match code:
            case 0x20:
                held = int.from_bytes(data[value : value + 4], "little")
            case 0x54:
                held &= value
            case 0x15:
                place += yes if held == value else no
            case 0x35:
                place += yes if held >= value else no
            case 0x06:
                return int(value)
            case _:
                pytest.fail(f"operation {code:#x}")


def number(machine: Architecture, name: str) -> int:
    return {**machine.allowed, **machine.examined}[name]


@BOTH
def test_each_named_call_passes_and_all_others_are_refused(machine: Architecture) -> None:
    assert all(decide(machine, each) == ALLOW for each in machine.allowed.values())
    named = {*machine.allowed.values(), *machine.examined.values()}
    others = set(range(600)) - named
    assert {decide(machine, each) for each in others} == {DENIED}


@BOTH
def test_calls_of_another_machine_kill(machine: Architecture) -> None:
    other = AARCH64 if machine is X86_64 else X86_64
    assert decide(machine, number(machine, "read"), audit=other.audit) == KILL_PROCESS
    assert decide(machine, 3, audit=0x40000003) == KILL_PROCESS


def test_x32_calls_kill() -> None:
    assert decide(X86_64, 0x40000000) == KILL_PROCESS
    assert decide(X86_64, 0x40000000 + 39) == KILL_PROCESS


@BOTH
@pytest.mark.parametrize("flags", [0o1, 0o2, 0o100, 0o1000, 0o20200000, 0o1 | 0o2000000])
def test_no_file_opens_for_writing(machine: Architecture, flags: int) -> None:
    assert decide(machine, number(machine, "openat"), 3, 0, flags) == DENIED
    assert decide(machine, number(machine, "openat"), 3, 0, 0o2000000) == ALLOW
    if "open" in machine.examined:
        assert decide(machine, number(machine, "open"), 0, flags) == DENIED
        assert decide(machine, number(machine, "open"), 0, 0o2000000) == ALLOW


@BOTH
def test_threads_start_and_processes_do_not(machine: Architecture) -> None:
    clone = number(machine, "clone")
    thread = 0x3D0F00
    assert decide(machine, clone, thread) == ALLOW
    assert decide(machine, clone, 17) == DENIED
    assert decide(machine, clone, 0x4111) == DENIED  # vfork
    assert decide(machine, clone, thread | 0x10000000) == DENIED  # a new user namespace
    assert decide(machine, number(machine, "clone3")) == ABSENT


@BOTH
def test_only_itself_is_signalled(machine: Architecture) -> None:
    for name in ("kill", "tgkill"):
        assert decide(machine, number(machine, name), PID, 9) == ALLOW
        for other in (PID + 1, 0, -1, -PID, 1):
            assert decide(machine, number(machine, name), other, 9) == DENIED


@BOTH
def test_limits_are_read_and_not_set(machine: Architecture) -> None:
    call = number(machine, "prlimit64")
    assert decide(machine, call, 0, 7, 0, 4096) == ALLOW
    for arguments in ((0, 7, 4096), (0, 7, 1 << 32), (99, 7, 0)):
        assert decide(machine, call, *arguments) == DENIED


@BOTH
@pytest.mark.parametrize(
    ("name", "place", "good", "bad"),
    [
        ("fcntl", 1, (0, 1, 2, 3, 4, 1030), (5, 6, 7, 8, 10, 15, 1024, 1033)),
        ("ioctl", 1, (0x5401, 0x541B), (0x5412, 0x5402, 0x8933)),
        ("prctl", 0, (15, 16, 21, 39), (1, 4, 22, 38, 47, 24)),
    ],
)
def test_other_uses_of_a_call_are_refused(
    machine: Architecture, name: str, place: int, good: tuple[int, ...], bad: tuple[int, ...]
) -> None:
    def asked(value: int) -> int:
        return decide(machine, number(machine, name), *[0] * place, value)

    assert {asked(value) for value in good} == {ALLOW}
    assert {asked(value) for value in bad} == {DENIED}


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_numbers_are_those_of_the_headers_of_linux(name: str) -> None:
    header = HEADERS[name]
    if not header.exists():
        pytest.skip(f"{header} is not installed, so numbers cannot be compared")
    text = header.read_text(encoding="utf-8")
    known = {
        each: int(value) for each, value in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)
    }
    machine = ARCHITECTURES[name]
    ours = {**machine.allowed, **machine.examined, "seccomp": machine.seccomp}
    if name == "aarch64":
        known["newfstatat"] = known["fstatat"]  # one call, named by width
    assert {each: known.get(each) for each in ours} == ours
