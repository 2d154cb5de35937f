"""What the venue lists: stocks, coins and option contracts."""

from typing import Any

from aiohttp import web

from tests.venues.alpaca.ledger import Ledger
from tests.venues.alpaca.records import Refused
from trading.values import AssetClass

EXCHANGES = {"XNAS": "NASDAQ", "XNYS": "NYSE", "ARCX": "ARCA"}


class Listings:
    """Part of the simulator.

    Attributes
    ----------
    asset_flags : dict of symbol to fields of its asset that differ from the usual ones
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.asset_flags: dict[str, dict[str, Any]] = {}

    async def asset(self, request: web.Request) -> web.Response:
        symbol = request.match_info["symbol"]
        try:
            held = self._ledger.instrument(symbol)
        except Refused:
            raise Refused(404, 40410000, f"asset not found for {symbol}") from None
        is_coin = held.asset_class is AssetClass.CRYPTO
        mic = held.instrument_id.rpartition(".")[2]
        view = {
            "id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
            "class": "crypto" if is_coin else "us_equity",
            "exchange": "CRYPTO" if is_coin else EXCHANGES.get(mic, "OTC"),
            "symbol": held.instrument_id.rpartition(".")[0],
            "tradable": True,
            "shortable": not is_coin,
            "easy_to_borrow": not is_coin,
            "fractionable": True,
        }
        if is_coin:
            view |= {
                "min_order_size": "0.0001",
                "min_trade_increment": "0.0001",
                "price_increment": "0.01",
            }
        return web.json_response({**view, **self.asset_flags.get(symbol, {})})

    async def contract(self, request: web.Request) -> web.Response:
        symbol = request.match_info["symbol"]
        try:
            held = self._ledger.instrument(symbol)
        except Refused:
            raise Refused(404, 40410000, f"option contract {symbol} not found") from None
        return web.json_response(
            {
                "symbol": symbol,
                "underlying_symbol": held.underlying,
                "expiration_date": held.expiry,
                "strike_price": str(held.strike),
                "type": "call" if held.right == "CALL" else "put",
                "size": str(held.multiplier),
                "tradable": True,
            }
        )
