"""Jobs over HTTP: started with a place to look, waited for, ended by whoever started them."""

from collections.abc import Callable
from typing import Any

import pytest

from serve.api import starting
from serve.desk.jobs import JobState
from serve.desk.principal import Permission

Ask = Callable[..., Any]
BACKTEST = {"strategy": "momentum", "symbols": ["AAPL"]}


def test_a_job_is_accepted_with_a_place_to_look(ask: Ask, desk: Any) -> None:
    headers = {"X-Correlation-Id": "mine-3"}
    reply = ask("POST", "/v1/backtests", json=BACKTEST, headers=headers)
    assert (reply.status_code, reply.headers["location"]) == (202, "/v1/jobs/job-1")
    assert reply.json()["state"] == "running"
    assert reply.json()["correlation_id"] == "mine-3"
    assert desk.jobs.started == [("backtest", ("momentum", "--symbols=AAPL"), {})]
    assert ask("GET", reply.headers["location"]).json()["id"] == "job-1"
    assert [job["id"] for job in ask("GET", "/v1/jobs").json()["jobs"]] == ["job-1"]


def test_a_key_starts_one_job_however_often_it_is_sent(ask: Ask, desk: Any) -> None:
    places = [
        ask("POST", "/v1/backtests", json=BACKTEST, headers={"Idempotency-Key": key}).headers[
            "location"
        ]
        for key in ("k-1", "k-1", "k-2")
    ]
    assert places == ["/v1/jobs/job-1", "/v1/jobs/job-1", "/v1/jobs/job-2"]
    assert len(desk.jobs.started) == 2
    bad = ask("POST", "/v1/backtests", json=BACKTEST, headers={"Idempotency-Key": "two words"})
    assert bad.status_code == 422


def test_waiting_ends_when_the_job_does(ask: Ask, desk: Any) -> None:
    ask("POST", "/v1/backtests", json=BACKTEST)
    assert ask("GET", "/v1/jobs/job-1?wait_s=0.3").json()["state"] == "running"
    desk.jobs.end("job-1", state=JobState.DONE, result=[{"strategy": "momentum"}])
    job = ask("GET", "/v1/jobs/job-1?wait_s=60").json()
    assert (job["state"], job["result"]) == ("done", [{"strategy": "momentum"}])
    assert ask("GET", "/v1/jobs/job-1/result").json() == [{"strategy": "momentum"}]
    assert ask("GET", "/v1/jobs/job-1?wait_s=61").status_code == 422


def test_a_job_without_a_result_says_why(ask: Ask, desk: Any) -> None:
    ask("POST", "/v1/backtests", json=BACKTEST)
    running = ask("GET", "/v1/jobs/job-1/result")
    assert (running.status_code, running.json()["code"]) == (409, "CONFLICT")
    assert "running" in running.json()["detail"]
    desk.jobs.end("job-1", state=JobState.FAILED, code="DATA_INVALID", detail="no bars.")
    assert "DATA_INVALID: no bars." in ask("GET", "/v1/jobs/job-1/result").json()["detail"]
    assert ask("GET", "/v1/jobs/nobody").status_code == 404


def test_a_job_is_ended_by_its_owner_or_by_who_watches_risk(
    ask: Ask, app_for: Any, desk: Any
) -> None:
    ann, bob = app_for(Permission.READ, name="ann"), app_for(Permission.READ, name="bob")
    ask("POST", "/v1/backtests", of=ann, json=BACKTEST)
    assert ask("DELETE", "/v1/jobs/job-1", of=bob).status_code == 403
    assert desk.jobs.get("job-1").state is JobState.RUNNING
    assert ask("DELETE", "/v1/jobs/job-1", of=ann).json()["state"] == "canceled"
    ask("POST", "/v1/backtests", of=ann, json=BACKTEST)
    chief = app_for(Permission.READ, Permission.RISK_ADMIN, name="eve")
    assert ask("DELETE", "/v1/jobs/job-2", of=chief).json()["state"] == "canceled"


def test_source_of_an_agent_travels_as_a_file(ask: Ask, desk: Any) -> None:
    body = {"name": "calm", "source": "print('hello')"}
    assert ask("POST", "/v1/agents", json=body).status_code == 202
    ((kind, arguments, files),) = desk.jobs.started
    assert kind == "agent submit"
    assert files == {arguments[0]: "print('hello')"}


def test_agents_are_listed_by_the_command_line(ask: Ask, desk: Any) -> None:
    start = desk.jobs.start

    def done(*given: Any, **named: Any) -> Any:
        job = start(*given, **named)
        desk.jobs.end(job.id, state=JobState.DONE, result=[{"name": "calm", "standing": "paper"}])
        return job

    desk.jobs.start = done
    assert ask("GET", "/v1/agents").json() == {"agents": [{"name": "calm", "standing": "paper"}]}
    assert desk.jobs.started[0][0] == "agent list"


def test_an_agent_that_nobody_knows_is_not_found(ask: Ask, desk: Any) -> None:
    start = desk.jobs.start

    def failed(*given: Any, **named: Any) -> Any:
        job = start(*given, **named)
        desk.jobs.end(job.id, state=JobState.FAILED, code="NOT_FOUND", detail="no agent calm.")
        return job

    desk.jobs.start = failed
    reply = ask("GET", "/v1/agents/calm")
    assert (reply.status_code, reply.json()["detail"]) == (404, "no agent calm.")


@pytest.mark.parametrize(
    ("name", "status"), [("calm-one", 202), ("calm_1", 202), ("-calm", 422), ("Calm", 422)]
)
def test_agents_go_by_the_names_that_the_ladder_gives(ask: Ask, name: str, status: int) -> None:
    reply = ask("POST", f"/v1/agents/{name}/demote", json={"reason": "bad"})
    assert reply.status_code == status


def test_a_command_that_takes_long_is_left_to_its_job(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "QUICK_S", 0.0)
    reply = ask("GET", "/v1/agents")
    assert (reply.status_code, reply.json()["code"]) == (503, "JOB_LATE")
    assert "/v1/jobs/job-1" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "permission"),
    [
        ("/v1/agents", {"name": "calm", "source": "x"}, Permission.SANDBOX_RUN),
        ("/v1/sandbox/runs", {"source": "x"}, Permission.SANDBOX_RUN),
        ("/v1/sandbox/executions", {"source": "x"}, Permission.SANDBOX_RUN),
        ("/v1/sandbox/checks", {}, Permission.SANDBOX_RUN),
        ("/v1/trainings", {}, Permission.MODEL_ADMIN),
        ("/v1/agents/calm/promote", {"to": "paper", "reason": "good"}, Permission.RISK_ADMIN),
        ("/v1/agents/calm/demote", {"reason": "bad"}, Permission.RISK_ADMIN),
    ],
)
def test_jobs_that_run_code_or_change_models_need_more(
    ask: Ask, app_for: Any, desk: Any, path: str, body: Any, permission: Permission
) -> None:
    others = set(Permission) - {permission}
    assert ask("POST", path, of=app_for(*others), json=body).status_code == 403
    assert desk.jobs.started == []
    assert ask("POST", path, of=app_for(permission), json=body).status_code == 202
