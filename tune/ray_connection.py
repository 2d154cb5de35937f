"""What runs on Ray needs a connection, and says so before it begins."""

from trading.errors import ClusterUnreachable


def require_ray(what: str) -> None:
    """Check that Ray is connected.

    Parameters
    ----------
    what : str
        Begins the sentence: "A search", "Training on several workers".

    Raises
    ------
    ClusterUnreachable
        If it is not.
    """
    import ray

    if not ray.is_initialized():
        raise ClusterUnreachable(f"{what} needs Ray: connect to a cluster first.")
