"""The market data side of the simulated TWS."""

import time

from tests.venues.ib import wire
from tests.venues.ib.contracts import CON_IDS, LISTINGS

SECONDS = {"secs": 1, "sec": 1, "mins": 60, "min": 60, "hours": 3600, "hour": 3600, "day": 86400}
STEP = {"S": 1, "D": 86_400, "W": 7 * 86_400, "M": 30 * 86_400, "Y": 365 * 86_400}


class Market:
    """Subscriptions of all sessions, and answers about the past."""

    def __init__(self, tws):
        self.tws = tws
        self.streams = {}
        self.history_requests = []
        self.refuse_history = None
        self.is_pacing = False
        self.scanned = [(8894, "0"), (265598, "1")]
        self.headlines = [
            ("2026-11-20 10:00:00.0", "BRFG", "BRFG$1", "Apple {A:800015:L:en}rises"),
            ("2026-11-19 09:00:00.0", "DJNL", "DJNL$2", "Apple falls"),
        ]

    def receive(self, session, kind, fields):
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(self, session, fields)

    def leave(self, session):
        self.streams = {key: value for key, value in self.streams.items() if key[0] is not session}

    def contract(self, key):
        listing = next(each for each in LISTINGS if each["con_id"] == CON_IDS[key])
        return [listing.get(name, "") for name in wire.CONTRACT]

    # -- for the tests, in the thread of the simulator

    def tell(self, kind, key, build):
        """Send `build(number)` messages to each stream of one kind and instrument."""
        for (session, number), (found, con_id) in self.streams.items():
            if (found, con_id) == (kind, CON_IDS[key]):
                for message in build(number):
                    session.say(message)

    def quote(self, key, bid, ask, size=100):
        self.tell(
            "quotes",
            key,
            lambda n: [[1, 6, n, 1, bid, size, 0], [1, 6, n, 2, ask, size, 0]],
        )

    def trade(self, key, price, size):
        now = int(time.time())
        self.tell("trades", key, lambda n: [[99, n, 1, now, price, size, 0, "ISLAND", ""]])

    def depth(self, key, *rows):
        """Change the book: rows of (position, operation, side 1 bid 0 ask, price, size)."""
        self.tell(
            "books",
            key,
            lambda n: [
                [13, 1, n, p, "NSDQ", op, side, price, size, 1] for p, op, side, price, size in rows
            ],
        )

    def five_seconds(self, key, start, prices, volume):
        o, h, low, c = prices
        self.tell("bars", key, lambda n: [[50, 3, n, start, o, h, low, c, volume, c, 1]])

    def greeks(self, key, values):
        self.tell("quotes", key, lambda n: [[21, n, 13, 0, *values]])

    # -- requests

    def _follow_quotes(self, session, fields):
        self._follow("quotes", session, fields[2], fields[3])

    def _follow_books(self, session, fields):
        self._follow("books", session, fields[2], fields[3])

    def _follow_bars(self, session, fields):
        self._follow("bars", session, fields[2], fields[3])

    def _follow_trades(self, session, fields):
        self._follow("trades", session, fields[1], fields[2])

    def _follow(self, kind, session, number, con_id):
        # Never changed in place: the tests look from another thread.
        self.streams = {**self.streams, (session, int(number)): (kind, int(con_id or 0))}

    def _unfollow(self, session, fields):
        number = fields[2] if fields[0] != "98" else fields[1]
        gone = (session, int(number))
        self.streams = {key: value for key, value in self.streams.items() if key != gone}

    def _bars(self, session, fields):
        number, con_id = fields[1], int(fields[2])
        end_text, size, duration = fields[15:18]
        self.history_requests.append((time.monotonic(), con_id, end_text, size, duration))
        if self.refuse_history is not None:
            session.error(number, 162, self.refuse_history)
            return
        count, unit = size.split()
        step = int(count) * SECONDS[unit]
        end = _seconds(end_text)
        amount, letter = duration.split()
        begin = end - int(amount) * STEP[letter]
        first = begin - begin % step + (step if begin % step else 0)
        starts = list(range(first, end, step))
        rows = []
        for start in starts:
            date = time.strftime("%Y%m%d", time.gmtime(start)) if step >= 86_400 else start
            price = 100 + (start // step) % 7
            rows += [date, price, price + 1, price - 1, price + 0.5, 1000, price, 10]
        session.say([17, number, "", "", len(starts), *rows])

    def _ticks(self, session, fields):
        number, start_text, end_text = fields[1], fields[15], fields[16]
        what = fields[18]
        start = _seconds(start_text)
        last = _seconds(end_text) if end_text else int(time.time())
        times = list(range(start, min(last, start + 500) + 1))[:500]
        rows = []
        for moment in times:
            if what == "TRADES":
                rows += [moment, 0, 100.25, 5, "ISLAND", ""]
            else:
                rows += [moment, 0, 100, 100.5, 3, 4]
        kind = 98 if what == "TRADES" else 97
        session.say([kind, number, len(times), *rows, 1])

    def _chain(self, session, fields):
        number, symbol, con_id = fields[1], fields[2], fields[5]
        for exchange in ("SMART", "CBOE"):
            expiries, strikes = ["20261218", "20270115"], ["100.0", "110.0", "120.5"]
            row = [exchange, con_id, symbol, 100, len(expiries), *expiries, len(strikes), *strikes]
            session.say([75, number, *row])
        session.say([76, number])

    def _implied_volatility(self, session, fields):
        number, price, underlying = fields[2], fields[15], fields[16]
        session.say([21, number, 53, 0, 0.25, 0.5, price, 0, 0.02, 0.1, -0.05, underlying])

    def _scan(self, session, fields):
        number = fields[1]
        rows = []
        for con_id, rank in self.scanned:
            listing = next(each for each in LISTINGS if each["con_id"] == con_id)
            rows += [
                rank, con_id, listing["symbol"], "STK", "", "0", "", "SMART", "USD",
                listing["local_symbol"], "NMS", "NMS", "12.5", "", "", "",
            ]  # fmt: skip
        session.say([20, 3, number, len(self.scanned), *rows])

    def _providers(self, session, fields):
        session.say([85, 2, "BRFG", "Briefing.com", "DJNL", "Dow Jones"])

    def _news(self, session, fields):
        number = fields[1]
        wanted = fields[3].split("+")
        for row in self.headlines[: int(fields[6])]:
            if row[1] in wanted:
                session.say([86, number, *row])
        session.say([87, number, 0])

    _handlers = {  # noqa: RUF012  # never changed
        1: _follow_quotes,
        2: _unfollow,
        10: _follow_books,
        11: _unfollow,
        20: _bars,
        22: _scan,
        50: _follow_bars,
        51: _unfollow,
        54: _implied_volatility,
        78: _chain,
        85: _providers,
        86: _news,
        96: _ticks,
        97: _follow_trades,
        98: _unfollow,
    }


def _seconds(text):
    if not text:
        return int(time.time())
    return int(time.mktime(time.strptime(text, "%Y%m%d-%H:%M:%S")) - time.timezone)
