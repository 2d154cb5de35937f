"""Jobs in a folder that every replica shares. See `serve.jobs.files` for what lies in it."""

import json
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shlex import join
from typing import Any

from serve.desk.jobs import ENDED, NO_FILES, Job, JobState
from serve.desk.principal import Principal
from serve.jobs import runner
from serve.jobs.files import MARK, holding, is_held, read_record, write_record
from serve.jobs.processes import end_processes
from trading.errors import Conflict, NotFound, UsageError

TAIL_BYTES = 4_096
POLL_S = 0.05
RELEASE_S, RELEASE_POLL_S = 5.0, 0.005
_ID = re.compile(r"[0-9a-f]{38}")
_WORD = re.compile(r"[a-z][a-z0-9-]*")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_ERROR = re.compile(
    r"^trader: (?P<detail>(?:(?!^trader: ).)*?) \[(?P<code>[A-Z][A-Z0-9_]*)\]$",
    re.DOTALL | re.MULTILINE,
)
_USAGE = "Error: "
"""How typer says that an option is wrong."""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class JobSettings:
    """How jobs are run.

    Attributes
    ----------
    folder : Path
        Made, for the owner alone, if it does not exist.
    program : tuple of str
        What a command is given to: the path of `trader`.
    options : tuple of str
        Added to every command: which configuration it uses.
    environment : mapping
        All of the environment that a job gets.
    running_max, waiting_max : int
        Jobs at once, and jobs that may wait.
    kept : int
        The newest jobs of which the results are kept.
    """

    folder: Path
    program: tuple[str, ...]
    environment: Mapping[str, str]
    options: tuple[str, ...] = ()
    running_max: int = 2
    waiting_max: int = 20
    kept: int = 200


