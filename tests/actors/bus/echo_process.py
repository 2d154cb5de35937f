"""A host process with one machine, `echo:1`: answers `<incarnation>:<payload>` to every command."""

import json
import sys
from pathlib import Path

from actors.bus import wire
from actors.bus.zmq import ZmqBus
from trading.identifiers import MachineName

ECHO = MachineName("echo:1")


def main() -> None:
    setup = json.loads(sys.argv[1])
    bus = ZmqBus("echo", setup["incarnation"], run_dir=Path(setup["run_dir"]), bind=setup["bind"])
    bus.set_routes({MachineName("test:1"): wire.HostAddress(*setup["home"])})
    print(json.dumps([bus.address.router, bus.address.pub]), flush=True)
    prefix = setup["incarnation"].encode() + b":"
    while True:
        for item in bus.poll(1.0):
            if isinstance(item, wire.Command):
                bus.send(ECHO, item.sender, prefix + item.payload)
                if setup["acks"]:
                    bus.ack(item.token)


if __name__ == "__main__":
    main()
