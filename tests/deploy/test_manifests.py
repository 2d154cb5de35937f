"""The deployment files pass the loaders that will read them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private import util as autoscaler

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cluster() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "ray-cluster.yaml").read_text())


def test_ray_cluster_yaml_passes_rays_schema_and_loader(cluster: dict[str, Any]) -> None:
    prepared = autoscaler.prepare_config(cluster)  # what `ray up` does with the file
    autoscaler.validate_config(prepared)
    assert prepared["head_node_type"] == "head"


def test_rays_schema_refuses_an_unknown_key(cluster: dict[str, Any]) -> None:
    cluster["max_wrokers"] = 3
    with pytest.raises(Exception, match="max_wrokers"):
        autoscaler.validate_config(cluster)


def test_every_ray_start_asks_for_the_token_and_keeps_the_dashboard_on_loopback(
    cluster: dict[str, Any],
) -> None:
    starts = [
        command
        for key in ("head_start_ray_commands", "worker_start_ray_commands")
        for command in cluster[key]
        if "ray start" in command
    ]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in command for command in starts)
    assert "--dashboard-host=127.0.0.1" in starts[0]
    assert "RAY_gcs_storage=rocksdb" in starts[0]


def test_node_types_cover_cpu_and_three_gpu_classes(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    gpus = {
        t["labels"]["neural-trader/gpu"]
        for t in types.values()
        if "neural-trader/gpu" in t["labels"]
    }
    assert gpus == {"A10G", "A100", "H100"}
    for name, node_type in types.items():
        assert node_type.get("min_workers", 0) <= node_type["max_workers"], name


def test_no_secret_is_written_in_the_manifests() -> None:
    text = (ROOT / "ray-cluster.yaml").read_text() + (ROOT / "docs/deploy/kuberay.yaml").read_text()
    assert "RAY_AUTH_TOKEN=" not in text
    assert "AKIA" not in text


def test_kuberay_manifest_has_token_auth_durable_gcs_and_a_synced_journal() -> None:
    documents = list(yaml.safe_load_all((ROOT / "docs/deploy/kuberay.yaml").read_text()))
    cluster = next(d for d in documents if d["kind"] == "RayCluster")
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    assert "redisAddress" in cluster["spec"]["gcsFaultToleranceOptions"]
    for group in cluster["spec"]["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    redis = next(d for d in documents if d["kind"] == "StatefulSet")
    args = redis["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args == ["--appendonly", "yes", "--appendfsync", "always"]
