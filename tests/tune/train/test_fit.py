"""Training: the same again to the last bit, also after a kill; it stops in time, and it learns."""

import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from trading.errors import ModelCorrupt, ModelError, UsageError
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars
from tune.train.fit import Fitted, Progress, fit
from tune.train.learner import learning_rate_at, make_learner
from tune.train.plan import TrainingPlan, plan_of
from tune.train.splits import Split, split_windows

DAY = 86_400_000_000_000
NETWORK = {"mlp_units": [[16, 16]], "n_pool_kernel_size": [4, 2, 1]}
PLAN = plan_of(
    "nhits", horizon=2, input_size=16, max_steps=40, check_every=10, batch_size=32,
    warmup_steps=5, network=NETWORK,
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def bars_of(returns: np.ndarray) -> Bars:
    close = 100.0 * np.exp(np.cumsum(returns, axis=0))
    names = tuple(InstrumentId(f"I{column}.X") for column in range(close.shape[1]))
    return Bars.of_closes(DAY * np.arange(len(close)), names, close)


@pytest.fixture(scope="module")
def noise() -> Split:
    returns = np.random.default_rng(7).normal(0.0, 0.01, (300, 2))
    return split_windows(bars_of(returns), PLAN)


def fitted(plan: TrainingPlan, split: Split, **options: object) -> Fitted:
    return fit(plan, split.train, split.validation, device="cpu", **options)


def weights_of(found: Fitted) -> dict[str, np.ndarray]:
    return {name: each.numpy() for name, each in found.network.state_dict().items()}


def assert_same(one: Fitted, other: Fitted) -> None:
    mine, theirs = weights_of(one), weights_of(other)
    assert mine.keys() == theirs.keys()
    assert all((mine[name] == theirs[name]).all() for name in mine)
    assert str(one.looks) == str(other.looks)


@pytest.mark.parametrize("kind", ["nhits", "lstm"])
def test_same_plan_and_windows_give_the_same_weights(noise: Split, kind: str) -> None:
    network = NETWORK if kind == "nhits" else {"encoder_hidden_size": 8, "decoder_hidden_size": 8}
    plan = msgspec.structs.replace(PLAN, kind=kind, network=network, max_steps=20)
    torch.manual_seed(1)
    one = fitted(plan, noise)
    torch.manual_seed(2)
    assert_same(one, fitted(plan, noise))
    other = fitted(msgspec.structs.replace(plan, seed=2), noise)
    assert any((weights_of(one)[n] != weights_of(other)[n]).any() for n in weights_of(one))


def test_training_leaves_the_random_numbers_and_threads_of_torch_alone(noise: Split) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fitted(msgspec.structs.replace(PLAN, max_steps=3), noise, threads=2)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("killed_at", [1, 10, 17, 33])
def test_training_that_was_killed_goes_on_as_if_it_had_not_been(
    noise: Split, tmp_path: Path, killed_at: int
) -> None:
    def kill(progress: Progress) -> None:
        if progress.step >= killed_at:
            raise KeyboardInterrupt

    whole = fitted(PLAN, noise)
    with pytest.raises(KeyboardInterrupt):
        fitted(PLAN, noise, checkpoint=tmp_path / "nhits.pt", progress=kill)
    steps: list[int] = []
    resumed = fitted(
        PLAN, noise, checkpoint=tmp_path / "nhits.pt", progress=lambda p: steps.append(p.step)
    )
    assert_same(whole, resumed)
    assert steps[0] >= killed_at // 10 * 10


def test_checkpoint_of_another_training_is_refused(noise: Split, tmp_path: Path) -> None:
    plan = msgspec.structs.replace(PLAN, max_steps=10)
    fitted(plan, noise, checkpoint=tmp_path / "one.pt")
    with pytest.raises(UsageError, match="another plan or other data"):
        fitted(msgspec.structs.replace(plan, seed=4), noise, checkpoint=tmp_path / "one.pt")
    fewer = Split(noise.train.take(slice(0, 50)), noise.validation, noise.calibration, noise.test)
    with pytest.raises(UsageError, match="another plan or other data"):
        fitted(plan, fewer, checkpoint=tmp_path / "one.pt")


def test_damaged_checkpoint_is_refused(noise: Split, tmp_path: Path) -> None:
    (tmp_path / "one.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ModelCorrupt, match=r"one\.pt is no checkpoint"):
        fitted(PLAN, noise, checkpoint=tmp_path / "one.pt")


def test_training_stops_when_it_does_not_get_better_and_keeps_the_best(noise: Split) -> None:
    plan = msgspec.structs.replace(
        PLAN, max_steps=2000, check_every=20, patience=3, schedule="constant", learning_rate=0.01
    )
    found = fitted(plan, noise)
    losses = [look.validation_loss for look in found.looks]
    assert found.looks[-1].step < 2000
    assert found.best.validation_loss == min(losses)
    assert found.looks[-1].step - found.best.step == 3 * 20
    learner = make_learner(
        plan, noise.train, noise.validation, device="cpu", start_from=found.network.state_dict()
    )
    assert learner.validation_loss() == found.best.validation_loss


def test_fine_tuning_goes_on_from_the_weights(noise: Split) -> None:
    base = fitted(PLAN, noise)
    slower = msgspec.structs.replace(PLAN, learning_rate=1e-5, max_steps=10)
    tuned = fitted(slower, noise, start_from=base.network.state_dict())
    assert tuned.looks[0].validation_loss == base.best.validation_loss
    gap = max(np.abs(weights_of(base)[n] - weights_of(tuned)[n]).max() for n in weights_of(base))
    assert gap < 1e-3


def test_weights_of_another_architecture_are_refused(noise: Split) -> None:
    base = fitted(msgspec.structs.replace(PLAN, max_steps=1), noise)
    wider = msgspec.structs.replace(PLAN, network={**NETWORK, "mlp_units": [[32, 32]]})
    with pytest.raises(UsageError, match="another architecture"):
        fitted(wider, noise, start_from=base.network.state_dict())


def test_regularity_is_learned() -> None:
    """Each return takes back most of the one before: a linear network finds that, and a forecast of it."""
    random = np.random.default_rng(1)
    returns = np.zeros((600, 2))
    for row in range(1, 600):
        returns[row] = -0.9 * returns[row - 1] + random.normal(0.0, 0.01, 2)
    plan = plan_of(
        "linear", horizon=1, input_size=16, max_steps=300, check_every=50, warmup_steps=10
    )
    split = split_windows(bars_of(returns), plan)
    found = fitted(plan, split)
    close = torch.from_numpy(split.test.inputs["close"])
    with torch.no_grad():
        outputs, _ = found.network(close)
    past = np.diff(np.log(split.test.inputs["close"]), axis=1)[:, -1]
    median = outputs[:, 0, 4].numpy()
    assert np.corrcoef(median, -past)[0, 1] > 0.9
    assert found.best.validation_loss < 0.6 * found.looks[0].validation_loss


@pytest.mark.parametrize("options", [{"loss": "normal"}, {"loss": "student_t"},
                                     {"precision": "bf16-mixed"}, {"accumulate": 3},
                                     {"schedule": "linear"}])  # fmt: skip
def test_every_way_of_training_lowers_the_loss(noise: Split, options: dict) -> None:
    found = fitted(msgspec.structs.replace(PLAN, **options), noise)
    assert found.best.validation_loss < found.looks[0].validation_loss
    assert all(p.dtype == torch.float32 for p in found.network.parameters())


def test_gradients_of_small_batches_add_up_to_those_of_a_large_one(noise: Split) -> None:
    plan = msgspec.structs.replace(PLAN, network={**NETWORK, "dropout_prob_theta": 0.0})
    large = msgspec.structs.replace(plan, batch_size=96)
    small = msgspec.structs.replace(plan, accumulate=3)
    moved = []
    for each in (large, small):
        learner = make_learner(each, noise.train, noise.validation, device="cpu")
        loss = float(learner.step(0))
        moved.append((loss, learner.network.state_dict()))
    assert moved[0][0] == pytest.approx(moved[1][0], rel=1e-5)
    for name, weight in moved[0][1].items():
        # the first step of Adam is the sign of the gradient: equal but where that is near 0
        gap = (weight - moved[1][1][name]).abs().flatten()
        assert float((gap > 1e-6).float().mean()) < 0.02, name


def test_half_precision_without_a_gpu_is_refused(noise: Split) -> None:
    with pytest.raises(UsageError, match="needs a GPU"):
        fitted(msgspec.structs.replace(PLAN, precision="16-mixed"), noise)


def test_loss_that_is_no_number_ends_the_training(noise: Split) -> None:
    plan = msgspec.structs.replace(PLAN, loss="normal")
    network = make_learner(plan, noise.train, noise.validation, device="cpu").network
    broken = {name: torch.full_like(w, math.nan) for name, w in network.state_dict().items()}
    with pytest.raises(ModelError, match="lower learning_rate"):
        fitted(plan, noise, start_from=broken)


def test_progress_tells_how_far_it_is(noise: Split) -> None:
    told: list[Progress] = []
    fitted(PLAN, noise, progress=told.append)
    assert [each.step for each in told] == sorted(each.step for each in told)
    assert [each.step for each in told if each.validation_loss is not None] == [0, 10, 20, 30, 40]
    assert told[-1].eta_s == 0.0
    assert all(each.of == 40 for each in told)


@pytest.mark.parametrize(
    ("schedule", "at_half", "at_end"),
    [("cosine", 0.5, 0.0), ("linear", 0.5, 0.0), ("constant", 1.0, 1.0)],
)
def test_learning_rate_rises_and_then_follows_its_schedule(
    schedule: str, at_half: float, at_end: float
) -> None:
    plan = plan_of("linear", schedule=schedule, warmup_steps=10, max_steps=110, learning_rate=0.1)
    assert learning_rate_at(plan, 0) == pytest.approx(0.01)
    assert learning_rate_at(plan, 4) == pytest.approx(0.05)
    assert learning_rate_at(plan, 10) == pytest.approx(0.1)
    assert learning_rate_at(plan, 60) == pytest.approx(0.1 * at_half)
    assert learning_rate_at(plan, 110) == pytest.approx(0.1 * at_end, abs=1e-12)
