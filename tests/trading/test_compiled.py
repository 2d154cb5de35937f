import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from trading import compiled
compiled.FOLDERS = ("cells",)
compiled.ROOM = Path(sys.argv[1])
sys.path.insert(0, sys.argv[1])
from cells.outer import outer
print(outer(2.0))
"""
INNER = "from trading.compiled import compiled\n\n@compiled\ndef inner(x):\n    return {}\n"
OUTER = "from cells.inner import inner\nfrom trading.compiled import compiled\n\n@compiled\ndef outer(x):\n    return inner(x) + 1\n"


def run(folder: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def test_change_of_a_callee_in_another_file_is_noticed(tmp_path: Path) -> None:
    cells = tmp_path / "cells"
    cells.mkdir()
    (cells / "inner.py").write_text(INNER.format("x * 10"))
    (cells / "outer.py").write_text(OUTER)
    assert run(tmp_path) == 21.0
    assert list(cells.rglob("outer.outer-*.nbi")), "nothing was cached"

    (cells / "inner.py").write_text(INNER.format("x * 20"))

    assert run(tmp_path) == 41.0
