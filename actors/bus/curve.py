"""CurveZMQ for a cluster: two key pairs from one secret, and the gate that knows the one client key."""

import logging
import threading
from dataclasses import dataclass, field
from hashlib import blake2b

import zmq
from zmq.utils import z85

from trading.errors import ConfigError

log = logging.getLogger(__name__)

SECRET_BYTES_MIN = 32
_ZAP_ENDPOINT = "inproc://zeromq.zap.01"  # fixed by ZeroMQ RFC 27
_ZAP_DOMAIN = b"bus"


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """The key pair of every server of the cluster, and that of every client (z85 text).

    Who holds the cluster secret can be both; who does not can be neither.
    """

    server_public: bytes
    client_public: bytes
    server_secret: bytes = field(repr=False)
    client_secret: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: bytes) -> "CurveKeys":
        """Derive both pairs: BLAKE2b of the secret, once per role, is the Curve25519 secret key.

        Raises
        ------
        ConfigError
            If the secret is shorter than 32 bytes.
        """
        if len(secret) < SECRET_BYTES_MIN:
            raise ConfigError(
                f"the cluster secret has {len(secret)} bytes; make one of at least "
                f"{SECRET_BYTES_MIN} random bytes."
            )
        server, client = _secret_key(secret, b"bus server"), _secret_key(secret, b"bus client")
        return cls(zmq.curve_public(server), zmq.curve_public(client), server, client)

    def guard(self, socket: zmq.Socket[bytes]) -> None:
        """Make `socket` a server that only clients of the cluster get into."""
        socket.curve_server = True
        socket.curve_secretkey = self.server_secret
        socket.zap_domain = _ZAP_DOMAIN

    def unlock(self, socket: zmq.Socket[bytes]) -> None:
        """Make `socket` a client that only servers of the cluster can talk to."""
        socket.curve_serverkey = self.server_public
        socket.curve_publickey = self.client_public
        socket.curve_secretkey = self.client_secret


def _secret_key(secret: bytes, role: bytes) -> bytes:
    return z85.encode(blake2b(secret, digest_size=32, person=role).digest())


class Gatekeeper:
    """Answers ZeroMQ's question who may come in (ZAP, RFC 27), in a thread of its own.

    Without it every client that knows the server's public key would be let in. The thread ends when
    the context is terminated.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: CurveKeys) -> None:
        self._welcome = [b"CURVE", z85.decode(keys.client_public)]
        self._socket = context.socket(zmq.REP)
        self._socket.linger = 0
        self._socket.bind(_ZAP_ENDPOINT)
        self._thread = threading.Thread(target=self._run, name="bus gatekeeper", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the thread; call it after terminating the context."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                self._answer(self._socket.recv_multipart())
        except zmq.ContextTerminated:
            self._socket.close()

    def _answer(self, question: list[bytes]) -> None:
        version, request_id, _domain, address, _identity = question[:5]
        if question[5:] == self._welcome:
            status, text = b"200", b"OK"
        else:
            status, text = b"400", b"not a member of this cluster"
            log.warning("refused a stranger from %s", address.decode(errors="replace"))
        self._socket.send_multipart([version, request_id, status, text, b"", b""])
