"""Settings of the kernel: one of them starts programs as the administrator."""

from sandboxes.attacks.means import Ground, got_through, writes


def attack(ground: Ground) -> list[str]:
    names = ("kernel/core_pattern", "kernel/hostname", "vm/overcommit_memory", "kernel/modprobe")
    return got_through(**{f"wrote {name}": writes(f"/proc/sys/{name}") for name in names})
