"""Making sandboxes: what E2B is asked for, and what becomes of each failure."""

import json
import traceback
from pathlib import Path

import pytest

from sandboxes.e2b import probing
from sandboxes.e2b.backend import E2BBackend
from sandboxes.errors import (
    IsolationUnavailable,
    SandboxBusy,
    SandboxError,
    SandboxGone,
    SandboxRefused,
    SandboxTimeout,
)
from sandboxes.limits import Limits
from tests.sandboxes.e2b.conftest import HELD
from tests.sandboxes.e2b.fake import KEY, Fake

pytestmark = pytest.mark.asyncio
ONCE = {"Should-Retry": "false"}
CREATE = "POST /v2/sandboxes$"
SHORT_S = 3.0
"""For requests that are never answered; those that are answered take no time worth counting."""


async def test_when_created_the_internet_is_off_and_the_labels_are_on(
    fake: Fake, backend: E2BBackend
) -> None:
    sandbox = await backend.create("base", Limits(total_timeout_s=90.5), {"owner": "ann"})
    body = fake.created[-1]
    assert body["allow_internet_access"] is False
    assert body["network"] == {"allowPublicTraffic": False}
    assert body["timeout"] == 91
    assert body["autoPause"] is False
    labels = {"cluster": "ours", "run": "run-1", "owner": "ann", "template": "base"}
    assert labels.items() <= body["metadata"].items()
    assert body["templateID"] == f"neural-trader-base:{sandbox.isolation.details['digest'][:12]}"
    assert sandbox.isolation.rung == "e2b"
    assert sandbox.isolation.proof == backend.isolation.proof != ""


async def test_when_the_plan_allows_less_the_life_is_cut(fake: Fake, backend: E2BBackend) -> None:
    await backend.create("base", Limits())
    assert fake.created[-1]["timeout"] == 3600


async def test_before_the_proof_nothing_is_made(fake: Fake) -> None:
    backend = E2BBackend(fake.connection(), cluster="ours", run="run-1")
    with pytest.raises(IsolationUnavailable, match="prove"):
        await backend.create("base", Limits())
    assert fake.requests == []


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        ({"network": True}, "internet"),
        ({"file": True}, "files of this machine"),
        ({"secrets": True}, "secrets"),
        ({"kernel": Path("/proc/sys/kernel/random/boot_id").read_text().strip()}, "kernel"),
    ],
)
async def test_when_the_probe_gets_out_it_is_refused(
    fake: Fake, finding: dict[str, object], said: str
) -> None:
    fake.scripted["probe.py"] = (json.dumps(json.loads(HELD) | finding), 0)
    backend = E2BBackend(fake.connection(), cluster="ours", run="run-1")
    with pytest.raises(IsolationUnavailable, match=said):
        await backend.prove()
    assert fake.guests == {}
    with pytest.raises(IsolationUnavailable):
        _ = backend.isolation


@pytest.mark.parametrize("told", ["", "{}", "[]", "no json"])
async def test_when_the_probe_says_nonsense_it_is_refused(fake: Fake, told: str) -> None:
    fake.scripted["probe.py"] = (told, 0)
    with pytest.raises(IsolationUnavailable, match="nonsense"):
        await E2BBackend(fake.connection(), cluster="ours", run="run-1").prove()


async def test_when_the_probe_fails_it_is_refused(fake: Fake) -> None:
    fake.scripted["probe.py"] = (HELD, 1)
    with pytest.raises(IsolationUnavailable, match="probe failed"):
        await E2BBackend(fake.connection(), cluster="ours", run="run-1").prove()


async def test_the_probe_itself_sees_through_a_machine_that_is_this_one(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    del fake.scripted["probe.py"]
    host, port = fake.url.removeprefix("http://").split(":")
    monkeypatch.setattr(probing, "OUTSIDE", (host, int(port)))
    with pytest.raises(IsolationUnavailable) as refused:
        await E2BBackend(fake.connection(), cluster="ours", run="run-1").prove()
    for finding in ("files of this machine", "reaches the internet", "kernel of this machine"):
        assert finding in str(refused.value)
    assert "secrets" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        (400, SandboxRefused),
        (401, SandboxRefused),
        (403, SandboxRefused),
        (404, SandboxRefused),
        (409, SandboxRefused),
        (429, SandboxBusy),
        (500, SandboxBusy),
        (503, SandboxBusy),
    ],
)
async def test_when_the_service_says_no_the_error_says_what_to_do(
    fake: Fake, backend: E2BBackend, status: int, meant: type[SandboxError]
) -> None:
    fake.fail(CREATE, status, headers=ONCE)
    with pytest.raises(meant, match=r"\(.+\)$"):
        await backend.create("base", Limits())
    assert fake.guests == {}


@pytest.mark.parametrize("status", [429, 503])
async def test_when_the_service_was_busy_for_a_moment_it_is_asked_again(
    fake: Fake, backend: E2BBackend, status: int
) -> None:
    fake.fail(CREATE, status, times=2)
    await backend.create("base", Limits())
    assert len(fake.guests) == 1


