"""The network around the network: scale-free, causal, sorted; and N-HiTS as it was published."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from neuralforecast.losses.pytorch import MQLoss
from neuralforecast.models import NHITS

from trading.forecasting.prediction import LEVELS, Prediction
from tune.train.kinds import KINDS
from tune.train.network import ForecastNetwork, ScaledNetwork
from tune.train.plan import TrainingPlan, plan_of

SMALL: dict[str, dict] = {
    "nhits": {"mlp_units": [[16, 16]], "n_pool_kernel_size": [4, 2, 1]},
    "lstm": {"encoder_hidden_size": 8, "decoder_hidden_size": 8},
    "patchtst": {"hidden_size": 8, "n_heads": 2, "linear_hidden_size": 16, "encoder_layers": 1},
    "transformer": {"hidden_size": 8, "n_head": 2, "conv_hidden_size": 8, "encoder_layers": 1},
    "tft": {"hidden_size": 8, "n_head": 2},
    "linear": {},
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small_plan(kind: str, **settings: object) -> TrainingPlan:
    return plan_of(kind, **{"horizon": 3, "input_size": 24, "network": SMALL[kind], **settings})


def closes(windows: int = 5, bars: int = 24, seed: int = 0) -> np.ndarray:
    returns = np.random.default_rng(seed).normal(0.0, 0.02, (windows, bars))
    return 100.0 * np.exp(np.cumsum(returns, axis=1))


def forecast(network: ScaledNetwork, close: np.ndarray, **features: np.ndarray) -> Prediction:
    given = {name: torch.from_numpy(each) for name, each in features.items()}
    with torch.no_grad():
        answer = ForecastNetwork(network).eval()(torch.from_numpy(close), **given)
    return Prediction(*(each.numpy() for each in answer))


@pytest.mark.parametrize("target", ["return", "log_price"])
@pytest.mark.parametrize("kind", KINDS)
def test_forecast_is_a_prediction_whatever_the_price_is_counted_in(kind: str, target: str) -> None:
    network = ScaledNetwork(small_plan(kind, target=target))
    dollars = forecast(network, closes())
    cents = forecast(network, 100.0 * closes())
    dollars.check(kind)
    assert dollars.log_returns.shape == (5, 3, len(LEVELS))
    assert cents.log_returns == pytest.approx(dollars.log_returns, abs=1e-7)
    returns = np.diff(np.log(closes()), axis=1)
    assert dollars.scale == pytest.approx(np.sqrt((returns**2).mean(axis=1)), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_twice_the_volatility_is_twice_the_forecast(kind: str) -> None:
    network = ScaledNetwork(small_plan(kind))
    calm = forecast(network, closes())
    wild = forecast(network, closes() ** 2)
    assert wild.log_returns == pytest.approx(2.0 * calm.log_returns, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_a_batch_do_not_see_each_other(kind: str) -> None:
    network = ScaledNetwork(small_plan(kind))
    together = forecast(network, closes()).log_returns
    alone = forecast(network, closes()[2:3]).log_returns
    assert together[2:3] == pytest.approx(alone, abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_reads_the_last_close(kind: str) -> None:
    network = ScaledNetwork(small_plan(kind))
    moved = closes()
    moved[:, -1] *= 1.05
    gap = forecast(network, moved).log_returns / forecast(network, moved).scale[:, None, None]
    gap -= (
        forecast(network, closes()).log_returns / forecast(network, closes()).scale[:, None, None]
    )
    assert (np.abs(gap).max(axis=(0, 2)) > 1e-4).all()


def test_lstm_reads_the_root_of_the_step_in_blank_bars_behind_the_window() -> None:
    network = ScaledNetwork(small_plan("lstm", horizon=4, features=()))
    read: list[dict] = []
    network.core.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    forecast(network, closes())
    assert read[0]["insample_y"].shape == (5, 24 + 3, 1)
    assert (read[0]["insample_y"][:, 24:] == 0).all()
    ahead = read[0]["hist_exog"][..., -1]
    assert (ahead[:, :24] == 0).all()
    assert ahead[0, 24:].tolist() == pytest.approx([1.0, 2.0**0.5, 3.0**0.5])


@pytest.mark.parametrize("kind", ["nhits", "lstm", "tft"])
@pytest.mark.parametrize("feature", ["volume", "time", "sentiment"])
def test_feature_changes_the_forecast(kind: str, feature: str) -> None:
    network = ScaledNetwork(small_plan(kind, features=(feature,)))
    values = {
        "volume": np.random.default_rng(1).uniform(1, 1e6, (5, 24)),
        "time": 86_400 * 10**9 * np.tile(np.arange(24), (5, 1)),
        "sentiment": np.random.default_rng(1).uniform(-1, 1, (5, 24)),
    }[feature]
    one = forecast(network, closes(), **{feature: values})
    two = forecast(network, closes(), **{feature: values[:, ::-1].copy()})
    one.check(kind)
    assert np.abs(one.log_returns - two.log_returns).max() > 1e-6


@pytest.mark.parametrize("loss", ["normal", "student_t"])
def test_distribution_widens_with_its_level(loss: str) -> None:
    found = forecast(ScaledNetwork(small_plan("nhits", loss=loss)), closes())
    assert (np.diff(found.log_returns, axis=2) > 0).all()


def test_price_that_hardly_moves_gives_finite_numbers() -> None:
    close = np.full((1, 24), 100.0)
    close[0, 5] = 100.0 + 1e-10
    forecast(ScaledNetwork(small_plan("nhits")), close).check("nhits")


def test_building_a_network_leaves_the_random_numbers_of_torch_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    ScaledNetwork(small_plan("linear"))
    assert torch.rand(1) == expected


def test_nhits_is_that_of_neuralforecast() -> None:
    """Same weights, same numbers: what is around the network only scales and sorts."""
    plan = plan_of("nhits", features=(), horizon=6, input_size=32, target="log_price")
    ours = ScaledNetwork(plan).eval()
    theirs = NHITS(
        h=6, input_size=32, loss=MQLoss(quantiles=list(LEVELS)), random_seed=99,
        **plan.architecture,
    ).eval()  # fmt: skip
    theirs.load_state_dict(ours.core.state_dict())
    close = closes(windows=4, bars=32)
    path = np.log(close)
    scale = np.sqrt((np.diff(path, axis=1) ** 2).mean(axis=1))
    read = torch.tensor((path - path[:, -1:]) / scale[:, None], dtype=torch.float32)[..., None]
    nothing = dict.fromkeys(("futr_exog", "hist_exog", "stat_exog"))
    with torch.no_grad():
        expected = theirs(
            {"insample_y": read, "insample_mask": torch.ones_like(read), **nothing}
        ).numpy()
    found = forecast(ours, close).log_returns / scale[:, None, None]
    assert found == pytest.approx(np.sort(expected, axis=2), abs=1e-6)


@pytest.mark.parametrize(("horizon", "size"), [(5, 64), (12, 96)])
def test_nhits_has_the_parameters_of_the_published_architecture(horizon: int, size: int) -> None:
    """Challu et al. (2023), section 3: per block pooling, an MLP, and as many coefficients as its horizon needs.

    Block l: MaxPool with kernel k_l, MLP of the pooled window, then theta = [backcast of the whole window | knots of
    the forecast], the knots fewer than the steps by the expressiveness ratio, interpolated to the horizon.
    """
    kernels, ratios, width, layers = [8, 4, 1], [4, 2, 1], 24, 2
    network = ScaledNetwork(
        plan_of(
            "nhits", features=(), horizon=horizon, input_size=size,
            network={
                "n_pool_kernel_size": kernels, "n_freq_downsample": ratios,
                "mlp_units": [[width, width]] * layers, "pooling_mode": "MaxPool1d",
            },
        )
    )  # fmt: skip
    expected = 0
    for kernel, ratio in zip(kernels, ratios, strict=True):
        pooled = -(-size // kernel)
        theta = size + len(LEVELS) * max(horizon // ratio, 1)
        expected += (pooled + 1) * width + layers * (width + 1) * width + (width + 1) * theta
    trained = [p for name, p in network.named_parameters() if not name.startswith("core.loss")]
    trained = [p for p in trained if p.requires_grad]
    assert sum(p.numel() for p in trained) == expected


def test_nhits_adds_up_the_forecasts_of_its_blocks() -> None:
    """The equations of the paper, written out: residual backcasts, summed interpolated forecasts, level of the last."""
    plan = small_plan("nhits", features=(), target="log_price")
    network = ScaledNetwork(plan).eval()
    close = closes(windows=3)
    path = np.log(close)
    scale = np.sqrt((np.diff(path, axis=1) ** 2).mean(axis=1))
    residual = ((path - path[:, -1:]) / scale[:, None])[:, ::-1].astype(np.float32)
    total = np.zeros((3, 3, len(LEVELS)))
    weights = {name: p.detach().numpy() for name, p in network.core.named_parameters()}
    kernels, ratios = (
        plan.architecture["n_pool_kernel_size"],
        plan.architecture["n_freq_downsample"],
    )
    for block in range(3):
        pooled = residual.reshape(3, -1, kernels[block]).mean(axis=2)
        hidden, last = pooled, None
        names = sorted({n.rsplit(".", 1)[0] for n in weights if n.startswith(f"blocks.{block}.")},
                       key=lambda n: int(n.rsplit(".", 1)[1]))  # fmt: skip
        for index, name in enumerate(names):
            last = hidden @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
            hidden = np.maximum(last, 0.0) if 0 < index < len(names) - 1 else last
        knots = last[:, 24:].reshape(3, len(LEVELS), max(3 // ratios[block], 1))
        places = (np.arange(3) + 0.5) * knots.shape[2] / 3 - 0.5
        for window in range(3):
            for level in range(len(LEVELS)):
                line = knots[window, level]
                total[window, :, level] += np.interp(places, np.arange(len(line)), line)
        residual = residual - last[:, :24]
    found = forecast(network, close).log_returns / scale[:, None, None]
    assert found == pytest.approx(np.sort(total, axis=2), abs=1e-5)
