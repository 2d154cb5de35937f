"""How much a sandbox may use."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one sandbox. Whatever is inherited and lower stays.

    Attributes
    ----------
    memory_bytes : int
        Address space of the process.
    cpu_s : int
        Processor time over its life.
    processes, files : int
        Threads and processes; open descriptors.
    call_timeout_s, total_timeout_s : float
        For one call of a strategy or one job; for the life of the sandbox.
    output_bytes, output_kill_bytes : int
        Standard output and error that are kept; beyond the second the process is killed.
    frame_bytes : int
        Longest answer.
    scratch_bytes : int
        Writable memory file system of a job; a strategy has none.
    """

    memory_bytes: int = 1 << 30
    cpu_s: int = 600
    processes: int = 64
    files: int = 64
    call_timeout_s: float = 0.25
    total_timeout_s: float = 86_400.0
    output_bytes: int = 64 << 10
    output_kill_bytes: int = 1 << 20
    frame_bytes: int = 1 << 20
    scratch_bytes: int = 16 << 20


JOB = Limits(memory_bytes=2 << 30, call_timeout_s=60.0, total_timeout_s=600.0)
