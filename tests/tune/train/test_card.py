import numpy as np
import pytest

from actors.models.manifest import ModelFile, ModelManifest, TrainingData
from trading.forecasting.conformal import calibrate
from trading.forecasting.prediction import LEVELS, Prediction
from tune.train.card import card_of, verdict_of

DAY = 86_400 * 10**9
NAIVE = {"crps": 0.02, "mase": 2.0, "directional_accuracy": 0.5, "coverage_80": 0.79}


def manifest(**changes: object) -> ModelManifest:
    facts: dict = {
        "name": "nhits",
        "version": 3,
        "kind": "nhits",
        "horizon": 5,
        "input_size": 64,
        "features": ("volume",),
        "data": TrainingData(
            source="sp500", digest="ab12", symbols=("AAPL", "KO"), first_ts=0, last_ts=1_000 * DAY
        ),
        "code": "0.4.0",
        "parameters": {"seed": 7, "loss": "quantiles"},
        "metrics": {
            "crps": 0.019,
            "mase": 1.9,
            "directional_accuracy": 0.51,
            "coverage_80": 0.8123,
            "dm_vs_naive": -4.0,
            "dm_vs_naive_p": 0.00006,
            "windows": 25_000.0,
            "moments": 1_250.0,
        },
        "baselines": {"naive": NAIVE, "ets": {**NAIVE, "crps": 0.021}},
        "beats_naive": True,
        "files": (ModelFile(name="model.onnx", sha256="f" * 64, size_bytes=1_234_567),),
        "created_at": 1_100 * DAY,
    }
    return ModelManifest(**{**facts, **changes})


def with_metrics(**metrics: float) -> ModelManifest:
    return manifest(metrics={**manifest().metrics, **metrics})


def test_model_that_does_not_beat_naive_says_so_first() -> None:
    card = card_of(manifest(metrics={"crps": 0.0212, "dm_vs_naive_p": 0.3}, beats_naive=False))
    assert card.split("\n\n")[1].startswith("**It does not beat the naive forecast.**")
    assert "6.00 % above that of the naive forecast" in card


def test_difference_within_luck_is_called_luck() -> None:
    verdict = verdict_of(with_metrics(dm_vs_naive_p=0.31))
    assert "5.00 % below" in verdict
    assert "**that is within luck**" in verdict
    assert "31 % of such samples" in verdict


def test_gain_without_a_sense_of_direction_is_called_one_of_widths() -> None:
    verdict = verdict_of(manifest())
    assert "more than luck explains (Diebold-Mariano test, p = 6e-05)" in verdict
    assert "51.0 % of the cases, within what a coin does" in verdict


def test_gain_with_a_sense_of_direction_is_not_belittled() -> None:
    assert "coin" not in verdict_of(with_metrics(directional_accuracy=0.62))


@pytest.mark.parametrize("missing", [{"metrics": {}}, {"baselines": {}}])
def test_model_that_was_not_compared_says_so(missing: dict) -> None:
    assert "not compared with the naive forecast" in card_of(manifest(**missing))


def test_comparison_without_a_test_says_so() -> None:
    verdict = verdict_of(manifest(metrics={"crps": 0.019}))
    assert verdict.endswith("nobody tested whether that is more than luck.")


def test_table_has_the_model_beside_each_baseline() -> None:
    lines = card_of(manifest()).splitlines()
    assert "|  | nhits | naive | ets |" in lines
    assert "| CRPS | 0.019 | 0.02 | 0.021 |" in lines
    assert "| 80 % interval holds | 81.2 % | 79.0 % | 79.0 % |" in lines
    assert not any(line.startswith("| Pinball loss |") for line in lines)
    assert any("25,000 windows that end at 1,250 moments" in line for line in lines)


def test_card_tells_what_it_is_made_of_and_how_to_use_it() -> None:
    card = card_of(manifest(parent="nhits@2"))
    for expected in (
        "# nhits@3",
        "- Reads: 64 bars of 1d: close, volume",
        "- Fine-tuned from: nhits@2",
        "- Instruments: 2 (AAPL, KO)",
        "- From: 1970-01-01",
        "- To: 1972-09-27",
        "- Digest: `ab12`",
        "- seed: `7`",
        "| model.onnx | 1,234,567 |",
        "trader forecast AAPL --model nhits@3 --horizon 5",
        "None: the intervals are those of the network",
    ):
        assert expected in card


def test_calibrated_model_says_on_how_much() -> None:
    quantiles = np.sort(np.random.default_rng(0).normal(0, 0.02, (1_234, 5, len(LEVELS))), axis=2)
    calibration = calibrate(Prediction(quantiles, np.full(1_234, 0.02)), quantiles[..., 4])
    assert "on 1,234 windows after those of the training" in card_of(
        manifest(calibration=calibration)
    )
