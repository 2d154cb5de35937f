"""A cluster in this process, without Ray: its plan is a real one, its machines share one host."""

import time
from collections.abc import Callable
from typing import Any

from actors.assignment import Assignment
from actors.host import Host
from cluster.config import Config, cluster_secret
from cluster.topology import ClusterPlan
from cluster.venue_access import VenueAccess


class OneHost:
    """All machines of a plan in one host, in this process."""

    def __init__(self, config: Config, access: VenueAccess, plan: ClusterPlan) -> None:
        cluster_secret(config)
        access.withhold()
        access.write()
        self.plan = plan
        self.host = Host()
        machines = tuple(plan.blueprint.machines())
        assignment = Assignment(
            name="all", machines=machines, incarnation=time.time_ns(), restarts=0,
            blueprint=plan.blueprint, surroundings=plan.surroundings,
        )  # fmt: skip
        address = self.host.assign(assignment)
        self.host.set_routes(dict.fromkeys(machines, address))
        self.host.go()

    def views(self) -> Any:
        return self.host.describe().views

    def wait(self, condition: Callable[[Any], Any], what: str) -> Any:
        deadline = time.monotonic() + 60
        while True:
            views = self.views()
            if condition(views):
                return views
            assert time.monotonic() < deadline, f"waited for {what}: {views}"
            time.sleep(0.05)