async def test_when_the_key_is_wrong_it_is_refused_and_not_repeated(fake: Fake) -> None:
    wrong = "e2b_wrong_secret"
    backend = E2BBackend(fake.connection(api_key=wrong), cluster="ours", run="run-1")
    with pytest.raises(SandboxRefused, match="E2B_API_KEY") as refused:
        await backend.prove()
    shown = "".join(traceback.format_exception(refused.value)) + repr(backend.__dict__)
    assert wrong not in shown
    assert "bad key ..." in str(refused.value)


async def test_when_nobody_listens_nothing_runs_and_nothing_local_takes_its_place(
    fake: Fake, backend: E2BBackend
) -> None:
    dead = fake.connection(api_url="http://127.0.0.1:9", sandbox_url="http://127.0.0.1:9")
    refused = E2BBackend(dead, cluster="ours", run="run-1")
    with pytest.raises(IsolationUnavailable, match="cannot be reached"):
        await refused.prove()
    with pytest.raises(IsolationUnavailable):
        await refused.create("base", Limits())


@pytest.mark.parametrize("act", ["half", "drop", "nonsense"])
async def test_when_the_answer_is_broken_it_is_an_error_of_ours(
    fake: Fake, backend: E2BBackend, act: str
) -> None:
    fake.fail(CREATE, act)
    with pytest.raises(SandboxError, match="E2B: make a sandbox"):
        await backend.create("base", Limits())


async def test_when_the_answer_never_comes_what_was_made_is_ended(fake: Fake) -> None:
    backend = E2BBackend(fake.connection(request_timeout_s=SHORT_S), cluster="ours", run="run-1")
    await backend.prove()
    fake.fail(CREATE, "late")
    with pytest.raises(SandboxTimeout):
        await backend.create("base", Limits())
    assert len(fake.created) == 2
    assert fake.guests == {}


async def test_when_what_was_left_cannot_be_ended_the_error_says_so(fake: Fake) -> None:
    backend = E2BBackend(fake.connection(request_timeout_s=SHORT_S), cluster="ours", run="run-1")
    await backend.prove()
    fake.fail(CREATE, "late")
    fake.fail("GET /v2/sandboxes", 500, headers=ONCE)
    with pytest.raises(SandboxTimeout) as late:
        await backend.create("base", Limits())
    assert "could not be ended" in late.value.__notes__[0]


@pytest.mark.parametrize("internet", [True, None])
async def test_when_the_internet_is_not_off_the_sandbox_is_ended(
    fake: Fake, backend: E2BBackend, internet: bool | None
) -> None:
    fake.internet = internet
    with pytest.raises(IsolationUnavailable, match="internet"):
        await backend.create("base", Limits())
    assert fake.guests == {}


async def test_when_the_environment_says_debug_sandboxes_are_ended_all_the_same(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library would make and end nothing, and say that all went well."""
    monkeypatch.setenv("E2B_DEBUG", "true")
    monkeypatch.setenv("E2B_API_URL", "http://127.0.0.1:9")
    backend = E2BBackend(fake.connection(), cluster="ours", run="run-1")
    await backend.prove()
    assert "POST /v2/sandboxes" in fake.requests
    assert "DELETE /sandboxes/s1" in fake.requests
    assert fake.guests == {}


async def test_when_the_template_is_unknown_it_is_refused(backend: E2BBackend) -> None:
    with pytest.raises(SandboxRefused, match="there are: agent, base"):
        await backend.create("none", Limits())


async def test_a_paused_sandbox_is_woken_by_connecting(fake: Fake, backend: E2BBackend) -> None:
    sandbox = await backend.create("base", Limits(), {"owner": "ann"})
    await sandbox.write_files({"kept.txt": b"still here"})
    await sandbox.pause()
    assert fake.guests[sandbox.id].state == "paused"
    with pytest.raises(SandboxGone):
        await sandbox.read_file("kept.txt")
    again = await backend.connect(sandbox.id, Limits())
    assert fake.guests[again.id].state == "running"
    assert await again.read_file("kept.txt") == b"still here"
    assert again.labels.owner == "ann"


async def test_when_there_is_nothing_to_connect_to_it_is_gone(backend: E2BBackend) -> None:
    with pytest.raises(SandboxGone):
        await backend.connect("s99", Limits())


async def test_a_sandbox_of_another_cluster_is_not_touched(fake: Fake, backend: E2BBackend) -> None:
    other = E2BBackend(fake.connection(), cluster="theirs", run="run-9")
    await other.prove()
    theirs = await other.create("base", Limits())
    with pytest.raises(SandboxRefused, match="does not belong"):
        await backend.connect(theirs.id, Limits())
    assert theirs.id in fake.guests


async def test_the_key_never_reaches_a_sandbox(fake: Fake, backend: E2BBackend) -> None:
    sandbox = await backend.create("base", Limits(call_timeout_s=20.0), {"owner": "ann"})
    ended = await sandbox.command("env")
    assert KEY not in json.dumps(fake.created) + ended.stdout
    assert "OMP_NUM_THREADS=1" in ended.stdout
