"""`trader ib`: what only Interactive Brokers has. Questions alone: nothing here sends an order."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cluster.cli.options import ConfigOption, JsonOption, config_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal
    from pathlib import Path

    from actors.venues.ib.news import Headline
    from actors.venues.ib.options import Greeks, OptionChain
    from actors.venues.ib.scanner import ScannerRow
    from cluster.ib_questions import Ask
    from trading.instruments import Instrument

app = typer.Typer(
    help="Ask Interactive Brokers: option chains, Greeks, market scans, headlines.",
    no_args_is_help=True,
)

SymbolArgument = Annotated[
    str, typer.Argument(metavar="SYMBOL", help="AAPL, AAPL.XNAS, ESZ6.XCME or IB's number.")
]
ClientIdOption = Annotated[
    int | None,
    typer.Option(
        "--client-id",
        metavar="N",
        min=0,
        help="Client id at TWS; by default that of the market data, which a running cluster holds.",
    ),
]

_Answer = TypeVar("_Answer")


@app.command()
def chain(
    symbol: SymbolArgument,
    expiry: Annotated[
        str, typer.Option("--expiry", metavar="DATE", help="Show the strikes of this day.")
    ] = "",
    client_id: ClientIdOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the options on a symbol: their expiries, or the strikes of one expiry.

    IB lists strikes by exchange, not by day: not every strike exists on every day.
    """
    from cluster.cli.output import print_json, print_table
    from cluster.ib_questions import ask_chains

    day = _day(expiry)
    found = _asked(lambda feed: ask_chains(feed, symbol, day), config, client_id)
    if as_json:
        print_json({"underlying": found[0].underlying, "chains": [_chain(each) for each in found]})
    elif day:
        print_table(("strike", "class", "multiplier", "exchanges"), _strike_rows(found))
    else:
        print_table(
            ("expiry", "class", "multiplier", "strikes", "lowest", "highest", "exchanges"),
            _expiry_rows(found),
        )


