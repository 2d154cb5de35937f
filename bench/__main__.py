"""Run the benches and print a table of each; with --write, also into its section of docs/benchmarks.md.

    python -m bench [NAME ...] [--write]

Every module `bench_<name>` has `rows()`: dictionaries with `what`, `subject`, `p50_us`, `p99_us`,
`ratio` (to the first row of the same `what`) and `note`. There is no pass or fail on time.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

COLUMNS = ("what", "subject", "p50_us", "p99_us", "ratio", "note")
HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- {}: begin -->", "<!-- {}: end -->"


def text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return "-" if value is None else str(value)


def table(rows: Sequence[dict[str, object]]) -> str:
    cells = [list(COLUMNS), *([text(row.get(column)) for column in COLUMNS] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    day = datetime.now(UTC).date().isoformat()
    return f"{day}, {os.cpu_count()} cores, {model}, Python {platform.python_version()}"


def measure(name: str) -> list[dict[str, object]]:
    """Run one bench in a process of its own: they start Ray in different ways."""
    program = (
        f"import json; from bench.bench_{name} import rows; print(json.dumps(rows(), default=str))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    found: list[dict[str, object]] = json.loads(done.stdout.strip().rpartition("\n")[2])
    return found


def main() -> None:
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)}; known: {', '.join(known)}")
    for name in options.names or known:
        print(f"measuring {name} ...", flush=True)
        measured = f"Measured {machine()}.\n\n{table(measure(name))}"
        print(measured, flush=True)
        if options.write:
            write(name, measured)


def write(name: str, measured: str) -> None:
    """Put one section into the page, in place of the older one."""
    begin, end = BEGIN.format(name), END.format(name)
    page = PAGE.read_text(encoding="utf-8")
    if begin not in page:
        page = f"{page.rstrip()}\n\n## {name}\n\n{begin}\n{end}\n"
    before, _, rest = page.partition(begin)
    after = rest.partition(end)[2]
    PAGE.write_text(f"{before}{begin}\n{measured}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
