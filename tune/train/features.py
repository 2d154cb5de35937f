"""What a network reads beside prices, made inside the graph of what is measured at each bar.

Every function returns channels (window, bar) in float32, of a size near 1.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from tune.train.plan import VOLATILITY

DAY_NS = 86_400_000_000_000
WEEK_NS = 7 * DAY_NS
YEAR_NS = 31_556_952_000_000_000
"""Mean year of the Gregorian calendar: 365.2425 days."""
_MONDAY_NS = 3 * DAY_NS
"""The count of time begins on a Thursday."""
VOLATILITY_BARS = 10
_FLOOR = 1e-6

CHANNELS = {"volume": 1, "time": 4, "sentiment": 1, VOLATILITY: 1}
"""How many channels each feature makes."""


def volume_channels(volume: Tensor) -> list[Tensor]:
    """Return log(1 + volume), standardised within the window; 0 where the volume does not move."""
    size = torch.log1p(volume)
    around = size - size.mean(dim=1, keepdim=True)
    deviation = torch.sqrt((around * around).mean(dim=1, keepdim=True))
    return [(around / torch.clamp(deviation, min=_FLOOR)).to(torch.float32)]


def calendar_channels(time: Tensor) -> list[Tensor]:
    """Return sine and cosine of the place in the week (from Monday) and in the year (UTC).

    Parameters
    ----------
    time : (window, bar) int64
        Close of each bar (ns since 1970).
    """
    places = ((time + _MONDAY_NS) % WEEK_NS, WEEK_NS), (time % YEAR_NS, YEAR_NS)
    turns = [
        (2.0 * math.pi * place.to(torch.float64) / length).to(torch.float32)
        for place, length in places
    ]
    return [wave(turn) for turn in turns for wave in (torch.sin, torch.cos)]


def sentiment_channels(sentiment: Tensor) -> list[Tensor]:
    """Return the tone as it is (-1 to 1)."""
    return [sentiment.to(torch.float32)]


def volatility_channels(returns: Tensor) -> list[Tensor]:
    """Return the log of the root mean square of the last returns, 0 at the mean of the window.

    Parameters
    ----------
    returns : (window, bar - 1)
        Log returns in deviations of the window. The first bars see the first return again and again.
    """
    squares = (returns * returns).to(torch.float32)[:, None]
    before = squares[..., :1].expand(-1, -1, VOLATILITY_BARS)
    recent = functional.avg_pool1d(torch.cat([before, squares], dim=2), VOLATILITY_BARS, stride=1)
    return [0.5 * torch.log(recent[:, 0] + _FLOOR)]
