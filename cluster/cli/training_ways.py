"""How `trader train` makes a version: from nothing, by several workers, as the best of a search, or from an older one."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

from cluster.cli.laboratory_options import connected, resumable, run_name, store_of

if TYPE_CHECKING:
    from actors.models.manifest import ModelManifest
    from actors.models.registry import ModelRegistry
    from cluster.config import Config
    from trading.errors import TradingError
    from trading.indicators.periods import IntArray
    from trading.strategies.strategy import Bars
    from tune.train.fit import Progress
    from tune.train.plan import TrainingPlan

    Show = Callable[[Progress], None]
    Make = Callable[[Bars, str, Show], ModelManifest]


def plan_from(kind: str, chosen: Mapping[str, Any]) -> "TrainingPlan":
    """Return the plan of a training; what is no setting of a plan is one of the architecture.

    Raises
    ------
    UsageError
        If there is no such kind, or a setting is wrong.
    """
    from tune.train.plan import TrainingPlan, plan_of

    fields = TrainingPlan.__struct_fields__
    network = {name: value for name, value in chosen.items() if name not in fields}
    rest = {name: value for name, value in chosen.items() if name in fields}
    return plan_of(kind, **rest, **({"network": network} if network else {}))


def trained(plan: "TrainingPlan", registry: "ModelRegistry", *, refit: bool) -> "Make":
    """Return how a model is made in this process."""
    from tune.train.pipeline import train_model

    def make(bars: "Bars", source: str, show: "Show") -> "ModelManifest":
        return train_model(
            bars, _for_bars(plan, bars), registry, source, progress=show, refit=refit
        )

    return make


def trained_together(
    plans: "Sequence[TrainingPlan]",
    registry: "ModelRegistry",
    config: "Config",
    bars: "Bars",
    source: str,
    on_done: "Callable[[TrainingPlan, ModelManifest | TradingError], None]",
) -> "tuple[ModelManifest | TradingError, ...]":
    """Return a model, or why there is none, of each plan: as many at once as Ray has cores, sharing its GPUs."""
    with connected(config) as ray:
        from tune.train.many import Place, train_models

        gpus = int(ray.cluster_resources().get("GPU", 0))
        share = 1.0 / ceil(len(plans) / gpus) if gpus else 0.0
        whole = [_for_bars(plan, bars) for plan in plans]
        return train_models(bars, whole, registry, source, place=Place(gpus=share), on_done=on_done)


def trained_by_workers(
    plan: "TrainingPlan", registry: "ModelRegistry", config: "Config", workers: int, *, refit: bool
) -> "Make":
    """Return how a model is made by several workers of Ray, each on a GPU of its own where there are enough.

    Raises
    ------
    UsageError
        If the batch cannot be shared by so many.
    """
    from trading.errors import UsageError

    if plan.batch_size % workers:
        raise UsageError(
            f"{workers} workers cannot share a batch of {plan.batch_size}; "
            "give a batch size that they divide: --set batch_size=N."
        )

    def make(bars: "Bars", source: str, show: "Show") -> "ModelManifest":
        with connected(config) as ray:
            from tune.train.distributed import Workers, fit_distributed
            from tune.train.pipeline import train_model

            has_gpus = ray.cluster_resources().get("GPU", 0.0) >= workers
            fitter = partial(fit_distributed, workers=Workers(count=workers, has_gpu=has_gpus))
            whole = _for_bars(plan, bars)
            return train_model(
                bars, whole, registry, source, progress=show, fitter=fitter, refit=refit
            )

    return make


def searched(
    plan: "TrainingPlan",
    registry: "ModelRegistry",
    config: "Config",
    search: Mapping[str, Any],
    *,
    refit: bool,
) -> "Make":
    """Return how the best settings are searched for with Ray Tune, and a model is trained with them once.

    Parameters
    ----------
    search : mapping
        "trials", "scheduler", and "resume": the name of a search to go on with, or "".

    Raises
    ------
    UsageError
        If a search cannot be made of these.
    """
    from trading.errors import UsageError

    store = store_of(config)
    name = run_name(store, f"train-{plan.kind}", "", search["resume"])

    def make(bars: "Bars", source: str, show: "Show") -> "ModelManifest":
        with connected(config), resumable(name):
            from tune.search import Execution
            from tune.train.hyper import HyperPlan, search_plan, train_found

            try:
                asked = HyperPlan(
                    base=_for_bars(plan, bars),
                    trials=search["trials"],
                    scheduler=search["scheduler"],
                )
            except ValueError as error:
                raise UsageError(f"--trials: {error}") from None
            found = search_plan(
                asked,
                bars,
                store=store,
                name=name,
                source=source,
                execution=Execution(resources={"cpu": 1.0}),
            )
        return train_found(found, bars, registry, source, progress=show, refit=refit)

    return make


def updated(kind: str, parent: str, registry: "ModelRegistry", chosen: Mapping[str, Any]) -> "Make":
    """Return how a registered model learns from newer bars.

    Raises
    ------
    UsageError
        If it is of another kind, or what was chosen cannot change any more.
    """
    import msgspec

    from trading.errors import UsageError
    from tune.train.update import UpdatePlan, update_model

    manifest = registry.manifest(parent)
    if manifest.kind != kind:
        raise UsageError(f"{manifest.reference} is of the kind {manifest.kind}, not {kind}.")
    fixed = sorted(set(chosen) - set(UpdatePlan.__struct_fields__))
    if fixed:
        raise UsageError(
            f"{fixed[0]} is that of {manifest.reference} and stays; of an update you may choose "
            f"{', '.join(UpdatePlan.__struct_fields__)}."
        )
    try:
        plan = msgspec.convert(dict(chosen), UpdatePlan, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"Update of {manifest.reference}: {error}.") from None

    def make(bars: "Bars", source: str, show: "Show") -> "ModelManifest":
        return update_model(
            bars, registry, manifest.reference, source=source, plan=plan, progress=show
        )

    return make


def _for_bars(plan: "TrainingPlan", bars: "Bars") -> "TrainingPlan":
    import msgspec

    return msgspec.structs.replace(plan, bar=bar_of(bars.ts))


def bar_of(ts: "IntArray") -> str:
    """Return the usual distance of bars as the manifest of a model has it: "1d", "4h", "5m" or "30s"."""
    import numpy as np

    seconds = round(float(np.median(np.diff(ts))) / 1e9) if ts.size > 1 else 86_400
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{max(seconds, 1)}s"
