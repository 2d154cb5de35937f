"""Files of the kernel: other processes, memory, magic keys, groups of processes."""

from sandboxes.attacks.means import Ground, got_through, lists, reads, writes


def attack(ground: Ground) -> list[str]:
    read = (
        *("/proc/1/cmdline", "/proc/kcore", "/proc/kallsyms", "/proc/self/maps", "/dev/mem"),
        *(f"/proc/{ground['victim']}/cmdline", f"/proc/{ground['parent']}/maps", "/dev/kvm"),
    )
    write = ("/proc/sysrq-trigger", "/proc/self/oom_score_adj", "/sys/fs/cgroup/cgroup.procs")
    listed = ("/proc", "/sys", "/sys/fs/cgroup", "/proc/self/fd", "/proc/self/root")
    return got_through(
        **{f"read {path}": reads(path) for path in read},
        **{f"wrote {path}": writes(path) for path in write},
        **{f"listed {path}": lists(path) for path in listed},
    )
