"""The tables of the page: each column is described once, for the template and for the script.

The template writes the description into the heading cell (`data-field`, `data-form`), and the script fills
rows by what it reads there.
"""

from typing import NamedTuple


class Column(NamedTuple):
    """One column.

    Attributes
    ----------
    field : str
        Of the answer's model that a row is made of.
    form : str
        How a value is written: one of `figures.FORMS`.
    is_wide : bool
        Left out on a narrow screen.
    """

    field: str
    title: str
    form: str = "text"
    is_wide: bool = False


class Table(NamedTuple):
    """One table.

    Attributes
    ----------
    key : tuple of str
        Fields that tell its rows apart.
    caption : str
        What a screen reader says it holds.
    empty : str
        What stands there when there are no rows.
    """

    name: str
    caption: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    empty: str


POSITIONS = Table(
    "positions",
    "Open positions, largest value first",
    ("account", "instrument_id"),
    (
        Column("symbol", "Symbol"),
        Column("quantity", "Quantity", "quantity"),
        Column("average_price", "Paid", "price", is_wide=True),
        Column("last_price", "Last", "price"),
        Column("value", "Value", "money", is_wide=True),
        Column("unrealized_pnl", "Open P&L", "gain"),
        Column("realized_pnl", "Realised", "gain", is_wide=True),
        Column("account", "Account", "text", is_wide=True),
    ),
    "No open positions.",
)
STRATEGIES = Table(
    "strategies",
    "Strategies with what they made",
    ("strategy_id",),
    (
        Column("strategy_id", "Strategy"),
        Column("profit", "P&L", "gain"),
        Column("total_return", "Return", "gain_percent"),
        Column("sharpe_ratio", "Sharpe", "ratio", is_wide=True),
        Column("max_drawdown", "Max DD", "percent", is_wide=True),
        Column("exposure", "Exposure", "money", is_wide=True),
        Column("trades", "Trades", "count"),
        Column("halt_reason", "State", "halt"),
    ),
    "No strategy has an account yet.",
)
ORDERS = Table(
    "orders",
    "Open orders, then the newest others",
    ("client_order_id",),
    (
        Column("updated_at", "Time", "time", is_wide=True),
        Column("symbol", "Symbol", "story"),
        Column("side", "Side", "side"),
        Column("quantity", "Quantity", "quantity"),
        Column("filled_quantity", "Filled", "quantity", is_wide=True),
        Column("average_price", "Price", "price", is_wide=True),
        Column("status", "Status", "status"),
        Column("code", "Refused for", "text", is_wide=True),
        Column("strategy_id", "Strategy", "text", is_wide=True),
    ),
    "No orders yet.",
)
FILLS = Table(
    "fills",
    "Fills, newest first",
    ("account", "trade_id"),
    (
        Column("filled_at", "Time", "time", is_wide=True),
        Column("symbol", "Symbol", "story"),
        Column("side", "Side", "side"),
        Column("quantity", "Quantity", "quantity"),
        Column("price", "Price", "price"),
        Column("realized_pnl", "Realised", "gain"),
        Column("commission", "Fee", "money", is_wide=True),
        Column("strategy_id", "Strategy", "text", is_wide=True),
    ),
    "No fills yet.",
)
LIMITS = Table(
    "limits",
    "Risk limits with the room that is left",
    ("name",),
    (
        Column("name", "Limit", "words"),
        Column("used", "Room", "room"),
        Column("limit", "Limit", "number"),
        Column("left", "Left", "number"),
        Column("account", "Account", "text", is_wide=True),
    ),
    "No limit is set.",
)
ACTORS = Table(
    "actors",
    "Actors by node, with restarts",
    ("name",),
    (
        Column("name", "Actor"),
        Column("node", "Node", "text", is_wide=True),
        Column("pid", "Process", "identity", is_wide=True),
        Column("restarts", "Restarts", "restarts"),
        Column("messages", "Messages", "count"),
        Column("is_alive", "State", "alive"),
        Column("machines", "Runs", "list", is_wide=True),
    ),
    "No actor is placed.",
)
VENUES = Table(
    "venues",
    "Venues, and how we stand there",
    ("account", "venue"),
    (
        Column("venue", "Venue"),
        Column("account", "Account", "text", is_wide=True),
        Column("is_ready", "State", "ready"),
        Column("feed_problem", "Market data", "trouble"),
        Column("skew_ms", "Clock", "milliseconds", is_wide=True),
        Column("reason", "Reason", "text", is_wide=True),
    ),
    "No venue: a replay at the simulated exchange.",
)
MODELS = Table(
    "models",
    "Models with champion and challenger",
    ("name",),
    (
        Column("name", "Model"),
        Column("champion", "Champion", "version"),
        Column("challenger", "Challenger", "version"),
        Column("versions", "Versions", "count", is_wide=True),
        Column("by", "Decided by", "text", is_wide=True),
        Column("why", "Why", "text", is_wide=True),
    ),
    "No model is registered.",
)
JOBS = Table(
    "jobs",
    "Backtests, newest first",
    ("id",),
    (
        Column("created_at", "Started", "time", is_wide=True),
        Column("command", "Backtest", "result"),
        Column("state", "State", "status"),
        Column("progress", "Progress", "text", is_wide=True),
        Column("owner", "By", "text", is_wide=True),
    ),
    "No backtest yet: start one above.",
)
METRICS = Table(
    "metrics",
    "The backtest beside its yardsticks",
    ("strategy",),
    (
        Column("strategy", "Run"),
        Column("total_return", "Return", "gain_percent"),
        Column("annual_return", "A year", "gain_percent", is_wide=True),
        Column("volatility", "Volatility", "percent", is_wide=True),
        Column("sharpe", "Sharpe", "ratio"),
        Column("sortino", "Sortino", "ratio", is_wide=True),
        Column("max_drawdown", "Max DD", "percent"),
        Column("trades", "Trades", "count", is_wide=True),
    ),
    "The backtest named no results.",
)
POOLS = Table(
    "pools",
    "Sandbox pools: places, and who waits for one",
    ("name",),
    (
        Column("name", "Node"),
        Column("held", "In use", "count"),
        Column("places", "Places", "count"),
        Column("warm", "Warm", "count", is_wide=True),
        Column("waiting", "Waiting", "count"),
    ),
    "No pool: each sandbox is made when it is needed.",
)
SUBMISSIONS = Table(
    "submissions",
    "Work of the sandbox, newest first",
    ("id",),
    (
        Column("created_at", "Started", "time", is_wide=True),
        Column("command", "Work", "result"),
        Column("state", "State", "status"),
    ),
    "Nothing was submitted yet.",
)
AUDIT = Table(
    "audit",
    "Who asked for what, newest first",
    ("at", "action", "subject", "outcome"),
    (
        Column("at", "Time", "time"),
        Column("actor", "Who"),
        Column("action", "Action"),
        Column("subject", "About", "text", is_wide=True),
        Column("outcome", "Outcome", "status"),
        Column("address", "From", "text", is_wide=True),
    ),
    "Nothing was asked for yet.",
)
DENIALS = Table(
    "denials",
    "Orders that our own rules refused, by reason",
    ("code",),
    (Column("code", "Refused for"), Column("count", "Orders", "count")),
    "No order was refused.",
)

