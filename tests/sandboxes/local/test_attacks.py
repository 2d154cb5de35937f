"""Every attack on every rung, from the administrator and from a plain user."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from sandboxes.attacks.ground import planted
from sandboxes.attacks.run import make_attack, run_attacks
from sandboxes.attacks.table import ATTACKS
from sandboxes.errors import IsolationUnavailable
from sandboxes.local.backend import LocalBackend
from sandboxes.local.rungs import RUNGS
from sandboxes.local.runtime import closed_to, prepare
from sandboxes.local.sandbox import LocalSandbox
from sandboxes.local.seccomp import ALLOW, RETURN
from sandboxes.local.survivors import survivors
from sandboxes.templates.registry import inspect
from tests.sandboxes.local.home import HOME, any_backend, backend_of
from tests.sandboxes.local.measures import descriptors, in_sandbox, resident_bytes, run_script

ROOT = Path(__file__).parents[3]
PLAIN_USER = 65_533
PROGRAM = """
import json, sys
from pathlib import Path
from sandboxes.attacks.run import run_attacks
from sandboxes.local.backend import LocalBackend
from sandboxes.local.rungs import RUNGS
rungs = [rung for rung in RUNGS if rung.name == sys.argv[2]]
found = run_attacks(LocalBackend(Path(sys.argv[1]), sys.argv[2], rungs=rungs))
json.dump({each.name: each.how for each in found if not each.held}, sys.stdout)
"""


def test_some_rung_can_be_tried_here() -> None:
    objections = {rung.name: rung.objection() for rung in RUNGS}
    assert not all(objections.values()), objections


@pytest.mark.slow
def test_every_attack_is_held(backend: LocalBackend) -> None:
    found = run_attacks(backend)
    assert {each.name: each.how for each in found if not each.held} == {}
    assert len(found) == len(ATTACKS) + 7
    how = {each.name: each.how for each in found}
    assert "EPERM (Operation not permitted): tcp, udp" in how["a04_loopback"]
    assert "EPERM (Operation not permitted): fork" in how["a16_daemon"]
    assert how["a25_other_doors"] == "i386: ended by SIGSYS; x32: ended by SIGSYS"
    assert "SANDBOX_TIMEOUT" in how["a09_spin"]
    assert "EACCES" in how["a02_key_file"] or "ENOENT" in how["a02_key_file"]
    assert all(how.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", [rung.name for rung in RUNGS])
def test_every_attack_is_held_when_a_plain_user_starts_it(name: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("whoever runs this is a plain user already")
    if closed := closed_to(ROOT, PLAIN_USER) or closed_to(Path(sys.prefix), PLAIN_USER):
        pytest.skip(f"a plain user cannot read the project: {closed} is closed to others")
    backend_of(name)
    runtime = prepare(HOME, inspect("base"))
    home = HOME / "of-a-plain-user"
    home.mkdir(exist_ok=True)
    os.chown(home, PLAIN_USER, PLAIN_USER)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    done = subprocess.run(
        [str(runtime.python), "-c", PROGRAM, str(home), name],
        env={
            "PYTHONPATH": f"{ROOT}:{packages}",
            "LD_LIBRARY_PATH": str(runtime.interpreter / "lib"),
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd="/",
        user=PLAIN_USER,
        group=PLAIN_USER,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {}


def test_each_attack_has_a_name_of_its_own_and_says_what_it_tries() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) == 26
    assert all(attack.what for attack in ATTACKS)


def test_nothing_of_the_host_grows_under_a_flood_of_output() -> None:
    backend = any_backend()
    run_script(backend, "pass")
    before = resident_bytes()
    result = run_script(
        backend, "import os\nwhile True: os.write(1, b'x' * 65536); os.write(2, b'y' * 65536)"
    )
    assert result.error == "SANDBOX_OUTPUT_LIMIT"
    assert resident_bytes() - before < 16 << 20
    assert len(result.stdout) <= 64 << 10


def _judged(backend: LocalBackend, name: str) -> str:
    attack = next(each for each in ATTACKS if each.name == name)

    async def use(sandbox: LocalSandbox) -> str:
        with planted() as ground:
            result = await make_attack(sandbox, attack, ground)
            return "; ".join([*filter(None, [attack.ways[""](result)]), *ground.disturbed()])

    return in_sandbox(backend, use, template="base")


FILTERED_ALONE = {
    "a04_loopback": "udp was reached",
    "a05_ways_out": "route",
    "a06_unix_sockets": "by path",
    "a08_memory": "memfd",
    "a18_system_calls": "io_uring_setup",
}


@pytest.mark.parametrize("name", FILTERED_ALONE)
def test_attack_that_only_the_filter_stops_is_seen_without_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = any_backend()
    assert backend.isolation.proof
    assert _judged(backend, name) == ""
    everything = struct.pack("=HBBI", RETURN, 0, 0, ALLOW)
    monkeypatch.setattr("sandboxes.local.seccomp.assemble", lambda *_: everything)
    assert FILTERED_ALONE[name] in _judged(backend, name)


def test_worker_without_a_filter_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = any_backend()
    assert backend.isolation.proof
    monkeypatch.setattr("sandboxes.local.witness.FILTERED", "3")
    before = descriptors()
    with pytest.raises(IsolationUnavailable, match="no filter of system calls"):
        in_sandbox(backend, lambda sandbox: sandbox.run("pass"))
    assert descriptors() == before
    assert survivors(str(os.getpid())) == []
