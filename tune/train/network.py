"""A network with all that it needs around it: prices in, quantiles of log returns out.

Inside, prices become a path of log prices that ends at 0, measured in deviations of the window's own returns, so that
one network serves calm and wild instruments at any price. The path is made in float64: the differences between log
prices are smaller than what float32 can tell. The network itself computes in float32.
"""

import logging
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from trading.forecasting.prediction import LEVELS
from tune.train.features import (
    CHANNELS,
    calendar_channels,
    sentiment_channels,
    volatility_channels,
    volume_channels,
)
from tune.train.kinds import Kind, kind_of
from tune.train.losses import Head, head_of
from tune.train.plan import VOLATILITY, TrainingPlan

SCALE_MIN = 1e-6
"""Smallest deviation that is divided by."""
_INPUT_CHANNELS: dict[str, Callable[[Tensor], list[Tensor]]] = {
    "volume": volume_channels,
    "time": calendar_channels,
    "sentiment": sentiment_channels,
}


class ScaledNetwork(nn.Module):
    """The trained part: reads inputs as they are, answers in deviations of each window.

    Attributes
    ----------
    core : neuralforecast model
        Used as a plain module; its own training is not.
    """

    def __init__(self, plan: TrainingPlan) -> None:
        super().__init__()
        self.plan = plan
        self.head: Head = head_of(plan)
        kind = kind_of(plan.kind)
        self.blank_bars = plan.horizon - 1 if kind.is_sequential else 0
        self.core = _core(plan, kind, self.head.width, plan.input_size + self.blank_bars)

    def forward(
        self,
        close: Tensor,
        volume: Tensor | None = None,
        time: Tensor | None = None,
        sentiment: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return outputs (window, step, width), see `losses.Head`, and the scale (window,).

        Parameters
        ----------
        close, volume, sentiment : (window, bar) float64
        time : (window, bar) int64
            Those that the plan does not name are not read.
        """
        path = torch.log(close)
        returns = path[:, 1:] - path[:, :-1]
        scale = torch.clamp(torch.sqrt((returns * returns).mean(dim=1)), min=SCALE_MIN)
        returns = returns / scale[:, None]
        if self.plan.target == "return":
            read = nn.functional.pad(returns, (0, 1))
        else:
            read = (path - path[:, -1:]) / scale[:, None]
        given = {"volume": volume, "time": time, "sentiment": sentiment}
        outputs = self.core(self._batch(read, self._channels(returns, given)))
        return outputs, scale

    def _channels(self, returns: Tensor, given: dict[str, Tensor | None]) -> list[Tensor]:
        channels: list[Tensor] = []
        for name in self.plan.features:
            if name == VOLATILITY:
                channels += volatility_channels(returns)
            else:
                channels += _INPUT_CHANNELS[name](cast("Tensor", given[name]))
        return channels

    def _batch(self, read: Tensor, channels: list[Tensor]) -> dict[str, Tensor | None]:
        """What models of neuralforecast read: (window, bar, channel)."""
        insample = nn.functional.pad(read.to(torch.float32), (0, self.blank_bars))[..., None]
        history = None
        channels = [nn.functional.pad(channel, (0, self.blank_bars)) for channel in channels]
        if self.blank_bars:
            channels.append(self._steps_ahead(read))
        if channels:
            history = torch.stack(channels, dim=-1)
        return {
            "insample_y": insample,
            "insample_mask": torch.ones_like(insample),
            "hist_exog": history,
            "futr_exog": None,
            "stat_exog": None,
        }

    def _steps_ahead(self, read: Tensor) -> Tensor:
        """Tell the blank bars apart: 0 in the past, then the root of the step, as a random walk spreads."""
        steps = torch.arange(self.blank_bars + 1, dtype=torch.float32, device=read.device)
        past = torch.zeros(read.shape[1] - 1, dtype=torch.float32, device=read.device)
        return torch.cat([past, torch.sqrt(steps)]).expand(read.shape[0], -1)


class ForecastNetwork(nn.Module):
    """The served part: a scaled network, and its outputs as quantiles of log returns."""

    def __init__(self, scaled: ScaledNetwork) -> None:
        super().__init__()
        self.scaled = scaled

    def forward(
        self,
        close: Tensor,
        volume: Tensor | None = None,
        time: Tensor | None = None,
        sentiment: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return quantiles (window, step, level), rising, of the log return so far, and the scale (window,).

        See `prediction.Prediction` for both; float64.
        """
        outputs, scale = self.scaled(close, volume, time, sentiment)
        quantiles = self.scaled.head.quantiles(outputs).to(torch.float64)
        ordered = torch.sort(quantiles * scale[:, None, None], dim=2).values
        return ordered, scale


def _core(plan: TrainingPlan, kind: Kind, width: int, input_size: int) -> nn.Module:
    """Build the model of neuralforecast; it reads the number of outputs from its loss.

    Its constructor seeds torch, which is undone here.
    """
    from neuralforecast import models
    from neuralforecast.losses.pytorch import MQLoss

    levels = LEVELS if width == len(LEVELS) else [(i + 1) / (width + 1) for i in range(width)]
    settings: dict[str, Any] = {**plan.architecture, **kind.fixed}
    count = sum(CHANNELS[name] for name in plan.features)
    if kind.is_sequential and plan.horizon > 1:
        count += 1  # the steps ahead
    if count:
        settings["hist_exog_list"] = [f"channel_{number}" for number in range(count)]
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    with torch.random.fork_rng(devices=[]):
        core: nn.Module = getattr(models, kind.model)(
            h=plan.horizon,
            input_size=input_size,
            loss=MQLoss(quantiles=list(levels)),
            random_seed=plan.seed,
            **settings,
        )
    _trim_positions(core, input_size + plan.horizon)
    return core


def _trim_positions(core: nn.Module, length: int) -> None:
    """Cut tables of positions, which are made for 5000 bars, to what is read of them."""
    for module in core.modules():
        table = module._buffers.get("pe")
        if table is not None:
            module._buffers["pe"] = table[:, :length].clone()
