"""The sandbox pools of a cluster, asked for what they do now."""

from collections.abc import Mapping

from serve.desk.answers import Answer
from trading.errors import ClusterUnreachable

CALL_TIMEOUT_S = 5.0


class PoolStanding(Answer):
    """The pool of one node.

    Attributes
    ----------
    places, held, warm, waiting : int
        Sandboxes at most, in use, ready to be used; requests in the queue.
    holders : mapping of owner to int
        Who uses how many.
    """

    name: str
    pid: int
    places: int
    held: int
    warm: int
    waiting: int
    holders: Mapping[str, int]


def pools_of(cluster: str) -> list[PoolStanding]:
    """Return what the pools of a cluster say; none where this process has not joined Ray: pools live there alone.

    Raises
    ------
    ClusterUnreachable
        If a pool does not answer.
    """
    import ray

    if not ray.is_initialized():
        return []
    from sandboxes.pool.actor import find_pools

    actors = find_pools(f"trader-{cluster}").actors
    pending = {name: actor.describe.remote() for name, actor in actors.items()}
    try:
        told = {name: ray.get(ref, timeout=CALL_TIMEOUT_S) for name, ref in pending.items()}
    except ray.exceptions.RayError as error:
        raise ClusterUnreachable(f"a sandbox pool does not answer: {error}") from error
    return [
        PoolStanding(
            name=name,
            pid=pid,
            places=state.places,
            held=state.held,
            warm=state.warm,
            waiting=state.waiting,
            holders=state.holders,
        )
        for name, (pid, state) in sorted(told.items())
    ]