class JobFolder:
    """`serve.desk.jobs.Jobs` over a folder. May be used by several threads and processes at once."""

    def __init__(self, settings: JobSettings) -> None:
        self._settings = settings
        self._folder = settings.folder
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(
        self,
        kind: str,
        arguments: Sequence[str],
        by: Principal,
        *,
        correlation_id: str = "",
        files: Mapping[str, str] = NO_FILES,
        key: str = "",
    ) -> Job:
        """See `Jobs`."""
        words = kind.split()
        if not words or not all(_WORD.fullmatch(word) for word in words):
            raise UsageError(f"{kind[:60]!r} is no command; see `trader --help`.")
        if any("\0" in argument for argument in arguments):
            raise UsageError("an argument holds a NUL character; leave it out.")
        said = [*words, *arguments, "--json"]
        digest = sha256(json.dumps([said, dict(files)], sort_keys=True).encode()).hexdigest()
        settings = self._settings
        with holding(self._folder / "lock"):
            known = self._started_by(by.name, key, digest) if key else None
            if known is not None:
                return self.get(known)
            self._clear_lost()
            behind = self._waiting()
            if len(behind) >= settings.waiting_max:
                raise Conflict(
                    f"JOBS_FULL: {len(behind)} jobs wait already; wait for one, or cancel one."
                )
            job_id = f"{time.time_ns():016x}"[:14] + secrets.token_hex(12)
            folder = self._folder / job_id
            _lay_out(folder, files)
            write_record(
                folder / "request",
                {
                    "kind": kind,
                    "text": join(["trader", *said]),
                    "command": [*settings.program, *said, *settings.options],
                    "owner": by.name,
                    "at": time.time(),
                    "correlation_id": correlation_id,
                    "key": key,
                    "digest": digest,
                    "behind": behind,
                    "slots": settings.running_max,
                },
            )
            self._launch(folder)
            self._drop_old()
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """See `Jobs`."""
        job = self._read(job_id)
        if job.state not in (JobState.DONE, JobState.FAILED):
            return job
        folder = self._folder / job_id
        return job.model_copy(update={"result": _result(folder), **_error(folder, job.state)})

    def list(self, limit: int = 50) -> list[Job]:
        """See `Jobs`."""
        newest = sorted(self._ids(), reverse=True)[: max(0, limit)]
        return [self._read(job_id) for job_id in newest]

    def cancel(self, job_id: str) -> Job:
        """See `Jobs`."""
        state, folder = self._read(job_id).state, self._folder / job_id
        if state is JobState.LOST:
            end_processes(job_id, None, lambda: True)
        if state in ENDED:
            return self.get(job_id)
        write_record(folder / "canceled", {"at": time.time()})
        running = read_record(folder / "running")
        end_processes(
            job_id,
            None if running is None else running["pid"],
            lambda: running is None or (folder / "exit").exists(),
        )
        _await_release(folder)
        return self.get(job_id)

    def wait(self, job_id: str, timeout_s: float) -> Job:
        """See `Jobs`."""
        deadline = time.monotonic() + timeout_s
        while self._read(job_id).state not in ENDED and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return self.get(job_id)

    # -- pieces

    def _launch(self, folder: Path) -> None:
        """Leave a runner behind, and return when it lives."""
        root = str(Path(__file__).parents[2])
        known = self._settings.environment.get("PYTHONPATH", "")
        environment = {
            **self._settings.environment,
            "PYTHONPATH": f"{root}:{known}" if known else root,
            MARK: folder.name,
        }
        subprocess.run(
            [sys.executable, "-m", runner.__name__, str(folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )

    def _started_by(self, owner: str, key: str, digest: str) -> str | None:
        """Return the job that this key of this owner started."""
        for job_id in self._ids():
            request = read_record(self._folder / job_id / "request") or {}
            if (request.get("owner"), request.get("key")) != (owner, key):
                continue
            if request["digest"] != digest:
                raise Conflict(
                    f"IDEMPOTENCY_KEY_REUSED: this key started another job ({job_id}); take a new key."
                )
            return job_id
        return None

    def _waiting(self) -> Sequence[str]:
        """Return the jobs that wait for their turn, the first one first."""
        return sorted(each for each in self._ids() if is_held(self._folder / each / "waiting"))

    def _clear_lost(self) -> None:
        """End what is left of jobs whose runner was killed: it holds no place, and nobody waits for it."""
        for job_id in self._ids():
            folder = self._folder / job_id
            if self._read(job_id).state is JobState.LOST and not (folder / "cleared").exists():
                end_processes(job_id, None, lambda: True)
                (folder / "cleared").touch()

    def _drop_old(self) -> None:
        for job_id in sorted(self._ids(), reverse=True)[self._settings.kept :]:
            if self._read(job_id).state in ENDED:
                shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def _ids(self) -> Iterator[str]:
        return (each.name for each in self._folder.iterdir() if _ID.fullmatch(each.name))

    def _read(self, job_id: str) -> Job:
        """Return a job without its result.

        Raises
        ------
        NotFound
            If there is none of that id.
        """
        folder = self._folder / job_id
        request = read_record(folder / "request") if _ID.fullmatch(job_id) else None
        if request is None:
            raise NotFound(f"there is no job {job_id[:40]!r}; only the newest are kept.")
        is_alive = is_held(
            folder / "alive"
        )  # before the rest is read: what ends meanwhile is not lost
        running, ended = read_record(folder / "running"), read_record(folder / "exit")
        canceled = read_record(folder / "canceled")
        over = ended or (canceled if not is_alive else None)
        return Job(
            id=job_id,
            kind=request["kind"],
            command=request["text"],
            state=_state(running, ended, is_alive=is_alive, is_canceled=canceled is not None),
            owner=request["owner"],
            created_at=_moment(request["at"]),
            started_at=None if running is None else _moment(running["at"]),
            ended_at=None if over is None else _moment(over["at"]),
            progress=_last_line(folder / "stderr"),
            correlation_id=request["correlation_id"],
        )


def _state(
    running: dict[str, Any] | None,
    ended: dict[str, Any] | None,
    *,
    is_alive: bool,
    is_canceled: bool,
) -> JobState:
    if ended is not None:
        if is_canceled:
            return JobState.CANCELED
        return JobState.DONE if ended["status"] == 0 else JobState.FAILED
    if not is_alive:
        return JobState.CANCELED if is_canceled else JobState.LOST
    return JobState.QUEUED if running is None else JobState.RUNNING


def _await_release(folder: Path) -> None:
    """Wait for the locks of a runner that was ended: the kernel opens them a moment after it is seen no more."""
    deadline = time.monotonic() + RELEASE_S
    while any(is_held(folder / name) for name in ("alive", "waiting")):
        if time.monotonic() >= deadline:
            return
        time.sleep(RELEASE_POLL_S)


def _lay_out(folder: Path, files: Mapping[str, str]) -> None:
    for name in files:
        if not _FILE.fullmatch(name):
            raise UsageError(f"{name[:60]!r} is no plain name of a file; take letters and digits.")
    folder.mkdir(mode=0o700)
    (folder / "work").mkdir(mode=0o700)
    for name, text in files.items():
        (folder / "work" / name).write_text(text, encoding="utf-8")


def _result(folder: Path) -> Any:
    """Return what the command printed; None when that is no JSON."""
    try:
        return json.loads((folder / "stdout").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _error(folder: Path, state: JobState) -> dict[str, str]:
    """Return the code and the sentence that the command ended with."""
    if state is not JobState.FAILED:
        return {}
    text = _tail(folder / "stderr")
    found = list(_ERROR.finditer(text))
    if not found:
        line = _last_line(folder / "stderr")
        wrong_option = line.startswith(_USAGE)
        return {
            "code": UsageError.code if wrong_option else "FAILED",
            "detail": line.removeprefix(_USAGE),
        }
    return {"code": found[-1]["code"], "detail": _CONTROL.sub("", found[-1]["detail"])}


def _last_line(path: Path) -> str:
    """Return what was said last; a progress line that is written over and over counts as it stands now."""
    lines = [_CONTROL.sub("", line).strip() for line in re.split(r"[\r\n]", _tail(path))]
    return next((line for line in reversed(lines) if line), "")


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
