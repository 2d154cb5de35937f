"""What goes wrong in one simulated run: everything follows from the seed."""

from dataclasses import dataclass, field

import numpy as np

US, MS = 1_000, 1_000_000

DELAYS_NS: dict[str, tuple[int, int]] = {
    "wake": (0, 500 * US),
    "command": (50 * US, 3 * MS),
    "publish": (50 * US, 2 * MS),
    "fact": (50 * US, 20 * MS),
    "venue": (200 * US, 40 * MS),
    "report": (200 * US, 80 * MS),
    "model": (1 * MS, 150 * MS),
}
"""Least and greatest transit time of each kind of message."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How likely each misfortune is. Probabilities are per occasion."""

    name: str
    lost: dict[str, float] = field(default_factory=dict)
    repeated_reports: float = 0.0
    crashes: dict[str, float] = field(default_factory=dict)
    """Point (`receive`, `effect`, `before_append`, `after_append`) -> probability."""
    crash_kinds: tuple[str, ...] = ()
    """Kinds of machines whose hosts may die; empty: all."""
    disk_full: bool = False
    bad_ticks: bool = False
    forged_permits: bool = False
    kill_switch: bool = False
    bad_gateway: bool = False


PROFILES = (
    Profile(
        "broker dies around its journal",
        crashes={"before_append": 0.02, "after_append": 0.02, "effect": 0.01},
        crash_kinds=("broker",),
    ),
    Profile(
        "broker dies with messages in hand",
        crashes={"receive": 0.01, "effect": 0.01},
        crash_kinds=("broker",),
    ),
    Profile("venue answers get lost", lost={"reply": 0.2, "venue": 0.1, "report": 0.1}),
    Profile("fills repeat and overtake", repeated_reports=0.5, lost={"report": 0.05}),
    Profile("bad gateway", bad_gateway=True),
    Profile("risk dies", crashes={"receive": 0.01, "effect": 0.01}, crash_kinds=("risk",)),
    Profile("forged permits", forged_permits=True, lost={"fact": 0.1}),
    Profile("kill switch", kill_switch=True, crashes={"receive": 0.002}),
    Profile("bad ticks", bad_ticks=True, lost={"publish": 0.02}),
    Profile("disk full", disk_full=True),
    Profile(
        "exchange dies",
        crashes={"receive": 0.005, "effect": 0.002, "after_append": 0.005},
        crash_kinds=("exchange",),
    ),
    Profile(
        "anyone dies",
        crashes={"receive": 0.003, "effect": 0.001, "before_append": 0.003, "after_append": 0.003},
    ),
    Profile(
        "everything at once",
        lost={"reply": 0.05, "venue": 0.03, "report": 0.05, "publish": 0.01, "fact": 0.1},
        repeated_reports=0.2,
        crashes={"receive": 0.002, "effect": 0.001, "before_append": 0.002, "after_append": 0.002},
        disk_full=True,
        bad_ticks=True,
        forged_permits=True,
    ),
)
"""Faults 1 to 9, 16, 18, 19 and 23 of the reliability rules, alone and together."""

FORECAST_PROFILES = (
    Profile("model is late"),
    Profile("model fails and hangs", lost={"model": 0.2, "answer": 0.3}),
    Profile(
        "model is killed",
        crashes={"receive": 0.03, "effect": 0.03},
        crash_kinds=("forecast",),
    ),
    Profile(
        "model, strategies and journal in trouble",
        lost={"model": 0.1, "answer": 0.1, "fact": 0.1, "publish": 0.02},
        crashes={"receive": 0.01, "effect": 0.005, "before_append": 0.005, "after_append": 0.005},
        crash_kinds=("forecast", "strategy"),
        disk_full=True,
    ),
)
"""What happens to a source of forecasts. A lost `model` never answers, a lost `answer` is an error."""


class SeededFaults:
    """`actors.local_bus.Faults` drawn from a generator, bounded in number so that every run ends.

    Parameters
    ----------
    kinds : mapping of host name to the kinds of machines in it
    crashes_max : int
        After so many deaths no more follow.
    """

    def __init__(
        self, profile: Profile, seed: int, kinds: dict[str, tuple[str, ...]], crashes_max: int = 12
    ) -> None:
        self.profile = profile
        self.is_calm = False
        self.crash_count = 0
        self.story: list[str] = []
        self._kinds = kinds
        self._crashes_max = crashes_max
        self._random = np.random.default_rng([seed, 1])

    def delay_ns(self, kind: str) -> int:
        low, high = DELAYS_NS[kind]
        return low + int(self._random.random() ** 3 * (high - low))  # mostly fast, sometimes slow

    def is_lost(self, kind: str) -> bool:
        return not self.is_calm and self._random.random() < self.profile.lost.get(kind, 0.0)

    def copies(self, kind: str) -> int:
        if kind != "report" or self.is_calm:
            return 1
        if self._random.random() >= self.profile.repeated_reports:
            return 1
        return int(self._random.integers(2, 6))

    def crashes(self, host: str, point: str) -> bool:
        probability = self.profile.crashes.get(point, 0.0)
        if self.is_calm or not probability or self.crash_count >= self._crashes_max:
            return False
        allowed = self.profile.crash_kinds
        if allowed and not set(allowed) & set(self._kinds[host]):
            return False
        if self._random.random() >= probability:
            return False
        self.crash_count += 1
        self.story.append(f"{host} dies at {point}")
        return True

    def restart_ns(self, host: str) -> int:
        del host
        return int(self._random.integers(20 * MS, 1_500 * MS))
