"""Processes of a sandbox that live on although it has ended."""

from pathlib import Path

from sandboxes.local.plan import MARK


def survivors(sandbox_id: str) -> list[int]:
    """Return processes that this sandbox left behind."""
    wanted = f"\0{MARK}={sandbox_id}-".encode()
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                lines = (place / "environ").read_bytes()
            except OSError:
                continue  # ended meanwhile, or of another user
            if wanted in b"\0" + lines:
                found.append(int(place.name))
    return found
