"""Which rung is taken, and when none is."""

import os
from pathlib import Path

import pytest

from sandboxes.errors import IsolationUnavailable, SandboxRefused
from sandboxes.local import witness
from sandboxes.local.backend import LocalBackend
from sandboxes.local.plan import Plan, worker_command
from sandboxes.local.rungs import RUNGS, Bubblewrap, Landlock, _stub
from sandboxes.local.runtime import FOLDERS_OF_LAST_RESORT, closed_to, usable_home
from sandboxes.local.sandbox import LocalSandbox
from tests.sandboxes.local.home import HOME, any_backend, backend_on
from tests.sandboxes.local.measures import in_sandbox, run_script


class WithoutLandlock(Landlock):
    """Only the filter: files of the host can be read."""

    name = "leaky"

    def command(self, plan: Plan) -> list[str]:
        return [*_stub(plan, landlock=0), *worker_command(plan, plan.runtime.worker)]


class Broken(Landlock):
    name = "broken"

    def command(self, plan: Plan) -> list[str]:
        return [*_stub(plan, landlock=0), "/bin/false"]


class Absent(Landlock):
    name = "absent"

    def objection(self) -> str:
        return "the kernel offers none; use another"


def test_strongest_rung_that_holds_is_taken() -> None:
    backend = backend_on(Absent(), Broken(), *RUNGS)
    first = next(rung for rung in RUNGS if not rung.objection())
    assert backend.isolation.rung == first.name
    assert len(backend.isolation.proof) == 64


def test_proof_of_each_rung_is_its_own() -> None:
    proofs = [backend_on(rung).isolation.proof for rung in RUNGS if not rung.objection()]
    assert len(set(proofs)) == len(proofs)


def test_rung_that_lets_something_through_is_refused_by_name_of_the_attack() -> None:
    with pytest.raises(IsolationUnavailable) as caught:
        backend_on(WithoutLandlock()).isolation  # noqa: B018
    reason = caught.value.reasons["leaky"]
    for attack in ("a01_system_files", "a02_key_file", "a13_kernel_files"):
        assert attack in reason


def test_without_any_rung_nothing_is_run_and_each_reason_is_told() -> None:
    backend = backend_on(Absent(), Broken())
    for _ in range(2):
        with pytest.raises(IsolationUnavailable) as caught:
            run_script(backend, "pass")
        assert "use another" in caught.value.reasons["absent"]
        assert "ended by itself with status 1" in caught.value.reasons["broken"]
    assert not [
        each for each in (HOME / "jobs").iterdir() if each.name.startswith(f"{os.getpid()}-")
    ]


def test_least_rung_keeps_weaker_ones_out() -> None:
    class First(Absent):
        name = "L1"

    backend = LocalBackend(HOME, "L1", rungs=(First(), Landlock()))
    with pytest.raises(IsolationUnavailable) as caught:
        backend.isolation  # noqa: B018
    assert list(caught.value.reasons) == ["L1"]


def test_unknown_rung_and_template_are_refused_by_name() -> None:
    with pytest.raises(SandboxRefused, match="L9"):
        LocalBackend(HOME, "L9").isolation  # noqa: B018
    with pytest.raises(SandboxRefused, match="no template 'none'; there are: agent, base"):
        in_sandbox(any_backend(), _nothing, template="none")


async def _nothing(sandbox: LocalSandbox) -> None:
    return None


def test_worker_never_runs_as_user_0(backend: LocalBackend) -> None:
    async def use(sandbox: LocalSandbox) -> list[dict[str, str]]:
        assert sandbox.pid is not None
        return [witness.facts(pid) for pid in witness.family(sandbox.pid)]

    seen = in_sandbox(backend, use)
    assert seen
    for facts in seen:
        assert "0" not in (*facts["Uid"].split(), *facts["Gid"].split())
        assert facts["Groups"] in ("", facts["Gid"].split()[0])
        assert facts["NoNewPrivs"] == "1"
    assert seen[-1]["CapEff"] == "0" * 16
    assert seen[-1]["Seccomp"] == "2"


def test_administrator_gives_each_sandbox_a_user_of_its_own() -> None:
    if os.geteuid() != 0:
        pytest.skip("only the administrator can become another user")

    async def use(sandbox: LocalSandbox) -> str:
        assert sandbox.pid is not None
        return witness.facts(sandbox.pid)["Uid"]

    assert len({in_sandbox(any_backend(), use) for _ in range(3)}) == 3


def test_old_bubblewrap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandboxes.local.rungs.shutil.which", lambda _: "/usr/bin/bwrap")
    monkeypatch.setattr("sandboxes.local.rungs.bubblewrap_version", lambda: (0, 4, 1))
    assert "install a newer one" in Bubblewrap().objection()


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_unknown_machine_is_refused(rung: Landlock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandboxes.local.rungs.platform.machine", lambda: "riscv64")
    assert "riscv64" in rung.objection()


def test_kernel_without_landlock_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandboxes.local.rungs.landlock_version", lambda: -1)
    assert "5.13" in Landlock().objection()


def test_folder_that_the_sandbox_cannot_enter_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandboxes.local.runtime.FOLDERS_OF_LAST_RESORT", ())
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert closed_to(closed, 65_000) is not None
    with pytest.raises(IsolationUnavailable, match="cannot enter"):
        usable_home(closed / "home", 65_000)


def test_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(IsolationUnavailable, match="others may write"):
        usable_home(place, None)


def test_administrator_falls_back_to_a_folder_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FOLDERS_OF_LAST_RESORT
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr("sandboxes.local.runtime.FOLDERS_OF_LAST_RESORT", (str(HOME / "system"),))
    if os.geteuid() != 0:
        pytest.skip("only the administrator has other folders to go to")
    assert usable_home(closed / "home", 65_000) == HOME / "system"
