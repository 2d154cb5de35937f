"""What the workers of one training share, without Ray: shares, seeds, losses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import distributed as dist

from trading.errors import ClusterUnreachable, ModelCorrupt, UsageError
from tune.train.data_parallel import SharedLearner, _draw_apart, run_shared
from tune.train.distributed import Workers, fit_distributed
from tune.train.fit import Checkpoint, fit
from tune.train.learner import make_learner
from tune.train.network import ScaledNetwork
from tune.train.plan import TrainingPlan, plan_of
from tune.train.weights import decode_weights, encode_weights
from tune.train.windows import Windows

SMALL = {"mlp_units": [[8, 8], [8, 8]]}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(before)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[None]:
    """A process group of this process."""
    dist.init_process_group(
        "gloo", store=dist.FileStore(str(tmp_path / "group"), 1), rank=0, world_size=1
    )
    yield
    dist.destroy_process_group()


def plan_with(**settings: Any) -> TrainingPlan:
    facts = {"horizon": 3, "input_size": 32, "max_steps": 12, "check_every": 4, "batch_size": 12}
    return plan_of("nhits", **{**facts, "warmup_steps": 0, "network": SMALL, **settings})


def windows(count: int, seed: int = 0) -> Windows:
    random = np.random.default_rng(seed)
    path = np.cumsum(random.normal(0.0, 0.01, (count, 35)), axis=1)
    return Windows(
        {"close": np.exp(path[:, :32])},
        path[:, 32:] - path[:, 31:32],
        np.arange(count),
        np.zeros(count, dtype=np.int64),
    )


def pretend(monkeypatch: pytest.MonkeyPatch, rank: int, of: int) -> None:
    monkeypatch.setattr(dist, "get_rank", lambda: rank)
    monkeypatch.setattr(dist, "get_world_size", lambda: of)


@pytest.mark.usefixtures("alone")
def test_one_worker_trains_what_a_training_without_workers_does(tmp_path: Path) -> None:
    plan, train, validation = plan_with(), windows(60), windows(20, 1)  # with dropout
    expected = fit(plan, train, validation, device="cpu")
    torch.manual_seed(plan.seed)
    told = []
    learner = make_learner(plan, train, validation, device="cpu")
    found = run_shared(learner, Checkpoint(tmp_path / "c.pt", "x"), told.append)
    assert [each.validation_loss for each in found.looks] == [
        each.validation_loss for each in expected.looks
    ]
    for name, weights in expected.network.state_dict().items():
        assert torch.equal(weights, found.network.state_dict()[name]), name
    assert [each.step for each in told if each.validation_loss is not None] == [0, 4, 8, 12]
    assert len({each.validation_loss for each in found.looks}) == 4


def test_workers_share_every_batch_without_a_window_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    train = windows(50)
    whole = make_learner(plan_with(), train, windows(5), device="cpu").batch()
    shares = []
    for rank in range(3):
        pretend(monkeypatch, rank, 3)
        parts = make_learner(plan_with(), train, windows(5), device="cpu")
        learner = SharedLearner(**{name: getattr(parts, name) for name in type(parts).__slots__})
        shares.append(learner.batch())
        assert len(shares[-1]) == 4
    together = torch.cat([share.outcomes for share in shares])
    assert sorted(together.flatten().tolist()) == sorted(whole.outcomes.flatten().tolist())


def test_workers_drop_out_apart_and_again_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {}
    for rank, step in ((0, 0), (1, 0), (2, 0), (1, 4), (1, 0)):
        pretend(monkeypatch, rank, 3)
        torch.manual_seed(1)
        _draw_apart(1, step)
        numbers = tuple(torch.rand(4).tolist())
        assert drawn.setdefault((rank, step), numbers) == numbers
    assert len(set(drawn.values())) == 4
    torch.manual_seed(1)
    assert drawn[0, 0] == tuple(torch.rand(4).tolist())  # the first goes on as it is


def test_when_work_cannot_be_shared_it_is_said() -> None:
    train = windows(20)
    with pytest.raises(UsageError, match="multiple"):
        fit_distributed(plan_with(batch_size=13), train, train, workers=Workers(count=2))
    with pytest.raises(UsageError, match="validation windows; use fewer"):
        fit_distributed(plan_with(), train, windows(1), workers=Workers(count=2))
    with pytest.raises(ValueError, match="at least 1"):
        Workers(count=0)


def test_without_ray_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(ClusterUnreachable, match="connect to a cluster"):
        fit_distributed(plan_with(), windows(20), windows(20), workers=Workers())


def test_weights_are_read_as_they_were_written() -> None:
    weights = ScaledNetwork(plan_with()).state_dict()
    content = encode_weights(weights)
    read = decode_weights(content)
    assert set(read) == set(weights)
    assert all(torch.equal(read[name], each) for name, each in weights.items())
    ScaledNetwork(plan_with(seed=2)).load_state_dict(read)
    for damaged in (content[:40], b"", b"\x80\x04" + content):
        with pytest.raises(ModelCorrupt, match="cannot be read"):
            decode_weights(damaged)
