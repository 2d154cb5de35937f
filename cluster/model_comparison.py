"""Several versions of models on the same windows: which is better, and whether by more than luck."""

from collections.abc import Sequence

import msgspec
import numpy as np

from actors.models.manifest import ModelManifest
from actors.models.session import ModelSession
from trading.errors import DataError, UsageError
from trading.forecasting.prediction import Prediction
from trading.forecasting.scores import crps, naive_errors, score
from trading.strategies.strategy import Bars
from tune.train.evaluation import diebold_mariano, predict_all
from tune.train.windows import Windows, windows_of


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Versions side by side, on windows that none of them was trained on.

    Attributes
    ----------
    windows, moments : int
        Windows that all can read, and the different bars at which they end.
    first_ts, last_ts : int
        Close of the last bar of the first and of the last window (ns UTC).
    horizon : int
        Steps that are scored: those that all reach.
    scores : mapping of reference to scores
        See `trading.forecasting.scores.score`.
    best : str
        The least CRPS.
    chance : mapping of reference to probability
        Of so large a difference to the best, either way, if the two were equally good (`diebold_mariano`).
    """

    windows: int
    moments: int
    first_ts: int
    last_ts: int
    horizon: int
    scores: dict[str, dict[str, float]]
    best: str
    chance: dict[str, float]


def compare_on(
    bars: Bars,
    sessions: Sequence[ModelSession],
    start_ts: int | None = None,
    end_ts: int | None = None,
) -> Comparison:
    """Score versions on the windows of `bars` that end and come true after the training of all of them.

    Parameters
    ----------
    start_ts, end_ts : int or None
        Narrower limits (ns UTC, both included).

    Raises
    ------
    UsageError
        If a version is named twice.
    DataError
        If no such window is left, or the bars lack a feature.
    """
    manifests = [session.manifest for session in sessions]
    references = [manifest.reference for manifest in manifests]
    if len(set(references)) < len(references):
        raise UsageError("Name different versions to compare.")
    cutoff = max(manifest.data.last_ts for manifest in manifests)
    first = max(cutoff + 1, start_ts or 0)
    horizon = min(manifest.horizon for manifest in manifests)
    shared = _shared([_windows(bars, m, horizon, first, end_ts) for m in manifests])
    outcomes, ts = shared[0].outcomes, shared[0].ts
    if not ts.size:
        raise DataError(
            "No window lies after the training of all these models, which ends at "
            f"{np.datetime64(cutoff, 'ns').astype('datetime64[D]')}; give newer data."
        )
    predictions = [_predict(*each, horizon) for each in zip(sessions, shared, strict=True)]
    naive = naive_errors(max((w.inputs["close"] for w in shared), key=lambda c: c.shape[1]))
    losses = [crps(prediction, outcomes).mean(axis=1) for prediction in predictions]
    best = int(np.argmin([loss.mean() for loss in losses]))
    return Comparison(
        windows=int(ts.size),
        moments=int(np.unique(ts).size),
        first_ts=int(ts[0]),
        last_ts=int(ts[-1]),
        horizon=horizon,
        scores={
            reference: score(prediction, outcomes, naive)
            for reference, prediction in zip(references, predictions, strict=True)
        },
        best=references[best],
        chance={
            reference: diebold_mariano(loss - losses[best], ts, horizon)[1]
            for index, (reference, loss) in enumerate(zip(references, losses, strict=True))
            if index != best
        },
    )


def have_same_windows(manifests: Sequence[ModelManifest]) -> bool:
    """Say whether versions were judged on the same windows: then the naive forecast did equally well in all."""
    yardsticks = [manifest.baselines.get("naive", {}).get("crps") for manifest in manifests]
    return None not in yardsticks and len(set(yardsticks)) == 1


def _windows(
    bars: Bars, manifest: ModelManifest, horizon: int, first: int, end_ts: int | None
) -> Windows:
    return windows_of(
        bars, manifest.input_size, horizon, manifest.features, start_ts=first, end_ts=end_ts
    )


def _shared(all_windows: Sequence[Windows]) -> list[Windows]:
    """Return of each the windows that end at a bar and instrument that all the others have too."""
    keys = [list(zip(w.ts.tolist(), w.instrument.tolist(), strict=True)) for w in all_windows]
    kept = set(keys[0]).intersection(*keys[1:])
    masks = [np.array([each in kept for each in key], dtype=np.bool_) for key in keys]
    return [w.take(mask) for w, mask in zip(all_windows, masks, strict=True)]


def _predict(session: ModelSession, windows: Windows, horizon: int) -> Prediction:
    prediction = predict_all(session.predict, windows.inputs)
    return Prediction(prediction.log_returns[:, :horizon], prediction.scale)
