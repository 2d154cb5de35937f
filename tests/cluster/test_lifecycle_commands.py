"""`trader up` and `trader down`."""

from typing import Any

import pytest

from cluster import ray_runtime


def test_when_up_a_detached_cluster_starts(trader: Any, started: Any) -> None:
    ended = trader("up")
    assert (ended.status, started.is_detached) == (0, True)
    assert "| lane" in ended.out
    assert trader("up", "--json").json["actors"][0]["pid"] == 42


def test_when_down_cluster_and_ray_are_stopped(trader: Any, cluster: Any) -> None:
    assert trader("down").out == "Cluster 'demo' is down.\n"
    assert cluster.is_stopped
    assert trader("down", "--json").json == {"cluster": "demo", "stopped": True, "processes": 4}


def test_when_ray_is_elsewhere_down_leaves_it_running(
    trader: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_runtime, "stop_head", lambda _: pytest.fail("not ours"))
    assert trader("down", "--address", "ray://host:10001").status == 0


def test_when_nothing_runs_down_says_so(
    trader: Any, no_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trader("down").status == 8
    monkeypatch.setattr(ray_runtime, "stop_head", lambda _: 3)
    ended = trader("down")
    assert ended.status == 0
    assert "3 Ray processes" in ended.out
