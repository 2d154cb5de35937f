"""The trading cluster itself: its actors and venues, its logs, and who did what."""

from typing import Annotated

from fastapi import APIRouter, Query

from serve.api.lists import AuditEntry, AuditList, LogTail
from serve.api.permitted import Auditor, Desk, Reader
from serve.desk.answers import ClusterStanding, moment
from serve.desk.standing import cluster_of
from trading.desk_facts import RequestAudited

router = APIRouter(tags=["cluster"])
LINES_MAX = 2_000


@router.get("/cluster/standing", summary="Actors, venues and latency of the trading cluster")
def get_cluster_standing(_: Reader, desk: Desk) -> ClusterStanding:
    return cluster_of(desk.trading.snapshot())


@router.get("/logs", summary="The newest log lines of all processes of this machine")
def get_logs(
    _: Reader, desk: Desk, lines: Annotated[int, Query(ge=1, le=LINES_MAX)] = 200
) -> LogTail:
    """Secrets are masked."""
    return LogTail(lines=desk.trading.log_tail(lines))


@router.get("/audit", summary="Who asked for what, and from where")
def get_audit(
    _: Auditor, desk: Desk, limit: Annotated[int, Query(ge=1, le=LINES_MAX)] = 100
) -> AuditList:
    """Every request that may have changed something, before it was carried out; refusals once more, with their code."""
    return AuditList(requests=[_entry(fact) for fact in desk.audit.read(limit)])


def _entry(fact: RequestAudited) -> AuditEntry:
    return AuditEntry(
        at=moment(fact.ts_event),
        actor=fact.actor,
        came_by=fact.came_by,
        address=fact.address,
        action=fact.action,
        subject=fact.subject,
        outcome=fact.outcome,
        correlation_id=fact.correlation_id,
    )
