"""From the words of the tools to a training: kinds, passes over the data, settings."""

from math import ceil
from typing import Any

from serve.desk.front_desk import FrontDesk
from serve.desk.requests.models import TrainRequest
from serve.mcp.data_source import source_for_jobs
from serve.mcp.long_work import asked
from serve.mcp.refusal import nearest
from trading.errors import UsageError

KINDS = ("nhits", "lstm", "patchtst", "transformer", "tft", "linear")
TRAINING_SHARE = 0.6
"""Of the bars: what validation, calibration and test leave."""
DEVICE = "The training takes the GPU of the machine it runs on when there is one; its job says what it did."


def kind_of(name: str) -> str:
    """Return the architecture. Raises `UsageError` naming the nearest."""
    found = name.strip().lower()
    if found not in KINDS:
        raise UsageError(f"There is no architecture {name!r} here; {nearest(found, KINDS)}")
    return found


def training(
    desk: FrontDesk,
    kinds: list[str],
    data: str,
    *,
    epochs: int | None,
    settings: dict[str, Any],
    **fields: Any,
) -> TrainRequest:
    """Return the request of a training.

    Parameters
    ----------
    epochs : int or None
        Passes over the training windows, turned into optimiser steps; None: as many steps as the trainer thinks right.
        Either way it stops when the validation loss does not fall any more.
    settings : dict
        Of the training, by the names of `tune.train.plan.TrainingPlan`; None is left out.
    """
    source = source_for_jobs(desk, data)
    given = {name: value for name, value in settings.items() if value is not None}
    steps = None if epochs is None else _steps(desk, source, epochs, given.get("batch_size", 256))
    return asked(TrainRequest, kinds=kinds, data=source, max_steps=steps, settings=given, **fields)


def _steps(desk: FrontDesk, source: str, epochs: int, batch_size: int) -> int:
    from serve.desk.analysis.prices import prices_of

    if source != desk.source:
        raise UsageError("epochs can be counted for the configured data alone; leave them out.")
    table = prices_of(desk).table
    windows = len(table) * len(table.instrument_ids) * TRAINING_SHARE
    return min(1_000_000, epochs * max(1, ceil(windows / batch_size)))
