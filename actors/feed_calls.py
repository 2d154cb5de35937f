"""One question to a market data connection from start to outcome: exactly one `Outcome` comes of it."""

import asyncio
from collections.abc import Callable

from trading.effects import AskFeed, FetchBars, FetchBook, SubscribeFeed
from trading.errors import VenueError, VenueRefused
from trading.outcomes import BarsFetched, BookFetched, FeedAskFailed, FeedSubscribed, Outcome
from trading.ports import MarketDataPort


async def ask_feed(port: MarketDataPort, ask: AskFeed, now: Callable[[], int]) -> Outcome:
    """Perform `ask` on `port` and say what became of it.

    Parameters
    ----------
    now : function
        The host's clock (ns UTC).

    Raises
    ------
    asyncio.CancelledError
        If the task itself is cancelled; nothing else is raised.
    """
    timeout_s = ask.timeout_ns / 1e9
    try:
        async with asyncio.timeout(timeout_s):
            return await _answer(port, ask.body, now)
    except TimeoutError:
        return ask_failed(ask, f"no answer within {timeout_s:g} s", now())
    except VenueRefused as error:
        return ask_failed(ask, str(error), now(), is_final=True)
    except VenueError as error:
        return ask_failed(ask, str(error), now())
    except Exception as error:  # an adapter is a guest: whatever it raises stays here
        return ask_failed(ask, f"{type(error).__name__}: {error}", now())


def ask_failed(ask: AskFeed, reason: str, now: int, *, is_final: bool = False) -> FeedAskFailed:
    """Return the outcome of a question without a usable answer."""
    body = ask.body
    start, end = (body.start, body.end) if isinstance(body, FetchBars) else (0, 0)
    return FeedAskFailed(
        ts_event=now,
        ts_init=now,
        question=type(body).__name__,
        reason=reason,
        is_final=is_final,
        instrument_id=None if isinstance(body, SubscribeFeed) else body.instrument_id,
        start=start,
        end=end,
    )


async def _answer(
    port: MarketDataPort, body: SubscribeFeed | FetchBars | FetchBook, now: Callable[[], int]
) -> Outcome:
    match body:
        case SubscribeFeed(subscriptions):
            await port.subscribe(subscriptions)
            return FeedSubscribed(ts_event=now(), ts_init=now())
        case FetchBars(key, interval_ns, start, end):
            bars = await port.bars(key, interval_ns, start, end)
            return BarsFetched(
                ts_event=now(), ts_init=now(), instrument_id=key, start=start, end=end, bars=bars
            )
        case FetchBook(key):
            snapshot = await port.book(key)
            return BookFetched(ts_event=now(), ts_init=now(), snapshot=snapshot)
