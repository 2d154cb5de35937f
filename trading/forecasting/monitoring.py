"""What is seen of a model in service: does it cover what it says, does it still see what it was trained on."""

import msgspec


class MonitorReport(msgspec.Struct, frozen=True, kw_only=True):
    """One version in service until now.

    Attributes
    ----------
    forecasts : int
        Forecasts whose outcome is known.
    moments : int
        Different last bars among the recent ones of them.
    coverage : dict of coverage to share
        "0.8" -> part of the recent outcomes inside the 80 % interval; empty before the first outcome.
    input_drift : dict of input to index
        Population stability index of the recent windows against the training.
    error_ratio : float or None
        Pinball loss of the recent outcomes over that of the evaluation, both in deviations of the window (a wild
        market is no error of the model); None before the first outcome, or when the evaluation is not known.
    alerts : tuple of str
        One sentence each; empty when all is well.
    alert_names : tuple of str
        What each of them is about, as long as it stands: "drift trend", "error", "coverage 0.8".
    updated_at : int
        ns UTC.
    """

    forecasts: int
    coverage: dict[str, float]
    input_drift: dict[str, float]
    error_ratio: float | None
    alerts: tuple[str, ...]
    updated_at: int
    moments: int = 0
    alert_names: tuple[str, ...] = ()
