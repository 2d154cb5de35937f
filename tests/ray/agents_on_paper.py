"""Strategies of agents that stand on paper, for clusters of tests."""

import hashlib
import json
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from actors.journal.open import open_journal
from cluster.agent_ladder import AgentLadder
from cluster.config import Config, load_config
from cluster.config.secret import cluster_secret
from tests.sandboxes.local.home import HOME
from tests.trading.ladder.story import SUBMITTED, moved
from trading.ladder.signatures import ladder_key
from trading.ladder.standing import Standing

SYMBOLS = 4
ROOMY = {
    "max_open_positions": 20,
    "max_trades_per_day": 10_000,
    "max_consecutive_losses": 1_000,
    "max_total_exposure": 500_000,
    "stop_loss_ratio": "off",
    "trailing_stop_ratio": "off",
}
"""Limits of risk that keep nobody out and place no stops: every order is one that a strategy wanted."""

UNHURRIED = {"call_timeout_s": 5.0}
"""[sandbox]: a machine that stalls for a moment kills nobody."""


def cluster_section(folder: Path) -> dict[str, Any]:
    """Return [cluster] with a ladder and a secret that are there before the cluster is."""
    return {
        "ladder": f"sqlite://{folder / 'agents'}",
        "secret_file": str(folder / "secret"),
        "sandbox_dir": str(HOME),
    }


def ladder_in(folder: Path) -> AgentLadder:
    """Return the ladder that `cluster_section` names."""
    overrides = {"cluster": {"state_dir": str(folder), **cluster_section(folder)}}
    config: Config = load_config(None, overrides)
    return AgentLadder(open_journal(config.cluster.ladder), ladder_key(cluster_secret(config)))


def put_on_paper(folder: Path, name: str, source: str, **parameters: object) -> None:
    """Hand a source in under a name and let it up, without the stages: this is about what comes after."""
    sha256 = hashlib.sha256(source.encode()).hexdigest()
    submitted = replace(
        SUBMITTED,
        agent=name,
        source=source,
        source_sha256=sha256,
        parameters=json.dumps(parameters),
    )
    up = replace(moved(Standing.PAPER), agent=name, source_sha256=sha256)
    with ladder_in(folder) as ladder:
        ladder.append(name, lambda *_: [submitted, up])


def settled(cluster: Any) -> Any:
    """Return the end of a replay: books that agree, and every strategy at the last bar; the last fills may be late."""

    def is_settled(snapshot: Any) -> bool:
        views = [view for name, view in snapshot.machines.items() if name.startswith("strategy:")]
        is_done = all(view["decided"] == snapshot.last for view in views)
        return bool(snapshot.finished and snapshot.check and snapshot.check.is_clean and is_done)

    return cluster.wait(is_settled, "books that agree behind the last bar")
