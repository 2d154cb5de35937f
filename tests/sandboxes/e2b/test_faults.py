"""Every failure of the library, of the network and of E2B has a meaning."""

import asyncio

import e2b
import httpx
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from e2b import exceptions

from sandboxes.e2b.connection import Connection
from sandboxes.e2b.faults import MEANINGS, asking, kind_of
from sandboxes.errors import (
    SandboxBusy,
    SandboxCrashed,
    SandboxError,
    SandboxGone,
    SandboxRefused,
    SandboxTimeout,
)

NOT_OURS = {"Git", "Volume", "Secret"}
"""Parts of the library that are not used."""
CONNECTION = Connection(api_key="e2b_canary")


def test_every_error_of_the_library_is_mapped_on_purpose() -> None:
    known = tuple(kind for kind, _ in MEANINGS)
    raised = {
        name: each
        for name, each in vars(exceptions).items()
        if isinstance(each, type)
        and issubclass(each, Exception)
        and each.__module__ == exceptions.__name__
    }
    unmapped = {
        name
        for name, each in raised.items()
        if not issubclass(each, known) and not any(part in name for part in NOT_OURS)
    }
    assert unmapped == {"SandboxException"}, "that one is told by its status"


@pytest.mark.parametrize(
    ("raised", "meant"),
    [
        (e2b.AuthenticationException("x"), SandboxRefused),
        (exceptions.ServiceBusyException("x"), SandboxBusy),
        (e2b.RateLimitException("x"), SandboxBusy),
        (exceptions.SandboxNotRunningException("x"), SandboxGone),
        (exceptions.SandboxUnreachableException("x"), SandboxGone),
        (e2b.SandboxNotFoundException("x"), SandboxGone),
        (e2b.TimeoutException("x"), SandboxTimeout),
        (exceptions.GuestUnresponsiveException("x"), SandboxCrashed),
        (e2b.NotFoundException("x"), SandboxRefused),
        (e2b.BuildException("x"), SandboxRefused),
        (e2b.SandboxException("x", status_code=403), SandboxRefused),
        (e2b.SandboxException("x", status_code=500), SandboxBusy),
        (e2b.SandboxException("x"), SandboxError),
        (httpx.ConnectError("x"), SandboxBusy),
        (httpx.ReadTimeout("x"), SandboxTimeout),
        (httpx.RemoteProtocolError("x"), SandboxBusy),
        (ConnectError(Code.UNAVAILABLE, "x"), SandboxGone),
        (KeyError("sandboxID"), SandboxError),
    ],
)
def test_each_means_what_a_caller_can_act_on(raised: Exception, meant: type[SandboxError]) -> None:
    assert kind_of(raised)[0] is meant


@pytest.mark.asyncio
async def test_the_deadline_is_our_own() -> None:
    with pytest.raises(SandboxTimeout, match=r"E2B: wait: no answer within 0\.05 s"):
        async with asking("wait", CONNECTION, 0.05):
            await asyncio.Event().wait()


@pytest.mark.asyncio
async def test_a_task_that_is_cancelled_stays_cancelled() -> None:
    async def wait() -> None:
        async with asking("wait", CONNECTION, 60.0):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_key_shows_nowhere() -> None:
    assert "e2b_canary" not in repr(CONNECTION) + str(CONNECTION)


def test_without_a_key_the_connection_is_refused() -> None:
    with pytest.raises(SandboxRefused, match="E2B_API_KEY"):
        Connection(api_key="")


def test_the_key_does_not_travel_in_clear() -> None:
    with pytest.raises(SandboxRefused, match="https"):
        Connection(api_key="k", api_url="http://example.org")
