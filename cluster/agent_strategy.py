"""A strategy of an agent as it trades in the cluster: what the ladder approved, in a sandbox."""

import functools
from pathlib import Path
from typing import Any

import msgspec

from actors.journal.open import open_journal
from cluster.agent_ladder import AgentLadder, ladder_url, open_ladder
from cluster.agent_results import kill_of
from cluster.config import Config
from cluster.sandboxes import SandboxChoice, choice_of, open_backend
from sandboxes.errors import SandboxError
from sandboxes.sandbox import Source
from sandboxes.strategy import SandboxedStrategy
from trading.errors import ConfigError
from trading.events import AgentSubmitted
from trading.indicators.rolling import FloatArray
from trading.ladder.moves import approved
from trading.ladder.signatures import ladder_key
from trading.strategies.strategy import Bars
from tune.agents.worker import KILLS

KIND = "agent"


class AgentStrategy:
    """Answers from a sandbox. A kill is told to the ladder; whoever asked gets the error and stops asking.

    Parameters
    ----------
    name, source, sha256, template : str
        As they were approved.
    parameters, choice : str
        JSON: of the source; of `SandboxChoice`.
    journal, secret_file : str
        Where the ladder is.
    """

    def __init__(
        self,
        *,
        name: str,
        source: str,
        sha256: str,
        template: str,
        parameters: str,
        choice: str,
        journal: str,
        secret_file: str,
    ) -> None:
        wanted = msgspec.json.decode(choice, type=SandboxChoice)
        self._name, self._sha256 = name, sha256
        self._journal, self._secret_file = journal, secret_file
        self._inner = SandboxedStrategy(
            Source(name=name, text=source, sha256=sha256),
            msgspec.json.decode(parameters),
            functools.partial(open_backend, wanted),
            template=template,
        )

    @property
    def lookback(self) -> int:
        return self._inner.lookback

    def targets(self, bars: Bars) -> FloatArray:
        """Return the weights.

        Raises
        ------
        SandboxError
            If there is no answer.
        """
        try:
            return self._inner.targets(bars)
        except KILLS as error:
            self._tell(error)
            raise

    def _tell(self, error: SandboxError) -> None:
        key = ladder_key(Path(self._secret_file).read_bytes())
        fact = kill_of(self._name, self._sha256, error.code, str(error))
        with AgentLadder(open_journal(self._journal), key) as ladder:
            ladder.append(self._name, lambda *_: [fact])


def with_approved(config: Config) -> Config:
    """Return the configuration with what the ladder approved in the place of every strategy of an agent.

    Before a run gets a journal of its own: the ladder is in that of the cluster.

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
    return {
        "name": submitted.agent,
        "source": submitted.source,
        "sha256": submitted.source_sha256,
        "template": submitted.template,
        "parameters": submitted.parameters,
        "choice": msgspec.json.encode(choice_of(config)).decode(),
        "journal": ladder_url(config),
        "secret_file": str(config.cluster.secret_file),
    }
