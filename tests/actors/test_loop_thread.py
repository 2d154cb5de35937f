"""A loop in a thread: what it runs, and that it ends whatever its work does."""

import asyncio
import logging
import threading
import time
from queue import SimpleQueue

import pytest

from actors import loop_thread
from actors.loop_thread import LoopThread

LIMIT_S = 60.0
NAME = "tested things"


@pytest.fixture
def patient(monkeypatch):
    """No loop counts as blocked that is only late on a busy machine."""
    monkeypatch.setattr(loop_thread, "_BLOCKED_S", LIMIT_S)


@pytest.fixture
def thread(patient):
    found = LoopThread(NAME, close_timeout_s=0.2)
    found.start()
    yield found
    found.close({})


def is_alive():
    return any(each.name == NAME for each in threading.enumerate())


def closer(closed, name):
    async def close():
        closed.append(name)

    return close


def test_work_runs_in_the_thread_of_that_name(thread):
    heard = SimpleQueue()

    async def work():
        heard.put(threading.current_thread().name)

    thread.spawn(work())
    thread.call_soon(lambda: heard.put(threading.current_thread().name))
    assert [heard.get(timeout=LIMIT_S) for _ in range(2)] == [NAME, NAME]


def test_before_the_start_and_after_the_end_there_is_nothing_to_close(patient):
    thread = LoopThread(NAME, close_timeout_s=0.2)
    thread.close({})
    assert not thread.is_running
    thread.start()
    assert thread.is_running
    thread.close({})
    closed = []
    thread.close({"a": closer(closed, "a")})
    assert not closed
    assert not thread.is_running
    assert not is_alive()


def test_when_work_fails_it_is_logged_and_the_rest_goes_on(thread, caplog):
    heard = SimpleQueue()

    async def fail():
        raise RuntimeError("no such thing")

    async def work():
        heard.put("done")

    thread.spawn(fail())
    thread.spawn(work())
    heard.get(timeout=LIMIT_S)
    thread.close({})
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "no such thing" in str(record.exc_info)


def test_at_the_end_work_is_cut_short_and_what_must_finish_is_waited_for(thread):
    begun, is_ending, done = SimpleQueue(), asyncio.Event(), []

    async def endless():
        begun.put(True)
        try:
            await asyncio.Event().wait()
        finally:
            done.append("cut short")
            is_ending.set()

    async def report():
        begun.put(True)
        await is_ending.wait()
        done.append("finished")

    thread.spawn(endless())
    thread.spawn(report(), must_finish=True)
    for _ in range(2):
        begun.get(timeout=LIMIT_S)
    thread.close({"a": closer(done, "closed")})
    assert done == ["cut short", "finished", "closed"]


def test_when_one_thing_is_slow_to_close_it_is_logged_and_the_others_are_closed(thread, caplog):
    async def stuck():
        await asyncio.Event().wait()

    async def broken():
        raise OSError("it is gone")

    closed = []
    thread.close({"a": stuck, "b": broken, "c": closer(closed, "c")})
    assert closed == ["c"]
    said = sorted(record.getMessage() for record in caplog.records)
    assert said == ["a: not closed within 0.2 s", "b: not closed: it is gone"]
    assert not is_alive()


def test_when_the_loop_is_blocked_closing_leaves_it_behind(caplog):
    thread, end, begun = LoopThread(NAME, close_timeout_s=0.1), threading.Event(), SimpleQueue()
    thread.start()

    def block():
        begun.put(True)
        end.wait()

    thread.call_soon(block)
    begun.get(timeout=LIMIT_S)
    thread.close({})
    assert "blocked" in caplog.text
    assert is_alive()
    end.set()
    until = time.monotonic() + LIMIT_S
    while is_alive():
        assert time.monotonic() < until
        time.sleep(0.001)
    loop = thread._loop
    loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop)))
    loop.close()