ACCOUNT = (
    Column("equity", "Equity", "money"),
    Column("unrealized_pnl", "Open P&L", "gain"),
    Column("realized_pnl", "Realised", "gain"),
    Column("cash", "Cash", "money"),
    Column("gross_exposure", "Gross", "money"),
    Column("net_exposure", "Net", "money"),
    Column("drawdown", "Drawdown", "percent"),
    Column("max_drawdown", "Max DD", "percent"),
    Column("sharpe_ratio", "Sharpe", "ratio"),
    Column("commissions", "Fees", "money"),
    Column("venue", "Venue"),
    Column("account", "Account"),
)
"""Figures of one account, in a row."""
RISK = (
    Column("state", "State"),
    Column("daily_loss", "Loss today", "money"),
    Column("kill_switch", "Kill switch"),
    Column("code", "Code"),
    Column("reason", "Reason"),
)
LATENCY = (
    Column("tick_to_order_p50_us", "Tick to order p50", "microseconds"),
    Column("tick_to_order_p99_us", "p99", "microseconds"),
    Column("feed_age_s", "Feed age", "seconds"),
)
ORDER = (
    Column("symbol", "Symbol"),
    Column("side", "Side", "side"),
    Column("quantity", "Quantity", "quantity"),
    Column("filled_quantity", "Filled", "quantity"),
    Column("average_price", "Price", "price"),
    Column("order_type", "Type", "status"),
    Column("status", "Status", "status"),
    Column("code", "Refused for"),
    Column("strategy_id", "Strategy"),
    Column("purpose", "Purpose"),
    Column("client_order_id", "Order"),
)
