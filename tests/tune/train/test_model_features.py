"""Channels against numpy and the calendar."""

from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from tune.train.features import (
    CHANNELS,
    VOLATILITY_BARS,
    calendar_channels,
    sentiment_channels,
    volatility_channels,
    volume_channels,
)

RANDOM = np.random.default_rng(2)


def test_calendar_is_that_of_datetime() -> None:
    moments = [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2000, 2, 29, 16, tzinfo=UTC),
        datetime(2024, 12, 31, 23, 59, tzinfo=UTC),
        datetime(1965, 6, 1, 12, tzinfo=UTC),
    ]
    ns = np.array([[int(each.timestamp()) * 10**9 for each in moments]])
    week_sin, week_cos, year_sin, year_cos = calendar_channels(torch.from_numpy(ns))
    for column, moment in enumerate(moments):
        day = moment.weekday() + moment.hour / 24 + moment.minute / 1440
        assert float(week_sin[0, column]) == pytest.approx(np.sin(2 * np.pi * day / 7), abs=1e-5)
        assert float(week_cos[0, column]) == pytest.approx(np.cos(2 * np.pi * day / 7), abs=1e-5)
        first = datetime(moment.year, 1, 1, tzinfo=UTC)
        year = (moment - first).total_seconds() / 86_400 / 365.2425
        near = {"abs": 0.02}  # the mean year drifts by up to a day against the calendar
        assert float(year_sin[0, column]) == pytest.approx(np.sin(2 * np.pi * year), **near)
        assert float(year_cos[0, column]) == pytest.approx(np.cos(2 * np.pi * year), **near)


def test_volume_is_standardised_within_the_window() -> None:
    volume = np.round(10.0 ** RANDOM.uniform(0, 7, (4, 12)))
    (channel,) = volume_channels(torch.from_numpy(volume))
    size = np.log(1 + volume)
    expected = (size - size.mean(axis=1, keepdims=True)) / size.std(axis=1, keepdims=True)
    assert channel.numpy() == pytest.approx(expected, abs=1e-5)


def test_volume_that_does_not_move_says_nothing() -> None:
    (channel,) = volume_channels(torch.full((2, 9), 500.0, dtype=torch.float64))
    assert (channel == 0).all()


def test_volatility_is_the_root_mean_square_of_the_last_returns() -> None:
    returns = RANDOM.normal(size=(3, 30))
    (channel,) = volatility_channels(torch.from_numpy(returns))
    assert channel.shape == (3, 31)
    for row in range(3):
        for bar in range(31):
            known = [returns[row, 0]] * VOLATILITY_BARS + returns[row, :bar].tolist()
            mean = np.mean(np.square(known[-VOLATILITY_BARS:]))
            assert float(channel[row, bar]) == pytest.approx(0.5 * np.log(mean + 1e-6), abs=1e-5)


def test_every_feature_makes_the_channels_that_it_says() -> None:
    values = torch.ones(2, 8, dtype=torch.float64)
    made = {
        "volume": volume_channels(values),
        "time": calendar_channels(values.to(torch.int64)),
        "sentiment": sentiment_channels(values),
        "volatility": volatility_channels(values[:, 1:]),
    }
    assert {name: len(channels) for name, channels in made.items()} == CHANNELS
    for channels in made.values():
        assert all(c.shape == (2, 8) and c.dtype == torch.float32 for c in channels)
