"""Accounts, logs and homes of the machine, by path."""

from sandboxes.attacks.means import Ground, got_through, lists, reads


def attack(ground: Ground) -> list[str]:
    files = ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/hosts", "/var/log/dpkg.log")
    folders = ("/home", "/root", "/var/log", "/etc", "/tmp", "/srv", "/opt", "/run")
    found = {f"read {path}": reads(path) for path in files}
    return got_through(**found, **{f"listed {path}": lists(path) for path in folders})
