"""Where a strategy stands on the ladder, and the stages that it must have passed to climb."""

from enum import StrEnum


class Standing(StrEnum):
    CANDIDATE = "candidate"
    """Judged, but it trades nowhere."""
    PAPER = "paper"
    """It may trade the simulated account, with a loss budget."""
    LIVE = "live"
    """A person let it trade money."""
    QUARANTINED = "quarantined"
    """Its sandbox had to be killed again and again: it is not even run."""
    RETIRED = "retired"


AT_WORK = (Standing.PAPER, Standing.LIVE)
CLOSED = (Standing.QUARANTINED, Standing.RETIRED)


class Stage(StrEnum):
    """In the order in which they are carried out."""

    LINT = "lint"
    SMOKE = "smoke"
    LOOK_AHEAD = "look_ahead"
    DETERMINISM = "determinism"
    BACKTEST = "backtest"
    WALK_FORWARD = "walk_forward"


class MoveCode(StrEnum):
    """Why a strategy went to another place."""

    PROMOTED = "promoted"
    DEMOTED = "demoted"
    """By a person, as the two below."""
    RELEASED = "released"
    RETIRED = "retired"
    LOSS_BUDGET = "loss_budget"
    """By the rules, as the two below."""
    DRAWDOWN = "drawdown"
    SANDBOX_KILLS = "sandbox_kills"
