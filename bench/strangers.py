"""A cluster with and without strategies of agents that turn hostile, as the others see it."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from actors.journal.open import open_journal
from bench.measured_rows import row, with_ratios
from cluster import launch
from cluster.agent_ladder import open_ladder
from cluster.config import Config, load_config
from sandboxes.attacks.hostile import TURNCOAT
from trading.codec import decode
from trading.events import AgentMoved, AgentSubmitted, OrderSubmitted
from trading.ladder.standing import MoveCode, Standing

DAYS, PACE, GOOD_BARS = 250, 12.0, 60
ORDINARY = {"momentum": 0.1, "mean_reversion": 0.25, "pairs": 0.25, "neural_trend": 0.2}
STRANGERS = {"glutton": "resources", "forger": "garbage"}


def settings(folder: Path, name: str, places: int = 0) -> dict[str, Any]:
    return {
        "cluster": {"name": name, "state_dir": str(folder / name), "dashboard": False},
        "data": {
            "days": DAYS,
            "pace_slices_per_s": PACE,
            "symbols": ["AAPL", "KO", "MSFT", "XOM"],
        },
        "risk": {"max_trades_per_day": 10_000, "max_consecutive_losses": 1_000},
        "strategies": {each: {"capital": share} for each, share in ORDINARY.items()},
        "sandbox": {"places": places},
    }


def let_up(config: Config, name: str, how: str) -> None:
    """Put a strategy on paper without the stages, which are not what is measured."""
    sha256 = hashlib.sha256(TURNCOAT.encode()).hexdigest()
    about: dict[str, Any] = {"agent": name, "number": 0, "actor": "bench", "source_sha256": sha256}
    submitted = AgentSubmitted(
        **about,
        source=TURNCOAT,
        template="base",
        lookback=2,
        parameters=json.dumps({"after": GOOD_BARS, "how": how}),
    )
    up = AgentMoved(**about, standing=Standing.PAPER, code=MoveCode.PROMOTED, reason="measured")
    with open_ladder(config) as ladder:
        ladder.append(name, lambda *_: [submitted, up])


def tick_to_order_ns(config: Config) -> list[float]:
    journal = open_journal(config.cluster.journal)
    try:
        facts = [
            decode(each.payload)
            for stream in journal.streams()
            if stream.startswith("account:")
            for each in journal.read(stream)
        ]
    finally:
        journal.close()
    own = [
        each for each in facts if isinstance(each, OrderSubmitted) and each.strategy_id in ORDINARY
    ]
    return [float(each.ts_init - each.order.ts_signal) for each in own]


def traded(ray: Any, config: Config) -> list[float]:
    """Run a cluster to the end of its replay."""
    view = launch.start(config, ray=ray)
    try:
        while not view.snapshot().finished:
            time.sleep(0.25)
    finally:
        view.stop()
    return tick_to_order_ns(config)


def beside_strangers(ray: Any, folder: Path) -> list[dict[str, object]]:
    what = "tick to order of four strategies"
    calm = traded(ray, load_config(None, settings(folder, "calm")))
    told = settings(folder, "visited")
    told["strategies"] |= {name: {"kind": "agent", "capital": 0.1} for name in STRANGERS}
    config = load_config(None, told)
    for name, how in STRANGERS.items():
        let_up(config, name, how)
    visited = traded(ray, config)
    return with_ratios(
        [
            row(what, "alone", calm, f"{len(calm)} orders"),
            row(what, "beside two hostile ones", visited, f"{len(visited)} orders"),
        ]
    )
