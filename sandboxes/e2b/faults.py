"""What each failure of the library, of the network and of E2B means to us."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from connectrpc.errors import ConnectError
from e2b import (
    AuthenticationException,
    BuildException,
    FileNotFoundException,
    InvalidArgumentException,
    NotEnoughSpaceException,
    NotFoundException,
    RateLimitException,
    SandboxException,
    SandboxNotFoundException,
    TemplateException,
    TimeoutException,
)
from e2b.exceptions import (
    GuestUnresponsiveException,
    SandboxNotRunningException,
    SandboxUnreachableException,
    ServiceBusyException,
)

from sandboxes.e2b.connection import Connection
from sandboxes.errors import (
    SandboxBusy,
    SandboxCrashed,
    SandboxError,
    SandboxGone,
    SandboxRefused,
    SandboxTimeout,
)

Meaning = tuple[type[SandboxError], str]

MEANINGS: tuple[tuple[type[Exception], Meaning], ...] = (
    (AuthenticationException, (SandboxRefused, "correct E2B_API_KEY")),
    (RateLimitException, (SandboxBusy, "too many requests; try again later")),
    (ServiceBusyException, (SandboxBusy, "the service has no free place; try again later")),
    (SandboxNotRunningException, (SandboxGone, "make a new sandbox")),
    (SandboxUnreachableException, (SandboxGone, "make a new sandbox")),
    (SandboxNotFoundException, (SandboxGone, "make a new sandbox")),
    (GuestUnresponsiveException, (SandboxCrashed, "connect to it with a reboot")),
    (TimeoutException, (SandboxTimeout, "allow it more time, or try again")),
    (FileNotFoundException, (SandboxError, "no such file")),
    (NotFoundException, (SandboxRefused, "name what exists")),
    (InvalidArgumentException, (SandboxRefused, "correct the call")),
    (TemplateException, (SandboxRefused, "build the template again")),
    (BuildException, (SandboxRefused, "correct the template")),
    (NotEnoughSpaceException, (SandboxError, "its disk is full")),
    (httpx.TimeoutException, (SandboxTimeout, "allow it more time, or try again")),
    (httpx.ConnectError, (SandboxBusy, "it cannot be reached and nothing was sent; try again")),
    (httpx.TransportError, (SandboxBusy, "the connection broke; try again")),
    (ConnectError, (SandboxGone, "the connection to it broke; make a new sandbox")),
)
"""The first that fits counts. Several are no `SandboxException`, and the last ones are not the library's own."""

SAID_MAX_CHARS = 300


@asynccontextmanager
async def asking(what: str, connection: Connection, timeout_s: float | None) -> AsyncIterator[None]:
    """Let the library talk for `timeout_s` (None: without end); whatever goes wrong comes out as a `SandboxError`.

    The deadline is our own: some of the library's come at twice their time, some never.
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except SandboxError:
        raise
    except TimeoutError as error:
        raise SandboxTimeout(f"E2B: {what}: no answer within {timeout_s} s") from error
    except Exception as error:
        told = str(error)
        # A service that repeats the key in its complaint must not get it into a log.
        cause = None if connection.api_key in told else error
        raise meaning_of(error, what, told.replace(connection.api_key, "...")) from cause


def meaning_of(error: Exception, what: str, told: str) -> SandboxError:
    """Return what a failure means; `told` is its text, made safe."""
    kind, advice = kind_of(error)
    said = " ".join(told.split())[:SAID_MAX_CHARS] or type(error).__name__
    return kind(f"E2B: {what}: {said} ({advice})")


def kind_of(error: Exception) -> Meaning:
    for failure, meaning in MEANINGS:
        if isinstance(error, failure):
            return meaning
    if isinstance(error, SandboxException) and error.status_code is not None:
        if error.status_code >= 500:
            return SandboxBusy, "the service failed; try again later"
        return SandboxRefused, "correct the call, or the rights of the key"
    return SandboxError, f"an answer that cannot be understood: {type(error).__name__}"
