"""The configuration of a cluster that trades at the remote desk, or at two of them."""

from pathlib import Path
from typing import Any

from cluster.config import Config, load_config
from tests.cluster.remote_desk import SYMBOLS, DeskServer


def desk_sections(server: DeskServer, folder: Path, **sections: Any) -> dict[str, Any]:
    """Return the sections: bars of a second, and a strategy that trades on most of them."""
    return {
        "cluster": {"name": folder.name, "state_dir": str(folder)},
        "account": {"venue": "desk", "account_id": "ACC", "capital": 50_000},
        "venues": {
            "desk": {"adapter": "tests.cluster.remote_desk:REMOTE_DESK", "port": server.port}
        },
        "feed": {"symbols": list(SYMBOLS), "bar_interval": "1s", "max_silence_s": 5.0},
        "risk": {
            "max_shares": 5_000,
            "max_notional_per_position": 60_000,
            "max_total_exposure": 100_000,
            "max_loss_per_trade": 50_000,
            "max_daily_loss": 50_000,
            "max_consecutive_losses": 10_000,
            "max_trades_per_day": 10_000,
            "stop_loss_ratio": "off",
            "trailing_stop_ratio": "off",
        },
        "strategies": {
            "swing": {
                "kind": "mean_reversion",
                "capital": 1,
                "params": {"window_bars": 3, "entry_z": 0.6, "exit_z": 0.1, "hold_bars_max": 2},
            }
        },
        **sections,
    }


def desk_config(server: DeskServer, folder: Path, **sections: Any) -> Config:
    """Return the configuration; nothing else that is set on this machine counts."""
    (folder / "empty.toml").write_text("")
    return load_config(folder / "empty.toml", desk_sections(server, folder, **sections))


def two_desk_sections(
    east: DeskServer, west: DeskServer, folder: Path, **sections: Any
) -> dict[str, Any]:
    """Return the sections of a cluster without strategies whose desk trades at both."""
    adapter = "tests.cluster.remote_desk:REMOTE_DESK"
    two = {
        "account": {"venue": "east", "account_id": "E1", "capital": 50_000},
        "accounts": {
            "west": {
                "account_id": "W1",
                "capital": 40_000,
                "symbols": list(SYMBOLS),
                "taker_bps": 2,
            }
        },
        "venues": {
            "east": {"adapter": adapter, "port": east.port},
            "west": {"adapter": adapter, "port": west.port},
        },
        "execution": {"desk": "main", "strategies": ["manual"], "taker_bps": 1},
        "strategies": {},
    }
    return desk_sections(east, folder, **{**two, **sections})


def two_desk_config(east: DeskServer, west: DeskServer, folder: Path, **sections: Any) -> Config:
    """Return the configuration; nothing else that is set on this machine counts."""
    (folder / "empty.toml").write_text("")
    return load_config(folder / "empty.toml", two_desk_sections(east, west, folder, **sections))
