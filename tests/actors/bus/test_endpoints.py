"""Where a bus may listen, and the sentence that says why not."""

import pytest
import zmq

from actors.bus.endpoints import listening_endpoints
from actors.bus.zmq import ZmqBus
from trading.errors import ConfigError


def endpoints(run_dir, bind, *, has_keys=False, host="a"):
    return listening_endpoints(host, "1", run_dir, bind, has_keys=has_keys)


def test_ipc_lives_in_a_folder_for_its_owner_alone(run_dir):
    folder = run_dir / "made"

    router, pub = endpoints(folder, "ipc")

    assert (router, pub) == (f"ipc://{folder}/a@1.cmd", f"ipc://{folder}/a@1.pub")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_folder_that_others_may_enter_is_refused(run_dir):
    run_dir.chmod(0o755)

    with pytest.raises(ConfigError, match="chmod 700"):
        endpoints(run_dir, "ipc")


def test_path_that_is_too_long_for_a_socket_is_refused(run_dir):
    with pytest.raises(ConfigError, match="choose a shorter run folder"):
        endpoints(run_dir, "ipc", host="x" * 100)


@pytest.mark.parametrize("host", ["a/b", "a@b"])
def test_host_name_that_is_no_file_name_is_refused(run_dir, host):
    with pytest.raises(ConfigError, match="rename it"):
        endpoints(run_dir, "ipc", host=host)


@pytest.mark.parametrize(
    ("bind", "router", "pub"),
    [
        ("127.0.0.1", "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"),
        ("127.0.0.1:7400", "tcp://127.0.0.1:7400", "tcp://127.0.0.1:7401"),
        ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"),
        ("[::1]:7400", "tcp://[::1]:7400", "tcp://[::1]:7401"),
        ("[::1]", "tcp://[::1]:0", "tcp://[::1]:0"),
        ("::1", "tcp://[::1]:0", "tcp://[::1]:0"),
    ],
)
def test_tcp_address_gives_two_ports(run_dir, bind, router, pub):
    assert endpoints(run_dir, bind) == (router, pub)


@pytest.mark.parametrize("bind", ["10.0.0.5", "tcp://192.168.1.2:7400", "[2001:db8::1]:0"])
def test_address_beyond_loopback_needs_the_cluster_secret(run_dir, bind):
    with pytest.raises(ConfigError, match="without a cluster secret"):
        endpoints(run_dir, bind)

    assert endpoints(run_dir, bind, has_keys=True)


@pytest.mark.parametrize("bind", ["0.0.0.0", "[::]:7400"])
def test_address_that_names_no_machine_is_refused(run_dir, bind):
    with pytest.raises(ConfigError, match="names no machine"):
        endpoints(run_dir, bind, has_keys=True)


@pytest.mark.parametrize("bind", ["", "here", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:-1"])
def test_address_that_is_none_is_refused(run_dir, bind):
    with pytest.raises(ConfigError, match="bind address"):
        endpoints(run_dir, bind)


def test_port_in_use_is_one_sentence_and_leaves_nothing_open(run_dir):
    with zmq.Context() as context, context.socket(zmq.REP) as holder:
        port = holder.bind_to_random_port("tcp://127.0.0.1")

        with pytest.raises(ConfigError, match="Address already in use"):
            ZmqBus("a", "1", run_dir=run_dir, bind=f"127.0.0.1:{port}")


def test_chosen_port_is_reported(run_dir):
    bus = ZmqBus("a", "1", run_dir=run_dir, bind="127.0.0.1")

    ports = {int(e.rpartition(":")[2]) for e in (bus.address.router, bus.address.pub)}
    bus.close()

    assert len(ports) == 2
    assert min(ports) > 0
