"""The configuration as one frozen typed tree. Units are the last word of each name.

The defaults here are the specification's; `cluster/demo.toml` scales them for the demo account.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cluster.config.access import AuthConfig
from cluster.config.account import AccountConfig, LinkedAccountConfig
from cluster.config.alerts import AlertsConfig
from cluster.config.execution import ExecutionConfig
from cluster.config.forecasting import ForecastSourceConfig, ModelsConfig, ServeConfig
from cluster.config.sandbox import SandboxConfig
from cluster.config.sections import (
    Count,
    Money,
    Name,
    OptionalMoney,
    OptionalRatio,
    Ratio,
    Section,
    Symbols,
    UserPath,
)
from cluster.config.venues import FeedConfig, InstrumentConfig, VenueConfig
from trading.account import OPERATOR
from trading.strategies.switch import OnFailure

MACHINE_KINDS = (
    "replay",
    "exchange",
    "market",
    "feed",
    "book",
    "forecast",
    "strategy",
    "execution",
    "risk",
    "broker",
    "ledger",
)


SERVERS = ("redis", "rediss", "unix")
"""Schemes of journals that are not on disk."""


def _beside(journal: str, folder: Path) -> str:
    """Return the folder `agents` beside a journal on disk; a server holds both.

    Beside, for the newest journal on disk is taken for that of the newest run.
    """
    parts = urlsplit(journal)
    if parts.scheme in SERVERS:
        return journal
    path = Path(unquote(parts.path)) if parts.scheme == "sqlite" else folder / "journal"
    return f"sqlite://{quote(str(path.with_name('agents')))}"


class ClusterConfig(Section):
    """Where and how the cluster runs."""

    name: Name = Field(
        default="demo", description="Name of the cluster; also names its state folder."
    )
    mode: Literal["paper", "live"] = Field(
        default="paper",
        description="`paper` never touches real money; `live` passes the gate of [live].",
    )
    address: str = Field(
        default="local",
        description="`local` starts Ray here; `auto` joins the Ray of this machine; "
        "`ray://host:port` joins another.",
    )
    state_dir: UserPath = Field(
        default=Path(),
        description="Folder of journal, secret, logs and reports.",
        json_schema_extra={"default": "~/.local/state/neural-trader/<name>"},
    )
    journal: str = Field(
        default="",
        repr=False,
        description="`sqlite:///folder`, `redis://host:port/db` or `unix:///socket`.",
        json_schema_extra={"default": "sqlite://<state_dir>/journal"},
    )
    bind: str = Field(
        default="127.0.0.1",
        description="Address that servers listen on; anything but loopback needs Ray token "
        "authentication.",
    )
    dashboard: bool = Field(default=True, description="Serve the Ray dashboard (port 8265).")
    num_cpus: Count | None = Field(
        default=None, description="CPUs that a local Ray may use; empty is all of them."
    )
    placement: Literal["fused", "spread"] | dict[str, tuple[str, ...]] = Field(
        default="fused",
        description="`fused`: book, strategies and risk share a process; `spread`: one process "
        "per machine; or a table host -> list of machine kinds or names.",
    )
    labels: dict[str, dict[str, str]] = Field(
        default={},
        description="Ray node labels that a host must be placed on: host -> label -> value.",
    )
    spare_hosts: int = Field(
        default=1, ge=0, description="Warm standby processes that take over from a killed one."
    )
    secret_file: UserPath = Field(
        default=Path(),
        description="File of the cluster secret, readable by its owner alone (0600).",
        json_schema_extra={"default": "<state_dir>/secret"},
    )
    ladder: str = Field(
        default="",
        repr=False,
        description="Where the record of the strategies of agents is, which all runs share; as `journal`.",
        json_schema_extra={"default": "folder agents beside the journal, or its server"},
    )
    sandbox_dir: UserPath = Field(
        default=Path(),
        description="Folder of the copies that sandboxes of this machine run on, and of what pools know.",
        json_schema_extra={"default": "<state_dir>/sandboxes"},
    )

    @model_validator(mode="before")
    @classmethod
    def _derive_paths(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        name = values.get("name", cls.model_fields["name"].default)
        state = values.get("state_dir") or Path("~/.local/state/neural-trader") / str(name)
        folder = Path(str(state)).expanduser().absolute()
        derived = {
            "state_dir": folder,
            "journal": f"sqlite://{quote(str(folder / 'journal'))}",
            "secret_file": folder / "secret",
            "sandbox_dir": folder / "sandboxes",
        }
        known = derived | {key: value for key, value in values.items() if value != ""}
        return {"ladder": _beside(str(known["journal"]), folder), **known}

    @field_validator("address")
    @classmethod
    def _known_address(cls, address: str) -> str:
        if address in ("local", "auto") or re.fullmatch(r"ray://[^:/]+:\d+", address):
            return address
        raise ValueError("must be local, auto or ray://host:port")

    @field_validator("journal", "ladder")
    @classmethod
    def _known_journal(cls, url: str) -> str:
        if url.startswith(("sqlite:", *(f"{scheme}://" for scheme in SERVERS))):
            return url
        raise ValueError("must be sqlite:///folder, redis://host:port/db or unix:///socket")

    @field_validator("placement", mode="before")
    @classmethod
    def _complete_placement(cls, placement: object) -> object:
        if placement in ("fused", "spread"):
            return placement
        if not isinstance(placement, dict):
            raise ValueError("must be fused, spread or a table host -> list of machine kinds")
        placed = [entry for entries in placement.values() for entry in entries]
        unknown = [entry for entry in placed if entry.partition(":")[0] not in MACHINE_KINDS]
        if unknown:
            raise ValueError(f"names {', '.join(unknown)}; kinds are {', '.join(MACHINE_KINDS)}")
        return placement


class DataConfig(Section):
    """What is replayed, and how fast."""

    source: str = Field(
        default="sp500",
        description="`sp500` (20 stocks, 1990 to 2022, shipped with skfolio), or the path of a "
        "CSV or Parquet file.",
    )
    symbols: Symbols = Field(
        default=(), description="Symbols to trade; empty is all that the source has."
    )
    days: Count = Field(
        default=756, description="Trading days at the end of the data that are traded."
    )
    pace_slices_per_s: float = Field(
        default=8.0, ge=0, description="Replayed days per second; 0 is as fast as possible."
    )
    settle_timeout_s: float = Field(
        default=1.0,
        gt=0,
        description="How long the replay waits for all actors to finish a day (s).",
    )


class ExchangeConfig(Section):
    """What the simulated exchange assumes."""

    half_spread_bps: float = Field(
        default=1.0, ge=0, description="Half of the bid-ask spread around the price (basis points)."
    )
    levels: Count = Field(default=10, description="Price levels of liquidity on each side.")
    depth: Annotated[Decimal, Field(gt=0)] = Field(
        default=Decimal(100_000), description="Value offered on each level (USD)."
    )
    fee_bps: Decimal = Field(
        default=Decimal(0), ge=0, description="Fee (basis points of the value)."
    )
    fee_per_share: Decimal = Field(
        default=Decimal("0.005"), ge=0, description="Fee per share (USD)."
    )
    fee_min: Decimal = Field(default=Decimal(1), ge=0, description="Least fee of one fill (USD).")
    slippage_bps: float = Field(
        default=0.0, ge=0, description="Extra cost of market orders (basis points)."
    )
    latency_ms: float = Field(
        default=0.0, ge=0, description="Time between a request and its effect (milliseconds)."
    )
    allow_short: bool = Field(default=True, description="Positions may go below zero.")
    max_leverage: Decimal = Field(
        default=Decimal(2),
        ge=1,
        description="Gross exposure that the venue accepts, as a multiple of equity.",
    )


class RiskConfig(Section):
    """Limits of the risk manager. Money is in account currency, ratios are fractions of 1."""

    max_shares: Annotated[Decimal, Field(gt=0)] = Field(
        default=Decimal(1_000), description="Largest quantity of one order (units)."
    )
    max_notional_per_position: Money = Field(
        default=Decimal(10_000), description="Largest value of one position."
    )
    max_total_exposure: Money = Field(
        default=Decimal(50_000), description="Largest sum of absolute position values."
    )
    max_strategy_exposure: Money | None = Field(
        default=None,
        description="Largest gross exposure of one strategy; empty is no limit of its own.",
    )
    max_open_positions: Count = Field(default=5, description="Largest number of positions.")
    max_loss_per_trade: Money = Field(
        default=Decimal(500), description="Largest loss at the stop of one order."
    )
    max_daily_loss: Money = Field(
        default=Decimal(5_000), description="Loss of a day that halts trading until the next."
    )
    max_drawdown_ratio: Ratio = Field(
        default=Decimal("0.10"),
        description="Fall from the equity peak after which only reducing orders pass.",
    )
    max_consecutive_losses: Count = Field(
        default=5, description="Losing trades in a row that open the circuit breaker."
    )
    max_trades_per_day: Count = Field(
        default=50, description="Trades of one day that open the circuit breaker."
    )
    cooldown_min: Annotated[int, Field(ge=0)] = Field(
        default=60, description="How long the circuit breaker stays open (market minutes)."
    )
    max_orders_per_second: Count = Field(
        default=100, description="Order rate throttle (per host second)."
    )
    stop_loss_ratio: OptionalRatio = Field(
        default=Decimal("0.02"),
        description='Stop below the average price of a position; "off" places none.',
    )
    trailing_stop_ratio: OptionalRatio = Field(
        default=Decimal("0.015"),
        description='Distance of the trailing stop from the best price; "off" places none.',
    )
    trailing_activation_ratio: Ratio = Field(
        default=Decimal("0.02"), description="Gain after which the trailing stop is placed."
    )
    take_profit_ratio: OptionalMoney = Field(
        default=None, description='Gain at which a position is closed; "off" never.'
    )
    max_order_value: Money | None = Field(
        default=None, description="Largest value of one order; empty is no limit, here and below."
    )
    price_collar_ratio: Ratio | None = Field(
        default=None, description="How far a limit price may lie through the book."
    )
    max_open_orders: Count | None = Field(
        default=None, description="Largest number of working orders."
    )
    max_gross_leverage: Money | None = Field(
        default=None, description="Largest gross exposure as a multiple of equity."
    )
    max_net_leverage: Money | None = Field(
        default=None, description="Largest net exposure as a multiple of equity."
    )
    max_concentration_ratio: Money | None = Field(
        default=None, description="Largest position as a ratio of equity."
    )
    max_group_exposure: dict[str, Money] = Field(
        default={},
        description='Largest gross exposure of groups: "sector:energy", "currency:USD", "venue:XNAS".',
    )
    sectors: dict[str, str] = Field(default={}, description="Sector of each symbol.")
    restricted: Symbols = Field(
        default=(), description="Symbols that may only be reduced (AAPL or AAPL.XNAS)."
    )
    require_locate: bool = Field(
        default=False, description="A short position needs units in `located`."
    )
    located: dict[str, Money] = Field(
        default={}, description="Units that may be sold short, by symbol."
    )
    must_be_open: bool = Field(
        default=False, description="New orders only in a session of `calendar`."
    )
    calendar: str = Field(
        default="none",
        description="Exchange whose sessions are the trading days (XNYS, CMES, 24/7); `none`: days of UTC.",
    )
    max_value_at_risk: Money | None = Field(
        default=None, description="Largest normal value at risk of one bar, after the order."
    )
    value_at_risk_confidence: Annotated[Decimal, Field(gt=0, lt=1)] = Field(
        default=Decimal("0.99"), description="Confidence of that value at risk."
    )
    max_correlated_exposure: Money | None = Field(
        default=None, description="Largest exposure in instruments that move together."
    )
    correlation_threshold: Annotated[Decimal, Field(gt=0, lt=1)] = Field(
        default=Decimal("0.8"), description="Correlation from which on instruments move together."
    )
    max_reject_rate: Ratio | None = Field(
        default=None, description="Refused part of the last orders that opens the breaker."
    )
    max_slippage_bps: Money | None = Field(
        default=None, description="Mean cost of the last fills that opens the breaker."
    )
    outcome_window: Count = Field(
        default=20, description="How many orders, and fills, these two look at."
    )
    max_strategy_daily_loss: Money | None = Field(
        default=None, description="Loss of a day that halts one strategy until the next."
    )
    warn_at_ratio: OptionalRatio = Field(
        default=Decimal("0.8"), description='Part of a limit on losses that is warned of, or "off".'
    )
    flatten_at: Money | None = Field(
        default=None,
        description="Multiple of a limit on losses at which every position is closed.",
    )
    kill_at: Money | None = Field(
        default=None, description="Multiple of a limit on losses that trips the kill switch."
    )
    debounce_readings: Count = Field(
        default=2, description="Equity readings in a row before either is done."
    )


class StrategyConfig(Section):
    """One running strategy; its id is the name of the table."""

    kind: str = Field(description="Registered strategy, for example `momentum`.")
    capital: Ratio = Field(
        default=Decimal(1), description="Fraction of the account's equity that it may use."
    )
    params: dict[str, Any] = Field(default={}, description="Parameters of the strategy.")
    forecaster: str = Field(
        default="autoregression",
        description="Who forecasts for a strategy that needs it: `autoregression`, `drift`, yours, or a "
        "registered model such as `nhits@champion`.",
    )
    signals: dict[str, Name] = Field(
        default={},
        description="Published signals that it reads: `forecast`, `leader` or `sentiment` -> source; "
        "see `trader publish`.",
    )
    on_failure: OnFailure = Field(
        default=OnFailure.FLATTEN,
        description="Its positions when it is switched off because it raised, gave nonsense, or its sandbox "
        "was killed: `flatten` closes them, `hold` leaves them to the stops.",
    )


class LoggingConfig(Section):
    """What is logged, and how."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least severe level that is kept."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: coloured text on a terminal, JSON lines elsewhere."
    )

    @field_validator("level", mode="before")
    @classmethod
    def _upper(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level


class LiveConfig(Section):
    """The gate to real money: mode, this table and TRADER_LIVE_CONFIRM must name every account."""

    confirm_account: Symbols = Field(
        default=(),
        description="The account id, typed once more, or a list of them where there are several; required when "
        "cluster.mode is live.",
    )


class Config(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        env_prefix="TRADER_",
        env_nested_delimiter="__",
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        title="neural-trader configuration",
    )

    cluster: ClusterConfig = Field(
        default_factory=ClusterConfig, description="Where and how the cluster runs."
    )
    account: AccountConfig = Field(
        default_factory=AccountConfig, description="The account that is traded."
    )
    accounts: dict[Name, LinkedAccountConfig] = Field(
        default={}, description="Further accounts at other real venues, by name."
    )
    venues: dict[Name, VenueConfig] = Field(
        default={}, description="Venues by name, with the options of their adapters."
    )
    feed: FeedConfig = Field(default_factory=FeedConfig, description="Market data of a real venue.")
    instruments: tuple[InstrumentConfig, ...] = Field(
        default=(), description="What is traded, where the venue cannot be asked."
    )
    data: DataConfig = Field(
        default_factory=DataConfig, description="What is replayed, and how fast."
    )
    exchange: ExchangeConfig = Field(
        default_factory=ExchangeConfig, description="What the simulated exchange assumes."
    )
    risk: RiskConfig = Field(default_factory=RiskConfig, description="Limits of the risk manager.")
    strategies: dict[Name, StrategyConfig] = Field(
        default={}, description="The running strategies by id."
    )
    execution: ExecutionConfig = Field(
        default_factory=ExecutionConfig, description="The desk that works large orders over time."
    )
    alerts: AlertsConfig = Field(
        default_factory=AlertsConfig, description="Whom `trader alerts` tells, and when."
    )
    models: ModelsConfig = Field(
        default_factory=ModelsConfig, description="Where forecasting models are kept."
    )
    serve: ServeConfig = Field(default_factory=ServeConfig, description="How forecasts are served.")
    auth: AuthConfig = Field(
        default_factory=AuthConfig, description="Who may come in at the front desk."
    )
    sandbox: SandboxConfig = Field(
        default_factory=SandboxConfig, description="Sandboxes that the cluster shares."
    )
    forecasts: dict[Name, ForecastSourceConfig] = Field(
        default={}, description="Sources of forecasts that run in the cluster, by name."
    )
    logging: LoggingConfig = Field(
        default_factory=LoggingConfig, description="What is logged, and how."
    )
    live: LiveConfig = Field(default_factory=LiveConfig, description="The gate to real money.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the constructor alone: `loading` reads every layer and knows its origin."""
        return (init_settings,)

    @model_validator(mode="after")
    def _strategies_fit(self) -> Self:
        if OPERATOR in self.strategies:
            raise ValueError(f"strategies.{OPERATOR}: people trade by that name; take another")
        total = sum((strategy.capital for strategy in self.strategies.values()), Decimal(0))
        if total > 1:
            raise ValueError(
                f"the capital of the strategies adds up to {total}; it must not exceed 1"
            )
        return self
