from decimal import Decimal

import msgspec
import pytest

from trading.risk.limits import RiskLimits, SymbolLimits


def test_defaults_are_the_specification():
    limits = RiskLimits()
    assert limits.max_shares == 1000
    assert limits.max_notional_per_position == 10_000
    assert limits.max_total_exposure == 50_000
    assert limits.max_open_positions == 5
    assert limits.max_loss_per_trade == 500
    assert limits.max_daily_loss == 5_000
    assert limits.max_drawdown == Decimal("0.10")
    assert (limits.max_consecutive_losses, limits.max_trades_per_day) == (5, 50)
    assert limits.breaker_cooldown_ns == 3600 * 10**9
    assert (limits.stop_loss, limits.trailing_stop) == (Decimal("0.02"), Decimal("0.015"))
    assert limits.trailing_activation == Decimal("0.02")
    assert limits.max_data_age_ns == 5 * 10**9


@pytest.mark.parametrize(
    "bad",
    [
        {"max_shares": Decimal(0)},
        {"max_total_exposure": Decimal(-1)},
        {"max_daily_loss": Decimal("NaN")},
        {"max_daily_loss": Decimal("Infinity")},
        {"max_notional_per_position": 10_000.0},
        {"max_loss_per_trade": None},
        {"max_drawdown": Decimal("1.5")},
        {"stop_loss": Decimal(2)},
        {"trailing_activation": Decimal(0)},
        {"max_open_positions": 0},
        {"max_orders_per_second": 0},
        {"breaker_cooldown_min": -1},
        {"max_data_age_s": 0.0},
        {"max_data_age_s": float("nan")},
        {"max_strategy_exposure": {"one": Decimal(0)}},
    ],
)
def test_limit_out_of_range_is_refused_by_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        RiskLimits(**bad)


def test_stops_can_be_switched_off():
    limits = RiskLimits(stop_loss=None, trailing_stop=None)
    assert limits.stop_loss is None
    assert limits.trailing_stop is None


def test_symbol_limits_replace_only_what_they_name():
    limits = RiskLimits(symbols={"A.X": SymbolLimits(max_shares=Decimal(7))})
    assert limits.shares_of("A.X") == 7
    assert limits.notional_of("A.X") == 10_000
    assert limits.shares_of("B.X") == 1000


def test_symbol_limit_must_be_positive():
    with pytest.raises(ValueError, match="max_notional"):
        SymbolLimits(max_notional=Decimal(-5))


def test_limits_decode_from_plain_numbers_and_refuse_unknown_names():
    limits = msgspec.convert(
        {"max_shares": "10", "symbols": {"A.X": {"max_shares": 3}}}, RiskLimits
    )
    assert limits.max_shares == 10
    assert limits.shares_of("A.X") == 3
    with pytest.raises(msgspec.ValidationError, match="max_share"):
        msgspec.convert({"max_share": 1}, RiskLimits)
