"""The forecasters of a laboratory run: installed ones, registered models, and models trained on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from actors.models.forecaster import ModelAccess, NeuralForecaster, forecasters_of, pinned
from actors.models.registry import ModelRegistry
from trading.errors import UsageError
from trading.forecasting.forecaster import Forecaster


@dataclass(frozen=True, slots=True)
class Forecasters:
    """What a forecaster's name means.

    Attributes
    ----------
    models : ModelAccess
        Where the registered models are.
    retrain : str
        Time between two trainings, such as `12m`: the name is then a kind of model. Empty for none.
    kept : str
        Registry in which what is trained on the way is kept.
    on_training : function of the number of the training and how many there are
        Called before each training that is not known yet.
    """

    models: ModelAccess = field(default_factory=ModelAccess)
    retrain: str = ""
    kept: str = ""
    on_training: Callable[[int, int], None] = lambda _number, _of: None

    def build(self, name: str) -> tuple[Forecaster, str]:
        """Return a forecaster, and a sentence on what it knew when.

        Raises
        ------
        UsageError
            If there is no such forecaster, model or kind, or what training needs is not installed.
        """
        if self.retrain:
            return self._retrained(name)
        forecaster = forecasters_of(self.models)(name)
        if not isinstance(forecaster, NeuralForecaster):
            return (
                forecaster,
                f"Forecasts: {name}, fitted at each month's start on the bars before it.",
            )
        until = datetime.fromtimestamp(forecaster.trained_until / 1e9, UTC).date()
        return (
            forecaster,
            f"Forecasts: {forecaster.model}; it was trained on bars until {until}, and forecasts none of them.",
        )

    def build_live(self, name: str) -> Forecaster:
        """Return a forecaster that reads bar by bar.

        Raises
        ------
        UsageError
            If there is none of that name, or it would have to be trained on the way.
        """
        if self.retrain:
            raise UsageError("--retrain needs bars; leave it out for a record of events.")
        return forecasters_of(self.models)(name)

    def described(self, name: str) -> str:
        """Return the name as a manifest shall keep it: with the version, or how it is trained."""
        return f"{name} every {self.retrain}" if self.retrain else pinned(self.models, name)

    def _retrained(self, name: str) -> tuple[Forecaster, str]:
        from tune.train.walk_forward import RetrainedForecaster, months_of

        months = months_of(self.retrain)
        try:
            from tune.train.recipe import recipe_of
        except ModuleNotFoundError as error:
            raise UsageError(
                f"--retrain needs packages that are not installed ({error.name}): "
                "pip install 'neural-trader[train]'."
            ) from None
        forecaster = RetrainedForecaster(
            recipe_of(name),
            months,
            ModelRegistry(self.kept),
            threads=self.models.threads,
            on_training=self.on_training,
        )
        note = f"Forecasts: {name}, trained again every {months} months on the bars before it."
        return forecaster, note
