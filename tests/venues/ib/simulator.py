"""A stub of TWS on 127.0.0.1: server version 178, many clients, in a thread and an event loop of its own."""

import asyncio
import threading
import time
from collections import Counter, deque

from tests.venues.faults import Fault
from tests.venues.ib import wire
from tests.venues.ib.contracts import matching
from tests.venues.ib.market import Market
from tests.venues.ib.orders import Orders
from tests.venues.ib.tickets import plain

ACCOUNT_CODE = "DU1234567"
MESSAGES_MAX = 50
WINDOW_S = 0.8
"""Less than IB's second: a machine with much to do delivers late."""
VIOLATIONS_MAX = 3


class Session:
    """One socket: greeting, then one message after the other."""

    def __init__(self, tws, reader, writer):
        self.tws = tws
        self.reader = reader
        self.writer = writer
        self.client_id = None
        self._times = deque()
        self._violations = 0

    async def run(self):
        try:
            assert await self.reader.readexactly(4) == b"API\0"
            await self._read()
            self.say([wire.SERVER_VERSION, "20261121 10:00:00 America/New_York"])
            while not self.writer.is_closing():
                self.tws.receive(self, await self._read())
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self.tws.leave(self)
            self.writer.close()

    async def _read(self):
        size = int.from_bytes(await self.reader.readexactly(4), "big")
        payload = await self.reader.readexactly(size)
        return payload.decode().split("\0")[:-1] or [payload.decode()]

    def say(self, fields):
        if not self.tws.is_frozen and not self.writer.is_closing():
            self.writer.write(wire.frame(fields))

    def say_bytes(self, data):
        self.writer.write(data)

    def error(self, number, code, text):
        self.say([4, 2, number, code, text, ""])

    def reset(self):
        self.writer.transport.abort()

    def is_too_fast(self):
        """Count one message; say whether it is beyond the published limit."""
        now = time.monotonic()
        while self._times and now - self._times[0] > WINDOW_S:
            self._times.popleft()
        self._times.append(now)
        if len(self._times) <= self.tws.messages_max:
            return False
        self._violations += 1
        self.error(-1, 100, "Max rate of messages per second has been exceeded")
        if self._violations >= VIOLATIONS_MAX:
            self.reset()
        return True


