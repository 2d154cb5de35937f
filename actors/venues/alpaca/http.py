"""Requests to Alpaca: the library's blocking client in threads, with a deadline, a budget and one meaning per failure."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import numpy as np
import requests
from requests.adapters import HTTPAdapter

from actors.venues.alpaca.failures import Failure, failure_of
from actors.venues.backoff import reconnect_delays
from actors.venues.pacing import Pacing, Priority
from trading.errors import OutcomeUnknown, VenueUnreachable

_WINDOW_S = 60.5  # the venue counts per minute; the rest is for requests that overtake each other
LANE_THREADS = 4


def budget(requests_per_min: int) -> Pacing:
    """Return a budget of requests as the venue counts them."""
    return Pacing(requests_per_min, _WINDOW_S)


class DeadlineAdapter(HTTPAdapter):
    """Transport that gives up: neither `requests` nor the library sets any time-out."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        super().__init__(pool_connections=2, pool_maxsize=2 * LANE_THREADS, max_retries=0)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send with our time-out for connecting and for each read."""
        return super().send(request, **{**options, "timeout": self._timeout_s})


class RestChannel:
    """One REST client of the library, for one event loop.

    Orders and cancels have threads of their own, so that slow queries never hold them up. Nothing is ever sent
    twice. Once the venue has refused the credentials nothing is sent any more.

    Parameters
    ----------
    client : object
        A client of the library that returns raw data; it belongs to the channel from now on.
    pacing : Pacing
        The budget; channels that the venue counts together share one.
    on_auth_refused : function of a sentence
        Called once in the event loop, when the credentials are refused.
    now : function
        The host's clock (ns UTC).
    """

    def __init__(
        self,
        client: Any,
        *,
        pacing: Pacing,
        timeout_s: float,
        on_auth_refused: Callable[[str], None] | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._on_auth_refused = on_auth_refused
        self._now = now
        self._pacing = pacing
        self._pauses = reconnect_delays(np.random.default_rng())
        self._urgent = ThreadPoolExecutor(LANE_THREADS, "alpaca-orders")
        self._patient = ThreadPoolExecutor(LANE_THREADS, "alpaca-queries")
        self._refused = ""
        _prepare(client, timeout_s)

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        priority: Priority = Priority.QUERY,
    ) -> Any:
        return await self._call("GET", path, params, priority)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._call("POST", path, body, Priority.ORDER)

    async def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._call("PATCH", path, body, Priority.ORDER)

    async def delete(self, path: str) -> Any:
        return await self._call("DELETE", path, None, Priority.CANCEL)

    def refuse(self, reason: str) -> None:
        """Send nothing any more: the credentials were refused."""
        self._refused = reason

    def close(self) -> None:
        """Stop; requests that did not start are dropped, the others end by their deadline."""
        self._refused = self._refused or "the session is closed"
        for lane in (self._urgent, self._patient):
            lane.shutdown(wait=False, cancel_futures=True)
        self._client._session.close()

    async def _call(
        self, method: str, path: str, data: Mapping[str, Any] | None, priority: Priority
    ) -> Any:
        """Perform one request and return the parsed answer.

        Raises
        ------
        VenueUnreachable, VenueRefused, OutcomeUnknown
            As every call of a venue port.
        """
        await self._turn(priority)
        if self._refused:
            raise VenueUnreachable(f"{self._refused}; nothing was sent")
        lane = self._urgent if priority <= Priority.ORDER else self._patient
        work = asyncio.get_running_loop().run_in_executor(lane, self._send, method, path, data)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = (
                    await work
                )  # when it is cancelled before a thread took it, it is never sent
        except TimeoutError:
            raise OutcomeUnknown(f"no answer within {self._timeout_s:g} s") from None
        except Exception as error:
            self._raise(failure_of(error, self._now()))
        self._pauses = reconnect_delays(np.random.default_rng())
        return answer

    async def _turn(self, priority: Priority) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._pacing.turn(priority)
        except TimeoutError:
            raise VenueUnreachable(
                "the budget of requests is used up for now; nothing was sent"
            ) from None

    def _send(self, method: str, path: str, data: Mapping[str, Any] | None) -> Any:
        call = getattr(self._client, method.lower())
        return call(path, None if data is None else dict(data))

    def _raise(self, failure: Failure) -> None:
        if failure.is_rate_limit:
            pause_s = failure.pause_s
            self._pacing.pause(next(self._pauses) if pause_s is None else pause_s)
        if failure.is_auth and not self._refused:
            self.refuse(str(failure.error))
            if self._on_auth_refused is not None:
                self._on_auth_refused(self._refused)
        raise failure.error from None


def _prepare(client: Any, timeout_s: float) -> None:
    """Take from the library what must never happen to an order: repeats, waiting without end, cookies."""
    client._retry = 0
    client._retry_codes = []
    session: requests.Session = client._session
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, DeadlineAdapter(timeout_s))
