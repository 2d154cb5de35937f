"""The card of a model: what it is, how well it did beside the baselines, and how far to trust it.

After Mitchell et al. (2019), "Model Cards for Model Reporting", FAT* conference.
"""

from collections.abc import Mapping

import numpy as np

from actors.models.manifest import ModelManifest
from trading.forecasting.prediction import COVERAGES

SIGNIFICANT = 0.05
"""A difference that chance makes less often than this is called more than luck."""
_SCORES = {
    "crps": "CRPS",
    "pinball": "Pinball loss",
    "mase": "MASE",
    "smape": "sMAPE",
    "directional_accuracy": "Direction right",
    **{f"coverage_{100 * c:.0f}": f"{100 * c:.0f} % interval holds" for c in COVERAGES},
}


def card_of(manifest: ModelManifest) -> str:
    """Return the card of a version in Markdown."""
    parts = (
        f"# {manifest.reference}",
        verdict_of(manifest),
        "## What it is\n\n" + _listed(_facts(manifest)),
        "## Data\n\n" + _listed(_data(manifest)),
        "## Out of sample\n\n" + _scores(manifest),
        "## Calibration\n\n" + _calibration(manifest),
        "## Settings\n\n" + _listed({k: f"`{v}`" for k, v in sorted(manifest.parameters.items())}),
        "## Files\n\n" + _files(manifest),
        "## How to use it\n\n" + _usage(manifest),
    )
    return "\n\n".join(parts) + "\n"


def verdict_of(manifest: ModelManifest) -> str:
    """Return in a sentence or two whether the model is better than the naive forecast, or only seems to be."""
    naive = manifest.baselines.get("naive", {}).get("crps")
    own = manifest.metrics.get("crps")
    if naive is None or own is None:
        return "It was not compared with the naive forecast: nothing is known of its worth."
    gain = 100.0 * (1.0 - own / naive)
    chance = manifest.metrics.get("dm_vs_naive_p")
    compared = f"{abs(gain):.2f} % {'below' if gain > 0 else 'above'} that of the naive forecast"
    if not manifest.beats_naive:
        return (
            f"**It does not beat the naive forecast.** Its CRPS is {compared}, so a forecast of no change "
            "is at least as good; it becomes champion by force alone."
        )
    if chance is None:
        return f"Its CRPS is {compared}; nobody tested whether that is more than luck."
    if chance >= SIGNIFICANT:
        return (
            f"Its CRPS is {compared}, but **that is within luck**: two equally good forecasts differ as much "
            f"in {100 * chance:.0f} % of such samples (Diebold-Mariano test)."
        )
    return (
        f"Its CRPS is {compared}, more than luck explains (Diebold-Mariano test, p = {chance:.2g})."
        f"{_direction_note(manifest)}"
    )


def _direction_note(manifest: ModelManifest) -> str:
    """A better CRPS may be nothing but better widths."""
    accuracy = manifest.metrics.get("directional_accuracy")
    moments = manifest.metrics.get("moments", 0.0) / manifest.horizon
    if accuracy is None or moments <= 0 or abs(accuracy - 0.5) > 1.0 / np.sqrt(moments):
        return ""
    return (
        f" It tells the direction right in {100 * accuracy:.1f} % of the cases, within what a coin does: "
        "the gain is in how wide its intervals are, not in where prices go."
    )


def _facts(manifest: ModelManifest) -> dict[str, str]:
    return {
        "Kind": manifest.kind,
        "Reads": f"{manifest.input_size} bars of {manifest.bar}: "
        + ", ".join(("close", *manifest.features)),
        "Forecasts": f"quantiles of the log return to each of the next {manifest.horizon} bars",
        "Made": f"{_day(manifest.created_at)} by code {manifest.code}",
        "Fine-tuned from": manifest.parent or "nothing; trained from the beginning",
    }


def _data(manifest: ModelManifest) -> dict[str, str]:
    data = manifest.data
    shown = ", ".join(data.symbols[:20]) + (", ..." if len(data.symbols) > 20 else "")
    return {
        "Source": data.source,
        "Instruments": f"{len(data.symbols)} ({shown})",
        "From": _day(data.first_ts),
        "To": f"{_day(data.last_ts)}; a test before this day would be no test",
        "Digest": f"`{data.digest}`",
    }


def _scores(manifest: ModelManifest) -> str:
    columns = {manifest.name: manifest.metrics, **manifest.baselines}
    lines = [_row(("", *columns)), _row(("---", *("---:" for _ in columns)))]
    for key, title in _SCORES.items():
        if any(key in scores for scores in columns.values()):
            lines.append(_row((title, *(_number(key, scores) for scores in columns.values()))))
    counted = ""
    if {"windows", "moments"} <= manifest.metrics.keys():
        counted = (
            f"Measured on {manifest.metrics['windows']:,.0f} windows that end at "
            f"{manifest.metrics['moments']:,.0f} moments. "
        )
    note = "CRPS and pinball loss are in log returns. Less is better in the first four rows."
    return "\n".join((*lines, "", counted + note))


def _number(key: str, scores: Mapping[str, float]) -> str:
    if key not in scores:
        return ""
    is_share = key.startswith("coverage") or key == "directional_accuracy"
    return f"{100 * scores[key]:.1f} %" if is_share else f"{scores[key]:.6g}"


def _calibration(manifest: ModelManifest) -> str:
    if manifest.calibration is None:
        return "None: the intervals are those of the network, right or wrong."
    return (
        f"Split conformal, on {manifest.calibration.windows:,} windows after those of the training. The promise "
        "holds on average, for windows like these; in service it is watched and adapted."
    )


def _files(manifest: ModelManifest) -> str:
    lines = [
        _row(("File", "Bytes", "Deviation from the network", "Pinball loss", "SHA-256")),
        _row(("---", "---:", "---:", "---:", "---")),
    ]
    for file in manifest.files:
        loss = "" if file.pinball_loss is None else f"{file.pinball_loss:.6g}"
        cells = (file.name, f"{file.size_bytes:,}", f"{file.max_error:.1e}", loss)
        lines.append(_row((*cells, f"`{file.sha256[:16]}`")))
    return "\n".join(lines)


def _usage(manifest: ModelManifest) -> str:
    return (
        f"    trader forecast {_example(manifest)} --model {manifest.reference} --horizon {manifest.horizon}\n\n"
        "or in Python\n\n"
        "    from actors.models.registry import ModelRegistry\n"
        "    from actors.models.session import load_session\n"
        "    registry = ModelRegistry(folder)  # [models] folder of the configuration\n"
        f'    session = load_session(registry, "{manifest.reference}")\n'
        '    prediction = session.predict({"close": closes})'
        f"  # closes: (window, {manifest.input_size})"
    )


def _example(manifest: ModelManifest) -> str:
    return manifest.data.symbols[0] if manifest.data.symbols else "AAPL"


def _listed(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items()) or "None."


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _day(ts: int) -> str:
    return str(np.datetime64(ts, "ns").astype("datetime64[D]"))
