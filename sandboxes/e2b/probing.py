"""Proves at the start that code at E2B is where it should be: elsewhere, without a network, without our secrets."""

import hashlib
import json
from pathlib import Path
from tempfile import NamedTemporaryFile

from sandboxes.e2b.guest import probe
from sandboxes.e2b.sandbox import E2BSandbox
from sandboxes.e2b.scripts import script_of
from sandboxes.errors import IsolationUnavailable, ProtocolViolation

OUTSIDE = ("1.1.1.1", 443)
PROBE_TIMEOUT_S = 20.0
SCRIPT = "probe.py"
FINDINGS = {
    "secrets": "it has variables with secrets",
    "file": "it sees files of this machine",
    "network": "it reaches the internet",
}


async def prove(sandbox: E2BSandbox) -> str:
    """Try from inside what must not work, and return the digest of the proof.

    Raises
    ------
    IsolationUnavailable
        If something worked.
    SandboxError
        If the sandbox does not answer.
    """
    await sandbox.write_files({SCRIPT: script_of(probe)})
    with NamedTemporaryFile() as canary:
        arguments = f"{canary.name} {OUTSIDE[0]} {OUTSIDE[1]}"
        ended = await sandbox.command(f"exec python3 -I {SCRIPT} {arguments}", PROBE_TIMEOUT_S)
    if ended.exit_code != 0:
        raise IsolationUnavailable({"e2b": f"the probe failed in it: {ended.stderr[-300:]}"})
    escaped = escapes(ended.stdout)
    if escaped:
        raise IsolationUnavailable({"e2b": "; ".join(escaped)})
    return hashlib.sha256(ended.stdout.encode()).hexdigest()


def escapes(told: str) -> list[str]:
    """Return what worked that must not."""
    try:
        found = json.loads(told)
        kernel, worked = found["kernel"], {name: bool(found[name]) for name in FINDINGS}
    except (ValueError, TypeError, KeyError):
        raise ProtocolViolation("the probe in the sandbox says nonsense.") from None
    escaped = [FINDINGS[name] for name, did in worked.items() if did]
    if kernel == this_kernel():
        escaped.append("it runs on the kernel of this machine")
    return escaped


def this_kernel() -> str:
    """What Linux calls this start of itself; empty elsewhere."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""
