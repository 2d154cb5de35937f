"""A strategy of an agent as it trades in the cluster: what the ladder approved, in a sandbox."""

import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from actors.journal.open import open_journal
from cluster.agent_ladder import AgentLadder, open_ladder
from cluster.agent_results import kill_of
from cluster.client import namespace_of
from cluster.config import Config
from cluster.sandboxes import SandboxChoice, choice_of, opener
from sandboxes.errors import KILLS, SandboxError, SandboxRefused
from sandboxes.limits import Limits
from sandboxes.patience import PatientStrategy
from sandboxes.strategy import SandboxedStrategy, source_named
from trading.errors import ConfigError, JournalUnavailable
from trading.events import AgentSubmitted
from trading.indicators.rolling import FloatArray
from trading.ladder.moves import approved
from trading.ladder.signatures import ladder_key
from trading.strategies.strategy import Bars, Undecided

KIND = "agent"


class AgentStrategy:
    """Answers from a sandbox. A kill is told to the ladder; whoever asked gets the error and stops asking.

    A host that is started again in the same run finds the kill there, and does not ask either.

    Parameters
    ----------
    name, source, template : str
        As they were approved.
    parameters, choice : str
        JSON: of the source; of `SandboxChoice`.
    journal, secret_file : str
        Where the ladder is.
    begun : int
        When the run was (host ns UTC).
    """

    def __init__(
        self,
        *,
        name: str,
        source: str,
        template: str,
        parameters: str,
        choice: str,
        journal: str,
        secret_file: str,
        begun: int,
    ) -> None:
        wanted = msgspec.json.decode(choice, type=SandboxChoice)
        self._source = source_named(name, source)
        self._journal, self._secret_file = journal, secret_file
        self._begun, self._is_cleared = begun, False
        self._inner = PatientStrategy(
            SandboxedStrategy(
                self._source,
                msgspec.json.decode(parameters),
                opener(wanted, name),
                Limits(call_timeout_s=wanted.call_timeout_s),
                template=template,
            )
        )

    @property
    def lookback(self) -> int:
        return self._inner.lookback

    def targets(self, bars: Bars) -> FloatArray:
        """Return the weights.

        Raises
        ------
        Undecided
            If its sandbox is still being made, or was taken away, or the ladder cannot be read.
        SandboxError
            If there will be no answer.
        """
        if not self._is_cleared:
            self._require_no_kill()
        try:
            return self._inner.targets(bars)
        except KILLS as error:
            self._tell(error)
            raise

    def _require_no_kill(self) -> None:
        try:
            with self._ladder() as ladder:
                kills = ladder.record(self._source.name).kills
        except JournalUnavailable as error:
            raise Undecided from error
        if kills and kills[-1] >= self._begun:
            raise SandboxRefused("its sandbox was killed in this run, so it stays switched off.")
        self._is_cleared = True

    def _tell(self, error: SandboxError) -> None:
        name, sha256 = self._source.name, self._source.sha256
        fact = kill_of(name, sha256, error.code, str(error))
        with self._ladder() as ladder:
            ladder.append(name, lambda *_: [fact])

    def _ladder(self) -> AgentLadder:
        key = ladder_key(Path(self._secret_file).read_bytes())
        return AgentLadder(open_journal(self._journal), key)


def with_approved(config: Config) -> Config:
    """Return the configuration with what the ladder approved in the place of every strategy of an agent.

    Raises
    ------
    LadderRefused
        If one does not stand where it may trade in this mode, on this account.
    ConfigError
        If its table says more than the kind and the capital.
    """
    guests = {name: own for name, own in config.strategies.items() if own.kind == KIND}
    if not guests:
        return config
    account = config.account.account_id if config.cluster.mode == "live" else ""
    ready = dict(config.strategies)
    with open_ladder(config) as ladder:
        for name, own in guests.items():
            if own.params:
                raise ConfigError(
                    f"strategies.{name}.params must be empty: a strategy of an agent trades with what was judged."
                )
            submitted = approved(ladder.record(name), account)
            ready[name] = own.model_copy(update={"params": _parameters(config, submitted)})
    return config.model_copy(update={"strategies": ready})


def _parameters(config: Config, submitted: AgentSubmitted) -> dict[str, Any]:
    pools = namespace_of(config) if config.sandbox.places else ""
    choice = replace(choice_of(config), pools=pools)
    return {
        "name": submitted.agent,
        "source": submitted.source,
        "template": submitted.template,
        "parameters": submitted.parameters,
        "choice": msgspec.json.encode(choice).decode(),
        "journal": config.cluster.ladder,
        "secret_file": str(config.cluster.secret_file),
        "begun": time.time_ns(),
    }
