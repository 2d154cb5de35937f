"""One replica of the forecasting service, without HTTP and without Ray: questions in, forecasts out."""

import asyncio
import logging
import os
import re
import socket
import time
from collections.abc import Sequence

import msgspec

from actors.models.aliases import Aliases
from actors.models.forecasting import check_horizon
from actors.models.registry import ModelRegistry
from serve.forecast.answer_cache import AnswerCache, digest_of
from serve.forecast.lineup import Lineup
from serve.forecast.loaded_model import LoadedModel, load_model
from serve.forecast.price_histories import Histories
from serve.forecast.question import Question, own_history
from serve.forecast.settings import ServiceSettings
from serve.forecast.shadow import Shadow
from serve.forecast.shelf import Shelf
from serve.forecast.split import version_for
from serve.forecast.statistics import Statistics
from serve.forecast.status import ModelStatus, ReplicaStatus
from trading.errors import ForecastLate, ModelUnknown, TradingError
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History

log = logging.getLogger("ray.serve")

LOOK_EVERY_S = 1.0
"""Time between two looks for a new champion."""
_REFERENCE = re.compile(r"(?P<name>[a-z0-9][a-z0-9_-]{0,62})(@(?P<wanted>[a-z0-9]{1,16}))?")


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol of several that got no forecast."""

    symbol: str
    code: str
    detail: str


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question about several symbols."""

    forecasts: tuple[Forecast, ...]
    errors: tuple[Refusal, ...]


