import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from trading.backtest.engine import Actions
from trading.errors import DataError, UsageError
from trading.strategies.strategy import Bars
from tune.manifest import Manifest, digest_of, make_manifest
from tune.prices import Quoted
from tune.search import SearchPlan, plan_of
from tune.store import MANIFEST, TRIALS, Store

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
LATER = datetime(2030, 1, 2, 13, tzinfo=UTC)


@pytest.fixture
def manifest_of(bars: Bars, plan: SearchPlan) -> Callable[..., Manifest]:
    def make(name: str = "first", plan: SearchPlan = plan, bars: Bars = bars) -> Manifest:
        return make_manifest(
            name=name,
            kind="search",
            plan=plan,
            bars=bars,
            source="random walk",
            execution={"cores": 2},
            started_at=NOON,
        )

    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_run_comes_back_as_it_was_written(
    store: Store, manifest_of: Callable[..., Manifest]
) -> None:
    table = pl.DataFrame({"point": [0, 1], "sharpe": [0.1 + 0.2, None]})
    with store.open(manifest_of()) as run:
        run.write_table(TRIALS, table)
        run.finish(LATER)
    found = store.manifest("first")
    assert msgspec.structs.replace(found, finished_at=None) == manifest_of()
    assert (found.started_at, found.finished_at) == (NOON, LATER)
    assert store.trials("first").equals(table)
    assert store.names() == ("first",)


def test_plan_comes_back_from_its_manifest(
    store: Store, manifest_of: Callable[..., Manifest], plan: SearchPlan
) -> None:
    store.open(manifest_of()).finish(LATER)
    assert plan_of(store.manifest("first")) == plan


def test_run_goes_on_under_its_name_and_keeps_its_first_time(
    store: Store, manifest_of: Callable[..., Manifest]
) -> None:
    with store.open(manifest_of()):
        pass
    later = msgspec.structs.replace(manifest_of(), started_at=LATER, execution={"cores": 9})
    with store.open(later) as run:
        assert run.manifest.started_at == NOON


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 6}, "plan seed was 5 and is 6"),
        ({"trials": 17}, "plan trials was 16 and is 17"),
    ],
)
def test_other_plan_under_the_same_name_is_refused_by_name(
    store: Store,
    manifest_of: Callable[..., Manifest],
    plan: SearchPlan,
    change: dict[str, int],
    named: str,
) -> None:
    with store.open(manifest_of()):
        pass
    with pytest.raises(UsageError, match=named):
        store.open(manifest_of(plan=msgspec.structs.replace(plan, **change)))


def test_other_data_under_the_same_name_are_refused(
    store: Store, manifest_of: Callable[..., Manifest], bars: Bars
) -> None:
    with store.open(manifest_of()):
        pass
    with pytest.raises(UsageError, match="data was"):
        store.open(manifest_of(bars=bars.rows(1, len(bars))))


def test_two_processes_do_not_write_one_run(
    store: Store, manifest_of: Callable[..., Manifest]
) -> None:
    code = (
        "import fcntl, sys\n"
        "lock = open(sys.argv[1], 'ab'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with store.open(manifest_of()):
        pass
    command = [sys.executable, "-c", code, str(store.folder("first") / "lock")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="written by another process"):
            store.open(manifest_of())
        with store.open(manifest_of("second")):
            pass
        other.kill()
    with store.open(manifest_of()):
        pass  # a killed process holds nothing


def test_failed_write_leaves_the_old_file(
    store: Store, manifest_of: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.open(manifest_of()) as run:
        run.write_table(TRIALS, pl.DataFrame({"a": [1]}))

        def torn(table: pl.DataFrame, path: Path) -> None:
            path.write_bytes(b"half")
            raise OSError("no space left")

        monkeypatch.setattr(pl.DataFrame, "write_parquet", torn)
        with pytest.raises(OSError, match="no space"):
            run.write_table(TRIALS, pl.DataFrame({"a": [2]}))
    assert store.trials("first")["a"].to_list() == [1]
    assert sorted(path.name for path in store.folder("first").iterdir()) == [
        "lock",
        MANIFEST,
        TRIALS,
    ]


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a" * 101, "two words"])
def test_name_that_cannot_be_a_folder_is_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        store.folder(name)


def test_unknown_and_unfinished_runs_are_named(
    store: Store, manifest_of: Callable[..., Manifest]
) -> None:
    with store.open(manifest_of()):
        pass
    with pytest.raises(UsageError, match="no run 'other'; known are: first"):
        store.manifest("other")
    with pytest.raises(UsageError, match="'first' has not ended"):
        store.trials("first")
    (store.folder("first") / MANIFEST).write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        store.manifest("first")


def test_digest_changes_with_every_cell_and_name(bars: Bars) -> None:
    nudged = bars.close.copy()
    nudged[399, 2] = np.nextafter(nudged[399, 2], np.inf)
    others = [
        Bars(bars.ts, bars.instrument_ids, nudged, *(bars.close,) * 3, bars.volume),
        Bars(bars.ts + 1, bars.instrument_ids, *(bars.close,) * 4, bars.volume),
        Bars(bars.ts, bars.instrument_ids[::-1], *(bars.close,) * 4, bars.volume),
        Bars(bars.ts, bars.instrument_ids, *(bars.close,) * 4, bars.volume, {"tone": bars.close}),
        Bars(bars.ts, bars.instrument_ids, *(bars.close,) * 4, bars.volume, {"mood": bars.close}),
    ]
    digests = {digest_of(each) for each in (bars, *others)}
    assert len(digests) == 6
    splits = np.ones_like(bars.close)
    quoted = Quoted(bars, Actions(splits, 0 * splits))
    paid = Quoted(bars, Actions(splits, splits))
    dearer = Quoted(Bars.of_closes(bars.ts, bars.instrument_ids, nudged), quoted.actions)
    assert len(digests | {digest_of(bars, each) for each in (quoted, paid, dearer)}) == 9
    copy = Bars(bars.ts.copy(), bars.instrument_ids, *(bars.close.copy(),) * 4, bars.volume.copy())
    assert digest_of(copy) == digest_of(bars)
