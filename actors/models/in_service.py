"""What the registry tells who watches a version in service, and hears of it."""

from actors.models.manifest import ModelManifest
from actors.models.registry import ModelRegistry
from trading.forecasting.monitor import Limits
from trading.forecasting.monitoring import MonitorReport
from trading.forecasting.watch import Expectations

LOSS = "pinball_in_deviations"


def expectations_of(manifest: ModelManifest, horizon_bars: int) -> Expectations:
    """Return what the training of a version lets expect of it.

    Parameters
    ----------
    horizon_bars : int
        How far it forecasts in service. The loss of the evaluation is that of its whole horizon: over fewer
        bars there is nothing to compare the errors with.
    """
    return Expectations(
        model=manifest.reference,
        inputs={name: (bins.edges, bins.shares) for name, bins in manifest.inputs.items()},
        loss=manifest.metrics.get(LOSS) if horizon_bars == manifest.horizon else None,
        is_adaptive=manifest.calibration is not None,
    )


def put_down(registry: ModelRegistry, reference: str, report: MonitorReport) -> None:
    """Replace what was seen of a version in service; of several sources that use it, the last one rules.

    An alarm is not lifted by who has hardly looked: a report without one, of too few moments to judge the
    intervals, does not replace a report with one.

    Raises
    ------
    ModelUnknown
        If there is no such version.
    """
    if not report.alerts and report.moments < Limits().moments_min:
        before = registry.report(reference)
        if before is not None and before.alerts:
            return
    registry.write_report(reference, report)
