"""How a risk manager takes over: after it, every order that an older one permitted is known or void."""

from trading.commands import AnnounceRisk, RiskAcknowledged
from trading.identifiers import MachineName


class Handshake:
    """Announce the epoch to the broker; its answer says how far the account's stream must be folded.

    Attributes
    ----------
    epoch : int
        Of the own lease; 0 while there is none (not started, or the journal is down).
    announced_at : int
        Host time (ns) of the last announcement.
    """

    def __init__(self, name: MachineName) -> None:
        self.epoch = 0
        self.announced_at = 0
        self._name = name
        self._is_acknowledged = False
        self._awaited_seq: int | None = None

    @property
    def is_done(self) -> bool:
        """True when the broker obeys this epoch and all that it knew then is folded."""
        return self._is_acknowledged and self._awaited_seq is None

    def begin(self, epoch: int, now: int) -> AnnounceRisk:
        """Start over with this epoch (0 is: stop)."""
        self.epoch = epoch
        self._is_acknowledged = False
        self._awaited_seq = None
        return self.announcement(now)

    def announcement(self, now: int) -> AnnounceRisk:
        self.announced_at = now
        return AnnounceRisk(ts_init=now, risk_epoch=self.epoch, reply_to=self._name)

    def acknowledge(self, answer: RiskAcknowledged) -> None:
        """Take the broker's answer; one to another epoch is not for us."""
        if self.epoch and answer.risk_epoch == self.epoch:
            self._is_acknowledged = True
            self._awaited_seq = answer.account_seq

    def complete(self, sequence: int) -> bool:
        """Return True when the fold, now at `sequence`, completes the handshake."""
        if self._awaited_seq is None or sequence < self._awaited_seq:
            return False
        self._awaited_seq = None
        return True
