"""Many candidates at once: on Ray where one is connected, else in processes of this machine."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from typing import Any

from tune.agents.candidate import Candidate
from tune.agents.examination import Bench, Examined, examine
from tune.threads import use_one_thread


def examine_all(
    candidates: Sequence[Candidate],
    bench: Bench,
    *,
    processes: int = 1,
    ray: Any = None,
    on_examined: Callable[[int, str], None] = lambda *_: None,
) -> list[Examined]:
    """Examine every candidate; the order is that of the candidates.

    Parameters
    ----------
    bench : Bench
        It travels to other processes: its `open_worker` must be importable there.
    processes : int
        Without Ray; 1 is this one.
    ray : module or None
        A Ray that is connected.

    Raises
    ------
    SandboxError, DataError, UsageError
        As `examine`.
    """
    found: dict[str, Examined] = {}
    for done, examined in enumerate(_each(candidates, bench, processes, ray), 1):
        found[examined.candidate.name] = examined
        on_examined(done, examined.candidate.name)
    return [found[each.name] for each in candidates]


def _each(
    candidates: Sequence[Candidate], bench: Bench, processes: int, ray: Any
) -> Iterator[Examined]:
    if ray is not None:
        yield from _on_ray(candidates, bench, ray)
    elif processes <= 1 or len(candidates) <= 1:
        yield from map(partial(_alone, bench), candidates)
    else:
        yield from _in_processes(candidates, bench, processes)


def _alone(bench: Bench, candidate: Candidate) -> Examined:
    use_one_thread()
    return examine(candidate, bench)


def _in_processes(
    candidates: Sequence[Candidate], bench: Bench, processes: int
) -> Iterator[Examined]:
    """New processes, not forked: a supervisor of sandboxes has a thread, which a fork would lose."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(candidates)), mp_context=context) as pool:
        waiting = [pool.submit(_alone, bench, candidate) for candidate in candidates]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _on_ray(candidates: Sequence[Candidate], bench: Bench, ray: Any) -> Iterator[Examined]:
    shared = ray.put(bench)
    task = ray.remote(num_cpus=1, max_retries=1)(_alone)
    running = [task.remote(shared, candidate) for candidate in candidates]
    try:
        while running:
            (done,), running = ray.wait(running, num_returns=1)
            yield ray.get(done)
    finally:
        for each in running:
            ray.cancel(each)
