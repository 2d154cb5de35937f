"""One run: all machines of a blueprint in one process, on a clock that is the market's."""

import time
from collections.abc import Callable, Iterator, Mapping

from actors.blueprint import Blueprint, build
from actors.check import compare
from actors.feeds.market_replay import MarketReplay, MarketSource
from actors.local_bus import LocalBus
from trading.codec import decode
from trading.errors import UsageError
from trading.events import Event, OrderDenied, OrderFilled, OrderRejected
from trading.identifiers import MachineName, StrategyId, StreamName, account_stream, machine_name
from trading.machine import Machine
from trading.strategies.strategy import Strategy
from trading.values import NANOS_PER_SECOND
from tune.event_gear.course import MarkRecord, SliceRecord, holdings_after
from tune.event_gear.fused_runner import FusedRunner
from tune.event_gear.result import EventResult
from tune.event_gear.run_journal import RunJournal

SECRET = b"the machines of one run share it"
SETTLE_NS = 10 * NANOS_PER_SECOND
"""After the last moment; longer than any time-out of an order."""
YEAR_NS = 366 * 86_400 * NANOS_PER_SECOND

Progress = Callable[[int, int], None]
"""Called with the moments replayed so far and the market time (ns UTC)."""


class EventGear:
    """Builds the machines and runs them to the end of the source.

    Parameters
    ----------
    start_ns : int
        Time at which everybody starts, connects and reconciles: before the first moment (ns UTC).
    strategies : mapping of StrategyId to Strategy
        Bar strategies, by the id of their plan.
    machines : mapping of StrategyId to a function that makes a machine
        Strategies that live on events: state machines that take the place of a bar strategy.
    history : int
        Slices that the replay keeps for those who ask for bars.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        source: MarketSource,
        start_ns: int,
        *,
        strategies: Mapping[StrategyId, Strategy] | None = None,
        machines: Mapping[StrategyId, Callable[[], Machine]] | None = None,
        history: int = 1,
    ) -> None:
        self._blueprint = blueprint
        self._source = source
        self._history = history
        self._slices = SliceRecord(blueprint.instruments)
        self._marks = MarkRecord()
        ledger = StreamName(blueprint.name("ledger"))
        self._journal = RunJournal({ledger: self._marks.add})
        own = {machine_name("strategy", name): make for name, make in (machines or {}).items()}
        factories = {
            name: own.get(name) or build(blueprint, name, SECRET, strategies=strategies)
            for name in blueprint.machines()
            if name != blueprint.name("replay")
        }
        factories[blueprint.name("replay")] = self._replay
        self._runner = FusedRunner(
            factories, self._journal, f"book.{blueprint.venue}.slice", self._slices.add
        )
        self._bus = LocalBus(start_ns)
        self._bus.add_host("event gear", frozenset(factories), lambda: self._runner)

    def machine(self, name: MachineName) -> Machine:
        """Return a machine of the run, for those who look closer."""
        return self._runner.machines[name]

    def run(self, on_progress: Progress | None = None, every: int = 1_000) -> EventResult:
        """Replay everything and judge.

        Parameters
        ----------
        every : int
            Moments between two calls of `on_progress`.

        Raises
        ------
        UsageError
            If a strategy raised or returned nonsense; names the strategy and the bar.
        """
        began = time.perf_counter()
        self._bus.start()
        replay = self.machine(self._blueprint.name("replay"))
        assert isinstance(replay, MarketReplay)
        told = 0

        def until() -> bool:
            nonlocal told
            if replay.moment_count >= told + every:
                told = replay.moment_count
                self._require_sane_strategies()
                if on_progress is not None:
                    on_progress(told, replay.clock)
            return replay.is_finished

        while not self._bus.run(until, YEAR_NS):
            pass  # a long history: go on
        self._require_sane_strategies()
        return self._result(replay, time.perf_counter() - began)

    # -- pieces

    def _replay(self) -> Machine:
        return MarketReplay(
            self._blueprint.name("replay"),
            self._source,
            exchange=self._blueprint.name("exchange"),
            history=self._history,
            settle_ns=SETTLE_NS,
        )

    def _require_sane_strategies(self) -> None:
        for plan in self._blueprint.strategies:
            view = self.machine(machine_name("strategy", plan.strategy_id)).view()
            if view.get("disabled"):
                raise UsageError(f"strategy {view['disabled']}.")

    def _result(self, replay: MarketReplay, seconds: float) -> EventResult:
        blueprint = self._blueprint
        for machine in self._runner.machines.values():
            machine.validate()
        ledger = self.machine(blueprint.name("ledger")).view()
        ids = tuple(each.instrument_id for each in blueprint.instruments)
        fills = tuple(event for event in self._events() if isinstance(event, OrderFilled))
        ts, prices = self._slices.ts(), self._slices.prices()
        held = holdings_after(ts, ids, float(blueprint.initial_cash), fills)
        values = (held.units * prices).sum(axis=1, where=held.units != 0)
        return EventResult(
            ts=ts,
            instrument_ids=ids,
            initial_cash=blueprint.initial_cash,
            equity=held.cash + values,
            cash=held.cash,
            units=held.units,
            marked_equity=self._marks.equity(),
            marked_cash=self._marks.cash(),
            fills=fills,
            refusals=tuple(self._refusals()),
            comparison=compare(blueprint, self._journal, ledger),
            ledger=ledger,
            handled={str(name): count for name, count in self._runner.handled.items()},
            moments=replay.moment_count,
            seconds=seconds,
        )

    def _events(self) -> Iterator[Event]:
        """Yield the facts of the account, then those of risk and of the strategies."""
        blueprint = self._blueprint
        streams = [
            account_stream(blueprint.venue, blueprint.account_id),
            StreamName(blueprint.name("risk")),
            *(StreamName(f"strategy:{plan.strategy_id}") for plan in blueprint.strategies),
        ]
        for stream in streams:
            for record in self._journal.read(stream):
                event = decode(record.payload)
                assert isinstance(event, Event)
                yield event

    def _refusals(self) -> Iterator[OrderDenied | OrderRejected]:
        return (e for e in self._events() if isinstance(e, OrderDenied | OrderRejected))
