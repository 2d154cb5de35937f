"""Where the simulator of each venue is."""

VENUES = {
    "paper": ("tests.venues.paper.rig", "open_rig"),
    "alpaca": ("tests.venues.alpaca.rig", "open_rig"),
    "ib": ("tests.venues.ib.rig", "open_rig"),
    "binance": ("tests.venues.ccxt.rig", "open_rig"),
    "kraken": ("tests.venues.ccxt.rig", "open_kraken"),
    "bybit": ("tests.venues.ccxt.rig", "open_bybit"),
    "fix": ("tests.venues.fix.rig", "open_rig"),
}