class ForecastService:
    """All that a replica knows and does. Belongs to one event loop.

    Parameters
    ----------
    histories : callable
        The bars of a symbol.
    replica : str
        What this replica is called in `/v1/cluster`.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        registry: ModelRegistry,
        histories: Histories,
        replica: str = "alone",
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.statistics = Statistics()
        self._histories = histories
        self._replica = replica
        self._shelf = Shelf(self._load, settings.models_per_replica)
        self.lineup = Lineup(registry, self._shelf, shadow=settings.shadow)
        self.cache = AnswerCache(settings.cache_entries)
        self.shadow = Shadow()
        self._digests: dict[tuple[str, int], tuple[History, str]] = {}
        self._follower: asyncio.Task[None] | None = None

    def _load(self, reference: str) -> LoadedModel:
        return load_model(self.registry, reference, self.settings)

    # -- life

    async def start(self) -> None:
        """Load and warm what answers by default, then follow the registry.

        Raises
        ------
        ModelError
            If the default model cannot be loaded: a replica that cannot forecast shall not become ready.
        """
        name, wanted = self._parsed(self.settings.model)
        await self._model(name, wanted, "", 0)
        if self._follower is None:
            self._follower = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """Stop following; what is being answered is finished."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
        await self.shadow.settle()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.lineup.look()
            except Exception:  # what is in force goes on; the next look may work
                log.exception("the look for a new champion failed")

    async def check(self) -> None:
        """Make a tiny forecast with the default model.

        Raises
        ------
        ForecastInvalid
            If it cannot.
        """
        name, wanted = self._parsed(self.settings.model)
        model = await self._model(name, wanted, "", 0)
        await asyncio.to_thread(model.session.warm_up)

    @property
    def is_ready(self) -> bool:
        return self._follower is not None

    # -- answers

    async def forecast(self, question: Question, began: float) -> Forecast | Answers:
        """Answer before the deadline, or not at all.

        Parameters
        ----------
        began : float
            When the request came in (`time.perf_counter`, s).

        Raises
        ------
        ForecastRefused, ModelUnknown
            If the question is wrong; of one symbol among several, its `Refusal` says so.
        ForecastInvalid
            If the model does not answer a forecast.
        ForecastLate
            If the deadline passed.
        """
        deadline_ms = question.deadline_ms or self.settings.deadline_ms
        symbols = question.symbols or [question.symbol or ""]
        self.statistics.asked += len(symbols)
        self.statistics.ongoing += len(symbols)
        try:
            left_s = deadline_ms / 1000.0 - (time.perf_counter() - began)
            async with asyncio.timeout(max(0.0, left_s)):
                if question.symbols is None:
                    return await self._one(question, symbols[0], began, deadline_ms)
                return await self._several(question, symbols, began, deadline_ms)
        except TimeoutError:
            error = _late(deadline_ms)
            self.statistics.failures[error.code] += len(symbols)
            raise error from None
        except TradingError as error:
            self.statistics.failures[error.code] += 1
            raise
        finally:
            self.statistics.ongoing -= len(symbols)

    async def _several(
        self, question: Question, symbols: Sequence[str], began: float, deadline_ms: float
    ) -> Answers:
        name, wanted = self._parsed(question.model or self.settings.model)
        if wanted == "champion":
            await self.lineup.join(name)  # of a model that is unknown, say so once
        else:
            await self._model(name, wanted, "", 0)
        found = await asyncio.gather(
            *(self._one(question, symbol, began, deadline_ms) for symbol in symbols),
            return_exceptions=True,
        )
        forecasts: list[Forecast] = []
        refusals: list[Refusal] = []
        for symbol, outcome in zip(symbols, found, strict=True):
            if isinstance(outcome, Forecast):
                forecasts.append(outcome)
            elif isinstance(outcome, TradingError):
                self.statistics.failures[outcome.code] += 1
                refusals.append(Refusal(symbol=symbol, code=outcome.code, detail=str(outcome)))
            else:
                raise outcome
        return Answers(forecasts=tuple(forecasts), errors=tuple(refusals))

    async def _one(
        self, question: Question, symbol: str, began: float, deadline_ms: float
    ) -> Forecast:
        name, wanted = self._parsed(question.model or self.settings.model)
        history, model = await self._matter(question, symbol, name, wanted)
        horizon = question.horizon or model.manifest.horizon
        check_horizon(horizon, model.manifest.horizon, model.reference)
        digest = self._digest(question, history, model.manifest.input_size)
        terms = (horizon, tuple(question.miscoverage or ()))
        key = (model.reference, symbol, digest, terms)
        answer = self.cache.get(key)
        is_cached = answer is not None
        if answer is None:
            answer = await model.batcher.ask(history, terms)
            self.cache.put(key, answer)
            self._let_challenger_try(name, model, history, answer)
        latency_ms = (time.perf_counter() - began) * 1000.0
        if latency_ms > deadline_ms:
            raise _late(deadline_ms)
        self.statistics.answered(latency_ms)
        return msgspec.structs.replace(answer, latency_ms=latency_ms, is_cached=is_cached)

    async def _matter(
        self, question: Question, symbol: str, name: str, wanted: str
    ) -> tuple[History, LoadedModel]:
        """Return the bars, and the model that forecasts them."""
        if question.close is None:
            history = self._histories(symbol)
            return history, await self._model(name, wanted, symbol, int(history.ts[-1]))
        as_of = question.ts[-1] if question.ts else 0
        model = await self._model(name, wanted, symbol, as_of)
        return own_history(question, model.manifest.features, model.manifest.bar), model

    async def _model(self, name: str, wanted: str, symbol: str, as_of: int) -> LoadedModel:
        """Return who answers for `name@wanted`: of its champion, perhaps a share of the traffic."""
        if wanted.isdecimal():
            return await self._shelf.get(f"{name}@{int(wanted)}")
        parts = self.lineup.in_force.get(name) or await self.lineup.join(name)
        if wanted == "champion":
            version = version_for(parts, symbol, as_of)
        elif wanted == "challenger":
            version = parts.challenger
        else:
            raise ModelUnknown(
                f"{wanted!r} is no part of a model; ask for champion, challenger or a number."
            )
        if version is None:
            raise ModelUnknown(f"{name} has no {wanted}.")
        return await self._shelf.get(f"{name}@{version}")

    def _digest(self, question: Question, history: History, input_size: int) -> str:
        """Return the digest of the bars; that of the source's own is computed once."""
        if question.close is not None:
            return digest_of(history, input_size)
        known = self._digests.get((history.symbol, input_size))
        if known is None or known[0] is not history:
            known = (history, digest_of(history, input_size))
            self._digests[history.symbol, input_size] = known
        return known[1]

    def _let_challenger_try(
        self, name: str, model: LoadedModel, history: History, answer: Forecast
    ) -> None:
        parts = self.lineup.in_force.get(name)
        if parts is None or parts.challenger is None or parts.champion != model.manifest.version:
            return
        challenger = self._shelf.peek(f"{name}@{parts.challenger}")
        if challenger is not None:
            self.shadow.compare(challenger, history, answer)

    @staticmethod
    def _parsed(reference: str) -> tuple[str, str]:
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise ModelUnknown(
                f"{reference!r} names no model; write nhits, nhits@champion or nhits@3."
            )
        return match["name"], match["wanted"] or "champion"

    # -- status

    def status(self) -> ReplicaStatus:
        """Return what `/v1/cluster` shows of this replica."""
        numbers = self.statistics
        return ReplicaStatus(
            replica=self._replica,
            node=socket.gethostname(),
            pid=os.getpid(),
            at=time.time_ns(),
            asked=numbers.asked,
            queued=numbers.ongoing,
            failures=dict(numbers.failures),
            p50_ms=numbers.latency_ms(0.5),
            p99_ms=numbers.latency_ms(0.99),
            cache_hits=self.cache.hits,
            cache_misses=self.cache.misses,
            models=tuple(self._model_status(model) for model in self._shelf),
            refused=dict(self.lineup.refused),
            shadow=dict(self.shadow.reports),
            problem=self.lineup.problem,
        )

    def _model_status(self, model: LoadedModel) -> ModelStatus:
        parts = self.lineup.in_force.get(model.manifest.name, Aliases())
        version = model.manifest.version
        played = [parts.part_of(version)] if parts.part_of(version) != "archived" else []
        return ModelStatus(
            model=model.reference,
            parts=tuple(
                part for part in (*played, *["split"] * (version in parts.weights)) if part
            ),
            provider=model.session.provider,
            is_fallback=model.session.is_fallback,
            runs=model.batcher.runs,
            windows=model.batcher.joined,
        )


def _late(deadline_ms: float) -> ForecastLate:
    return ForecastLate(
        f"There was no answer within {deadline_ms:g} ms; ask again for the next bar."
    )
