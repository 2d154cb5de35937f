"""Runs one script and writes what it used to `usage.json` beside this file.

python3 job.py main.py
"""

import json
import resource
import subprocess
import sys
from pathlib import Path


def main() -> int:
    command = [sys.executable, "-B", sys.argv[1]]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    usage = {"cpu_s": used.ru_utime + used.ru_stime, "peak_memory_bytes": used.ru_maxrss * 1024}
    Path(__file__).with_name("usage.json").write_text(json.dumps(usage))
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


if __name__ == "__main__":
    sys.exit(main())