@app.command()
def greeks(
    contract: Annotated[
        str, typer.Argument(metavar="CONTRACT", help="AAPL261218C00250000 or IB's number.")
    ],
    seconds: Annotated[
        int,
        typer.Option(
            "--seconds",
            metavar="N",
            min=0,
            max=3_600,
            help="Listen for so long and show every value; 0: until the first.",
        ),
    ] = 0,
    client_id: ClientIdOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the implied volatility and the Greeks of one option, as IB's model computes them now.

    They are of one unit, not of one contract: vega for one point of volatility, theta for one day.
    """
    from cluster.cli.output import print_facts, print_json, print_table
    from cluster.ib_questions import ask_greeks

    option, found = _asked(lambda feed: ask_greeks(feed, contract, seconds), config, client_id)
    if as_json:
        print_json({"option": _option(option), "greeks": found})
        return
    print_facts(_option_facts(option))
    typer.echo()
    print_table(
        ("time (UTC)", "volatility", "delta", "gamma", "vega", "theta", "price", "underlying"),
        [_greeks_row(each) for each in found],
    )


@app.command()
def scan(
    code: Annotated[
        str, typer.Argument(metavar="CODE", help="TOP_PERC_GAIN, MOST_ACTIVE, HOT_BY_VOLUME ...")
    ],
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=1, max=50, help="At most so many.")
    ] = 20,
    location: Annotated[
        str, typer.Option("--location", metavar="CODE", help="IB's code of the market.")
    ] = "STK.US.MAJOR",
    instrument: Annotated[
        str, typer.Option("--instrument", metavar="CODE", help="IB's code of the kind.")
    ] = "STK",
    client_id: ClientIdOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank instruments by one of the criteria of IB's market scanner."""
    from cluster.cli.output import print_json, print_table
    from cluster.ib_questions import ask_scan

    answer = _asked(
        lambda feed: ask_scan(feed, code, instrument, location, rows), config, client_id
    )
    found = [_scanned(each) for each in answer]
    if as_json:
        print_json({"code": code, "location": location, "rows": found})
    else:
        print_table(
            ("rank", "instrument", "name at IB", "currency", "value"),
            [tuple(value or "-" for value in row.values()) for row in found],
        )


@app.command()
def news(
    symbol: SymbolArgument,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=1, max=300, help="At most so many.")
    ] = 20,
    client_id: ClientIdOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show headlines about a symbol of the last 30 days, newest first: text from outside.

    They come from the news providers that the account is subscribed to at IB.
    """
    from cluster.cli.output import print_json, print_table
    from cluster.ib_questions import ask_news

    key, found = _asked(lambda feed: ask_news(feed, symbol, rows), config, client_id)
    lines = [_headline(each) for each in found]
    if as_json:
        print_json({"instrument_id": key, "is_untrusted": True, "headlines": lines})
    else:
        print_table(
            ("time (UTC)", "provider", "headline"),
            [(each["time"], each["provider"], each["text"]) for each in lines],
        )


def _asked(ask: "Ask[_Answer]", path: "Path | None", client_id: int | None) -> _Answer:
    import asyncio

    from cluster.ib_questions import ask_ib, ib_settings

    return asyncio.run(ask_ib(ib_settings(config_of(path), client_id), ask))


def _day(text: str) -> str:
    """Return a day as ISO 8601 has it; empty for none."""
    from trading.errors import UsageError

    if not text:
        return ""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"--expiry {text}: no such day; write it as 2026-12-18.") from None


def _chain(found: "OptionChain") -> dict[str, Any]:
    return {
        "exchange": _plain(found.exchange),
        "trading_class": _plain(found.trading_class),
        "multiplier": found.multiplier,
        "expiries": found.expiries,
        "strikes": found.strikes,
    }


def _expiry_rows(chains: "Sequence[OptionChain]") -> "list[tuple[object, ...]]":
    """One row for each expiry and trading class, with the strikes of all exchanges."""
    from cluster.cli.wording import units

    rows: list[tuple[object, ...]] = []
    for (name, multiplier), alike in _by_class(chains).items():
        for day in {day for each in alike for day in each.expiries}:
            listed = [each for each in alike if day in each.expiries]
            strikes = {strike for each in listed for strike in each.strikes}
            span = (units(min(strikes, default=None)), units(max(strikes, default=None)))
            kind = (_plain(name), units(multiplier))
            rows.append((day, *kind, len(strikes), *span, _exchanges(listed)))
    return sorted(rows, key=lambda row: (row[0], row[1]))


def _strike_rows(chains: "Sequence[OptionChain]") -> "list[tuple[object, ...]]":
    """One row for each strike and trading class."""
    from cluster.cli.wording import units

    rows = []
    for (name, multiplier), alike in _by_class(chains).items():
        for strike in {strike for each in alike for strike in each.strikes}:
            listed = [each for each in alike if strike in each.strikes]
            rows.append((strike, _plain(name), units(multiplier), _exchanges(listed)))
    return [(units(strike), *rest) for strike, *rest in sorted(rows)]


def _by_class(
    chains: "Sequence[OptionChain]",
) -> "dict[tuple[str, Decimal], list[OptionChain]]":
    found: dict[tuple[str, Decimal], list[OptionChain]] = {}
    for each in chains:
        found.setdefault((each.trading_class, each.multiplier), []).append(each)
    return found


def _exchanges(chains: "Iterable[OptionChain]") -> str:
    return " ".join(_plain(each.exchange) for each in chains)


def _option(option: "Instrument") -> dict[str, Any]:
    return {
        "instrument_id": _plain(option.instrument_id),
        "underlying": _plain(option.underlying),
        "expiry": option.expiry,
        "strike": option.strike,
        "right": option.right,
        "multiplier": option.multiplier,
        "currency": option.currency,
    }


def _option_facts(option: "Instrument") -> dict[str, str]:
    from cluster.cli.wording import units

    return {
        "Option": _plain(option.instrument_id),
        "Underlying": _plain(option.underlying),
        "Terms": f"{option.right or '-'} {units(option.strike)} {option.currency}",
        "Expiry": option.expiry,
        "Units": f"{units(option.multiplier)} per contract",
    }


def _greeks_row(found: "Greeks") -> tuple[str, ...]:
    from cluster.cli.wording import moment, percent, units

    sensitivities = (found.delta, found.gamma, found.vega, found.theta)
    return (
        moment(found.ts_init),
        percent(found.implied_volatility),
        *("-" if value is None else f"{value:.4g}" for value in sensitivities),
        units(found.price),
        units(found.underlying_price),
    )


def _scanned(found: "ScannerRow") -> dict[str, Any]:
    contract = found.contract
    return {
        "rank": found.rank + 1,
        "instrument_id": _plain(found.instrument_id),
        "local_symbol": _plain(contract.local_symbol or contract.symbol),
        "currency": _plain(contract.currency),
        "value": _plain(found.value),
    }


def _headline(found: "Headline") -> dict[str, Any]:
    from cluster.cli.wording import moment

    return {
        "ts_event": found.ts_event,
        "time": moment(found.ts_event),
        "provider": _plain(found.provider),
        "article_id": _plain(found.article_id),
        "text": _plain(found.text),
    }


def _plain(text: str) -> str:
    from cluster.ib_questions import one_line

    return one_line(text)
