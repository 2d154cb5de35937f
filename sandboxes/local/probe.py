"""The proof of a rung: the quick attacks, made in it against planted canaries at the start."""

import asyncio
import hashlib
import json

from sandboxes.attacks.ground import planted
from sandboxes.attacks.observation import reports_in
from sandboxes.attacks.run import BOUNDS
from sandboxes.attacks.table import ATTACKS, script_of
from sandboxes.errors import SandboxError
from sandboxes.local.sandbox import LocalSandbox
from sandboxes.sandbox import RunResult

QUICK = tuple(attack for attack in ATTACKS if attack.is_quick)
TIMEOUT_S = 30.0


def prove(sandbox: LocalSandbox) -> tuple[str, str]:
    """Return why a sandbox does not hold (nothing if it does), and the digest of the proof."""
    with planted() as ground:
        told = json.dumps({**BOUNDS, **ground.told, "how": ""}).encode()
        try:
            result = asyncio.run(_attack(sandbox, told))
        except SandboxError as error:
            return str(error), ""
        wrong = [*_through(result), *ground.disturbed()]
    held = sandbox.isolation
    through = [str(report.through) for report in reports_in(result)]
    facts = [held.rung, *map(str, held.details.items()), script_of(*QUICK), *through]
    return "; ".join(wrong), hashlib.sha256("\0".join(facts).encode()).hexdigest()


async def _attack(sandbox: LocalSandbox, told: bytes) -> RunResult:
    try:
        return await sandbox.run(script_of(*QUICK), {"params.json": told}, timeout_s=TIMEOUT_S)
    finally:
        await sandbox.kill()


def _through(result: RunResult) -> list[str]:
    reports = reports_in(result)
    if len(reports) != len(QUICK):
        how = result.error or f"exit code {result.exit_code}"
        return [f"the probe broke off ({how}): {result.stderr.strip()[-300:]}"]
    return [
        f"{attack.name}: {', '.join(report.through)} got through"
        for attack, report in zip(QUICK, reports, strict=True)
        if report.through
    ]
