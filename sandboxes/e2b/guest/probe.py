"""Tries what must not work from inside, and says what did: one line of JSON.

python3 probe.py <canary file> <address> <port>
"""

import json
import os
import socket
import sys
from pathlib import Path

CONNECT_TIMEOUT_S = 3.0
SECRETS = ("_API_KEY", "_SECRET_KEY", "_SECRET", "_PASSWORD")


def reached(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def main() -> None:
    file, address, port = sys.argv[1:4]
    found = {
        "secrets": any(name.endswith(SECRETS) for name in os.environ),
        "file": Path(file).exists(),
        "network": reached(address, int(port)),
        "kernel": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
