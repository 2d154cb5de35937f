"""Jobs as processes of their own: they outlive who started them, end wholly, and are never lost without a word."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from serve.desk.job_folder import JobFolder, JobSettings
from serve.desk.jobs import ENDED, Job, JobState
from serve.desk.principal import ALL, Principal
from serve.jobs.files import MARK, is_held, read_record
from serve.jobs.processes import processes_of
from trading.errors import Conflict, NotFound, UsageError

WAIT_S = 60.0
ANN, BOB = (Principal(name=name, permissions=ALL, came_by="key") for name in ("ann", "bob"))
PROGRAM = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
word, *rest = sys.argv[1:]
rest = rest[: rest.index("--json")]
if word == "echo":
    print(json.dumps({"arguments": rest, "here": sorted(os.listdir()), "secret": os.environ.get("SECRET")}))
if word == "fail":
    print("trader: 1 of 2\\ntrader: the file is not there. [DATA_INVALID]", file=sys.stderr)
    sys.exit(2)
if word == "crash":
    raise RuntimeError("a defect")
if word == "say":
    print("\\r1 of 3\\r\\x1b[2K2 of 3", end="", file=sys.stderr, flush=True)
if word == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if word == "family":
    child = [sys.executable, "-c", "import os, time; os.setsid(); open('child', 'w'); time.sleep(600)"]
    subprocess.Popen(child)
    while not Path("child").exists():
        time.sleep(0.01)
if word in ("say", "hold", "family", "stubborn"):
    Path("ready").touch()
    gate = Path(rest[0]) if rest else Path("never")
    while not gate.exists():
        time.sleep(0.01)
    print("{}")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def make(tmp_path: Path, program: Path) -> Iterator[Callable[..., JobFolder]]:
    """Return a function that opens the folder, as each replica does; at the end no process is left."""
    opened: list[JobFolder] = []

    def open_folder(**settings: Any) -> JobFolder:
        environment = {key: value for key, value in os.environ.items() if key != "SECRET"}
        folder = JobFolder(
            JobSettings(
                folder=tmp_path / "jobs",
                program=(sys.executable, str(program)),
                environment=environment,
                **settings,
            )
        )
        opened.append(folder)
        return folder

    yield open_folder
    for job in opened[0].list(1_000) if opened else ():
        opened[0].cancel(job.id)
        assert not processes_of(job.id)


@pytest.fixture
def jobs(make: Callable[..., JobFolder]) -> JobFolder:
    return make()


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited {WAIT_S:.0f} s for {what}")


def work_of(tmp_path: Path, job: Job) -> Path:
    return tmp_path / "jobs" / job.id / "work"


def started(jobs: JobFolder, tmp_path: Path, word: str, *arguments: str) -> Job:
    """Start a job that goes on until its gate opens; return it when it is there."""
    job = jobs.start(word, arguments, ANN)
    until((work_of(tmp_path, job) / "ready").exists, f"{word} to begin")
    return job


# -- how they end


def test_a_job_that_is_done_has_what_the_command_printed(jobs: JobFolder) -> None:
    job = jobs.start("echo", ["--rate=7"], ANN, correlation_id="c", files={"agent.py": "x = 1"})
    assert (job.owner, job.correlation_id, job.command) == (
        "ann",
        "c",
        "trader echo --rate=7 --json",
    )
    done = jobs.wait(job.id, WAIT_S)
    assert done.state is JobState.DONE
    assert done.result == {"arguments": ["--rate=7"], "here": ["agent.py"], "secret": None}
    assert done.started_at is not None
    assert done.ended_at is not None
    assert done.created_at <= done.started_at <= done.ended_at


def test_a_job_gets_the_environment_that_it_is_given_and_no_other(
    jobs: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "sesame")
    assert jobs.wait(jobs.start("echo", [], ANN).id, WAIT_S).result["secret"] is None


def test_a_job_that_failed_tells_the_commands_own_sentence(jobs: JobFolder) -> None:
    failed = jobs.wait(jobs.start("fail", [], ANN).id, WAIT_S)
    assert (failed.state, failed.code) == (JobState.FAILED, "DATA_INVALID")
    assert failed.detail == "the file is not there."
    assert failed.result is None


def test_a_defect_of_the_command_is_told_by_its_last_line(jobs: JobFolder) -> None:
    failed = jobs.wait(jobs.start("crash", [], ANN).id, WAIT_S)
    assert (failed.state, failed.code) == (JobState.FAILED, "FAILED")
    assert failed.detail == "RuntimeError: a defect"


def test_a_program_that_is_not_there_is_a_failure_too(
    tmp_path: Path, make: Callable[..., JobFolder]
) -> None:
    make()
    nowhere = JobSettings(folder=tmp_path / "jobs", program=("/nowhere",), environment=os.environ)
    jobs = JobFolder(nowhere)
    failed = jobs.wait(jobs.start("echo", [], ANN).id, WAIT_S)
    assert failed.state is JobState.FAILED
    assert "/nowhere" in failed.detail


def test_progress_is_what_was_said_last(jobs: JobFolder, tmp_path: Path) -> None:
    job = started(jobs, tmp_path, "say", str(tmp_path / "gate"))
    assert (jobs.get(job.id).state, jobs.get(job.id).progress) == (JobState.RUNNING, "2 of 3")
    (tmp_path / "gate").touch()
    assert jobs.wait(job.id, WAIT_S).state is JobState.DONE


def test_a_wait_that_is_too_short_returns_the_job_as_it_is(jobs: JobFolder, tmp_path: Path) -> None:
    job = started(jobs, tmp_path, "hold")
    assert jobs.wait(job.id, 0.05).state is JobState.RUNNING


# -- one key, one job


def test_a_key_starts_one_job_at_whatever_replica_it_is_used(
    make: Callable[..., JobFolder],
) -> None:
    replicas = [make() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        same = [threads.submit(each.start, "echo", ["--rate=7"], ANN, key="k") for each in replicas]
        ids = {each.result().id for each in same}
    (job_id,) = ids
    assert len(replicas[0].list()) == 1
    assert replicas[0].wait(job_id, WAIT_S).state is JobState.DONE
    again = replicas[1].start("echo", ["--rate=7"], ANN, key="k")  # also when it is over
    assert (again.id, again.state) == (job_id, JobState.DONE)


def test_a_key_is_its_owners_and_belongs_to_one_request(jobs: JobFolder) -> None:
    first = jobs.start("echo", ["--rate=7"], ANN, key="k", files={"agent.py": "x = 1"})
    for arguments, files in (
        (["--rate=8"], {"agent.py": "x = 1"}),
        (["--rate=7"], {"agent.py": "x = 2"}),
    ):
        with pytest.raises(Conflict, match="IDEMPOTENCY_KEY_REUSED"):
            jobs.start("echo", arguments, ANN, key="k", files=files)
    others = [
        jobs.start("echo", ["--rate=7"], BOB, key="k"),
        jobs.start("echo", ["--rate=7"], ANN),
        jobs.start("echo", ["--rate=7"], ANN),
    ]
    assert len({first.id, *(each.id for each in others)}) == 4


# -- the queue


def test_jobs_wait_for_their_turn_in_the_order_in_which_they_came(
    make: Callable[..., JobFolder], tmp_path: Path
) -> None:
    jobs = make(running_max=1)
    gates = [tmp_path / f"gate-{number}" for number in range(4)]
    ids = [jobs.start("hold", [str(gate)], ANN).id for gate in gates]
    for number, gate in enumerate(gates):
        until(lambda n=number: jobs.get(ids[n]).state is JobState.RUNNING, f"job {number}")
        assert all(jobs.get(each).state is JobState.QUEUED for each in ids[number + 1 :])
        gate.touch()
    assert all(jobs.wait(each, WAIT_S).state is JobState.DONE for each in ids)


def test_two_run_at_once_and_no_third(jobs: JobFolder, tmp_path: Path) -> None:
    first = started(jobs, tmp_path, "hold", str(tmp_path / "gate"))
    started(jobs, tmp_path, "hold")
    third = jobs.start("hold", [], ANN)
    assert jobs.wait(third.id, 0.3).state is JobState.QUEUED
    (tmp_path / "gate").touch()
    until(lambda: jobs.get(third.id).state is JobState.RUNNING, "the third")
    assert jobs.get(first.id).state is JobState.DONE


def test_a_full_queue_takes_no_more(make: Callable[..., JobFolder], tmp_path: Path) -> None:
    jobs = make(running_max=1, waiting_max=2)
    started(jobs, tmp_path, "hold")
    waiting = [jobs.start("hold", [], ANN) for _ in range(2)]
    with pytest.raises(Conflict, match="JOBS_FULL"):
        jobs.start("hold", [], ANN)
    assert jobs.cancel(waiting[0].id).state is JobState.CANCELED
    assert jobs.start("hold", [], ANN).state is JobState.QUEUED


def test_who_waits_behind_a_job_that_was_canceled_does_not_overtake_the_one_in_front(
    make: Callable[..., JobFolder], tmp_path: Path
) -> None:
    jobs = make(running_max=1)
    gate = tmp_path / "gate"
    running = started(jobs, tmp_path, "hold", str(gate))
    front, middle, last = (jobs.start("hold", [], ANN) for _ in range(3))
    jobs.cancel(middle.id)
    gate.touch()
    jobs.wait(running.id, WAIT_S)
    until(lambda: jobs.get(front.id).state is JobState.RUNNING, "the one in front")
    assert jobs.get(last.id).state is JobState.QUEUED


def test_replicas_that_start_at_once_share_the_limits(
    make: Callable[..., JobFolder], tmp_path: Path
) -> None:
    replicas = [make(running_max=1, waiting_max=3) for _ in range(8)]
    started(replicas[0], tmp_path, "hold")
    refused: list[Conflict] = []

    def ask(jobs: JobFolder) -> None:
        try:
            jobs.start("hold", [], ANN)
        except Conflict as error:
            refused.append(error)

    threads = [threading.Thread(target=ask, args=(each,)) for each in replicas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [job.state for job in replicas[0].list()]
    assert (len(refused), states.count(JobState.QUEUED)) == (5, 3)


# -- cancelling


@pytest.mark.parametrize("word", ["hold", "family", "stubborn"])
def test_a_job_is_canceled_with_all_that_it_started(
    jobs: JobFolder, tmp_path: Path, word: str
) -> None:
    """`family` has a child in a session of its own; `stubborn` does not end when it is asked to."""
    job = started(jobs, tmp_path, word)
    before = processes_of(job.id)
    assert len(before) == (3 if word == "family" else 2)
    assert jobs.cancel(job.id).state is JobState.CANCELED
    assert not processes_of(job.id)
    assert jobs.get(job.id).ended_at is not None
    assert jobs.cancel(job.id).state is JobState.CANCELED


def test_a_job_that_is_over_cannot_be_canceled(jobs: JobFolder) -> None:
    job = jobs.wait(jobs.start("echo", [], ANN).id, WAIT_S)
    assert jobs.cancel(job.id) == job


# -- deaths


def test_a_job_whose_runner_was_killed_is_lost(jobs: JobFolder, tmp_path: Path) -> None:
    job = started(jobs, tmp_path, "hold")
    running = read_record(tmp_path / "jobs" / job.id / "running")
    assert running is not None
    os.kill(running["pid"], signal.SIGKILL)
    until(lambda: jobs.get(job.id).state is JobState.LOST, "the loss to be seen")
    assert jobs.get(job.id).result is None
    until(lambda: not processes_of(job.id), "its command to end with it")


def test_what_is_left_of_a_lost_job_is_ended_before_the_next_one_starts(
    jobs: JobFolder, tmp_path: Path
) -> None:
    job = started(jobs, tmp_path, "family")
    running = read_record(tmp_path / "jobs" / job.id / "running")
    assert running is not None
    os.kill(running["pid"], signal.SIGKILL)
    until(lambda: len(processes_of(job.id)) == 1, "the command to end with its runner")
    until(lambda: jobs.get(job.id).state is JobState.LOST, "the loss to be seen")
    jobs.start("echo", [], ANN)
    assert not processes_of(job.id)
    assert jobs.get(job.id).state is JobState.LOST


def test_a_job_goes_on_when_who_started_it_is_killed(
    jobs: JobFolder, tmp_path: Path, program: Path
) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from serve.desk.job_folder import JobFolder, JobSettings\n"
        "from serve.desk.principal import ALL, Principal\n"
        "settings = JobSettings(folder=Path(sys.argv[1]), program=(sys.executable, sys.argv[2]),"
        " environment=dict(os.environ))\n"
        "by = Principal(name='x', permissions=ALL, came_by='key')\n"
        "print(JobFolder(settings).start('hold', [sys.argv[3]], by).id, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    gate = tmp_path / "gate"
    called = [sys.executable, "-c", code, str(tmp_path / "jobs"), str(program), str(gate)]
    root = str(Path(__file__).parents[3])
    starter = subprocess.run(
        called, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": root}
    )
    assert starter.returncode == -signal.SIGKILL, starter.stderr
    job_id = starter.stdout.strip()
    until(lambda: jobs.get(job_id).state is JobState.RUNNING, "the job to begin")
    gate.touch()
    assert jobs.wait(job_id, WAIT_S).state is JobState.DONE


def test_the_place_of_a_lost_job_is_free_again(
    make: Callable[..., JobFolder], tmp_path: Path
) -> None:
    jobs = make(running_max=1)
    job = started(jobs, tmp_path, "hold")
    running = read_record(tmp_path / "jobs" / job.id / "running")
    assert running is not None
    os.kill(running["pid"], signal.SIGKILL)
    assert jobs.wait(jobs.start("echo", [], ANN).id, WAIT_S).state is JobState.DONE


# -- what is kept


def test_the_newest_are_kept_and_none_that_is_not_over(
    make: Callable[..., JobFolder], tmp_path: Path
) -> None:
    jobs = make(kept=2)
    old = started(jobs, tmp_path, "hold")
    ids = []
    for _ in range(4):
        ids.append(jobs.start("echo", [], ANN).id)
        jobs.wait(ids[-1], WAIT_S)
    assert [job.id for job in jobs.list()] == [ids[3], ids[2], old.id]
    with pytest.raises(NotFound):
        jobs.get(ids[0])


def test_the_list_is_short_and_without_results(jobs: JobFolder) -> None:
    ids = [jobs.start("echo", [], ANN).id for _ in range(3)]
    for each in ids:
        assert jobs.wait(each, WAIT_S).state in ENDED
    shown = jobs.list(2)
    assert [job.id for job in shown] == [ids[2], ids[1]]
    assert [job.result for job in shown] == [None, None]


def test_ids_cannot_be_guessed(jobs: JobFolder, tmp_path: Path) -> None:
    one, two = (jobs.start("echo", [], ANN).id for _ in range(2))
    assert len(one) == 38
    assert one[14:] != two[14:]
    for wrong in ("", "../jobs", one[:-1], f"{one}/../{one}", one.upper() + "x"):
        with pytest.raises(NotFound):
            jobs.get(wrong)
    assert (tmp_path / "jobs" / one).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "-rf", "", "x" * 200])
def test_files_have_plain_names(jobs: JobFolder, name: str) -> None:
    with pytest.raises(UsageError, match="plain name"):
        jobs.start("echo", [], ANN, files={name: "text"})
    assert jobs.list() == []


@pytest.mark.parametrize("kind", ["", "--help", "echo --json", "Echo", "echo;rm"])
def test_a_kind_is_words_of_a_command(jobs: JobFolder, kind: str) -> None:
    with pytest.raises(UsageError, match="no command"):
        jobs.start(kind, [], ANN)
    with pytest.raises(UsageError, match="NUL"):
        jobs.start("echo", ["a\0b"], ANN)


def test_every_process_of_a_job_carries_its_mark(jobs: JobFolder, tmp_path: Path) -> None:
    job = started(jobs, tmp_path, "hold")
    for pid in processes_of(job.id):
        assert f"{MARK}={job.id}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert is_held(tmp_path / "jobs" / job.id / "alive")
    assert json.loads((tmp_path / "jobs" / job.id / "request").read_text())["owner"] == "ann"