class Simulator:
    """One login of IB.

    Attributes
    ----------
    accounts : list of str
        What `managedAccounts` says.
    received : Counter
        Messages by kind.
    messages_max : int
        So many may come in one window; those that were held up on the way come all at once.
    clock_ahead_s : int
        By how much `CLOCK_SKEW` sets the clock forward.
    is_frozen : bool
        The socket stays open and TWS says nothing at all.
    """

    def __init__(self, desk, faults, account=ACCOUNT_CODE):
        self.desk = desk
        self.faults = faults
        self.account = account
        self.accounts = [account]
        self.received = Counter()
        self.sessions = {}
        self.logins = []
        self.messages_max = MESSAGES_MAX
        self.clock_ahead_s = 30
        self.is_frozen = False
        self.lists_garbage = False
        self.says_on_login = [(2104, "Market data farm connection is OK:usfarm")]
        self.cash_currency = "USD"
        self.orders = Orders(desk, faults, account, self._tell)
        self.market = Market(self)
        self.port = 0
        self._server = None
        self._open = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tws", daemon=True)
        self._thread.start()
        assert self._ready.wait(60)

    # -- for the tests, from any thread

    def call(self, function, *args):
        """Run a function in the thread of the simulator and return what it returns."""

        async def work():
            return function(*args)

        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(60)

    def say(self, *fields, client_id=None):
        """Send one message to every session, or to one."""

        def work():
            for session in list(self.sessions.values()):
                if client_id in (None, session.client_id):
                    session.say(fields)

        self.call(work)

    def error(self, code, text, number=-1):
        self.say(4, 2, number, code, text, "")

    def cut(self):
        """Break every session now."""
        self.call(lambda: [session.reset() for session in list(self._open)])

    def stop_listening(self):
        self.call(self._server.close)

    def close(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(60)

    # -- in the thread of the simulator

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self.orders.run_in(self._loop)
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, "127.0.0.1", 0)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        self._server.close()
        for session in list(self._open):
            session.reset()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _connected(self, reader, writer):
        session = Session(self, reader, writer)
        self._open.add(session)
        await session.run()

    def leave(self, session):
        self._open.discard(session)
        if self.sessions.get(session.client_id) is session:
            del self.sessions[session.client_id]
        self.market.leave(session)

    def receive(self, session, fields):
        kind = int(fields[0])
        self.received[kind] += 1
        if kind == 71:
            self._log_in(session, int(fields[2]))
        elif not session.is_too_fast():
            handler = self._handlers.get(kind)
            if handler is not None:
                handler(self, session, fields)
            else:
                self.market.receive(session, kind, fields)

    def _log_in(self, session, client_id):
        self.logins.append(time.monotonic())
        if client_id in self.sessions:
            session.error(-1, 326, "Unable to connect as the client id is already in use.")
            session.writer.close()
            return
        session.client_id = client_id
        self.sessions[client_id] = session
        is_bad = self.faults.happens(Fault.BAD_CREDENTIALS)
        session.say([15, 1, "DU9999999" if is_bad else ",".join(self.accounts)])
        session.say([9, 1, self.orders.next_valid])
        for code, text in self.says_on_login:
            session.error(-1, code, text)

    def _tell(self, client_id, messages):
        """Say something that no request asked for."""
        session = self.sessions.get(client_id)
        if session is None or self.faults.happens(Fault.MUTE_STREAM):
            return
        if messages == "reset":
            session.reset()
        elif messages[0] == "half":
            data = wire.frame(messages[1])
            session.say_bytes(data[: len(data) // 2])
            session.writer.close()
        elif self.faults.happens(Fault.DROP_STREAM):
            session.reset()
        else:
            if self.faults.happens(Fault.MALFORMED):
                session.say([5, "what", "is", "this"])
                session.say([9999, "unknown kind"])
            for message in messages:
                session.say(message)

    # -- answers

    def _place(self, session, fields):
        if self.faults.happens(Fault.BAD_CREDENTIALS):
            text = "The API interface is currently in Read-Only mode."
            session.error(int(fields[1]), 321, text)
            return
        self.orders.place(session.client_id, fields)

    def _cancel(self, session, fields):
        self.orders.cancel(session.client_id, int(fields[2]))

    def _cancel_all(self, session, fields):
        self.orders.cancel_all()

    def _open_orders(self, session, fields):
        if self.lists_garbage:
            session.say([5, "what", "is", "this"])
        for ticket in self.orders.live():
            session.say(ticket.open_order())
            session.say(ticket.order_status())
        session.say([53, 1])

    def _completed_orders(self, session, fields):
        for ticket in self.orders.completed():
            session.say(ticket.completed_order())
        session.say([102])

    def _executions(self, session, fields):
        number = fields[2]
        for execution in self.orders.executions:
            session.say(wire.message(11, {**execution, "request_id": number}))
        session.say([55, 1, number])
        if not self.orders.lacks_commissions:
            for execution in self.orders.executions:
                session.say(self.orders.commission_report(execution))

    def _positions(self, session, fields):
        number = fields[2]
        for ticket_key, quantity in self.desk.positions.items():
            instrument = self.desk.instruments[ticket_key]
            if instrument.asset_class == "FOREX":
                continue
            contract = self.market.contract(ticket_key)
            cost = plain(instrument.multiplier * 100)
            count = plain(quantity / instrument.multiplier)
            session.say([71, 1, number, self.account, *contract, count, cost, ""])
        session.say([72, 1, number])

    def _account(self, session, fields):
        number, currency = fields[2], self.cash_currency
        values = [("CashBalance", plain(self.desk.cash), currency)]
        for key, quantity in self.desk.positions.items():
            if self.desk.instruments[key].asset_class == "FOREX":
                values.append(("CashBalance", plain(quantity), key[:3]))
        values += [
            ("CashBalance", plain(self.desk.cash), "BASE"),
            ("NetLiquidation", plain(self.desk.cash), currency),
            ("BuyingPower", plain(2 * self.desk.cash), currency),
            ("AccountType", "INDIVIDUAL", ""),
        ]
        for key, value, unit in values:
            session.say([73, 1, number, self.account, "", key, value, unit])
        session.say([74, 1, number])

    def _contract_details(self, session, fields):
        number = fields[2]
        found = matching(dict(zip(wire.ASKED_CONTRACT, fields[3:15], strict=True)))
        if not found:
            text = "No security definition has been found for the request"
            session.error(number, 200, text)
            return
        for listing in found:
            session.say(wire.message(10, {**listing, "request_id": number}))
        session.say([52, 1, number])

    def _time(self, session, fields):
        ahead = self.clock_ahead_s if self.faults.happens(Fault.CLOCK_SKEW) else 0
        session.say([49, 1, int(time.time()) + ahead])

    def _ignore(self, session, fields):
        """Ends of streams that this stub never begins."""

    _handlers = {  # noqa: RUF012  # never changed
        3: _place,
        4: _cancel,
        5: _open_orders,
        7: _executions,
        9: _contract_details,
        16: _open_orders,
        49: _time,
        58: _cancel_all,
        74: _positions,
        75: _ignore,
        76: _account,
        77: _ignore,
        99: _completed_orders,
    }
