"""The pools of sandboxes of a cluster: started with it, ended with it."""

from functools import partial

from cluster.client import namespace_of
from cluster.config import Config
from cluster.config.sandbox import pool_settings
from cluster.sandboxes import choice_of, open_backend
from sandboxes.pool.actor import start_pools


def start_sandbox_pools(config: Config) -> None:
    """Start a pool on every node that offers places; this process has joined Ray.

    Raises
    ------
    SandboxRefused
        If no node offers places, or the backend is not there.
    """
    sandbox = config.sandbox
    settings = pool_settings(sandbox, namespace_of(config), config.cluster.sandbox_dir)
    choice = choice_of(config)
    start_pools(settings, partial(open_backend, choice), detached=True)
