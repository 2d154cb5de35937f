"""The memory of other processes."""

from sandboxes.attacks.means import Ground, got_through, is_refused, numbers, reads, writes

ATTACH, SEIZE = 16, 0x4206
CALLS = """
process_vm_readv 310 270
process_vm_writev 311 271
kcmp 312 272
process_madvise 440 440
pidfd_getfd 438 438
"""
TRACE = "ptrace 101 117"


def attack(ground: Ground) -> list[str]:
    victim = ground["victim"]
    raw, trace = numbers(CALLS), numbers(TRACE)["ptrace"]
    found = [name for name, number in raw.items() if not is_refused(number, victim, 0, 0, 0, 0, 0)]
    found += ["attached"] if not is_refused(trace, ATTACH, victim, 0, 0) else []
    found += ["seized"] if not is_refused(trace, SEIZE, victim, 0, 0) else []
    memory = f"/proc/{victim}/mem"
    return found + got_through(read=reads(memory), written=writes(memory))
