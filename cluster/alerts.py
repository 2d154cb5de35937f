"""Watches a cluster from outside and tells people: a watcher that dies with what it watches is none."""

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from cluster.config import Config
from cluster.config.safety import is_private
from serve.desk.view import ClusterSnapshot
from serve.monitoring.alert_book import AlertBook, Notice
from serve.monitoring.delivery import DeliveryPolicy, NoticeQueue, OutgoingMessage
from serve.monitoring.metrics import Sample
from serve.monitoring.rules import RULES, Severity
from serve.monitoring.samples import samples_of
from trading.errors import AuthError, ClusterUnreachable, ConfigError

ENVIRONMENT = "ALERT_URLS"
FILE = "alert_urls"
Send = Callable[[OutgoingMessage], bool]
Look = Callable[[], ClusterSnapshot]
"""One look at the cluster. Raises `ClusterUnreachable`."""


class Watch:
    """One watcher: a look, the rules, the messages."""

    def __init__(self, config: Config, look: Look, send: Send) -> None:
        alerts = config.alerts
        policy = DeliveryPolicy(
            min_severity=Severity(alerts.min_severity),
            quiet=alerts.quiet,
            max_per_minute=alerts.max_per_minute,
        )
        self.book = AlertBook(RULES, alerts.repeat_after_min * 60.0)
        self._queue = NoticeQueue(policy, config.cluster.name)
        self._look, self._send = look, send
        self._unsent: list[OutgoingMessage] = []

    def round(self) -> list[Notice]:
        """Look once; tell what is due. Returns what changed; what could not be sent is tried again next time."""
        now_s = time.monotonic()
        notices = self.book.update(_samples(self._look), now_s)
        self._unsent += self._queue.messages(notices, now_s, datetime.now(UTC))
        self._unsent = [message for message in self._unsent if not self._send(message)]
        return notices

    @property
    def unsent(self) -> int:
        """Messages that no service has taken yet."""
        return len(self._unsent)


def met_now(look: Look) -> list[Notice]:
    """Return what one look finds; holding times count as over, and increases are not known."""
    rules = [msgspec.structs.replace(rule, for_s=0) for rule in RULES if not rule.window_s]
    return AlertBook(rules, 0.0).update(_samples(look), 0.0)


def _samples(look: Look) -> list[Sample]:
    try:
        return list(samples_of(look(), time.time_ns()))
    except ClusterUnreachable:
        return [Sample("trading_up", (), 0)]


def looker(config: Config) -> Look:
    """Return a look that finds the cluster again after it was away."""
    from cluster.desk.connection import Connection
    from cluster.desk.ray_link import link_outside

    return Connection(lambda: link_outside(config)).snapshot


def sender(urls: Sequence[str]) -> Send:
    """Return who delivers messages to these addresses.

    Raises
    ------
    ConfigError
        If Apprise is not installed, or does not know an address; the address itself is not shown.
    """
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            "alerts need Apprise; install it with `pip install 'neural-trader[alerts]'`."
        ) from None
    service = apprise.Apprise()
    for number, url in enumerate(urls, 1):
        if not service.add(url):
            raise ConfigError(
                f"alert address {number} is none that Apprise knows; see its list of services."
            )
    kinds = {
        Severity.CRITICAL: apprise.NotifyType.FAILURE,
        Severity.WARNING: apprise.NotifyType.WARNING,
    }

    def send(message: OutgoingMessage) -> bool:
        kind: Any = apprise.NotifyType.SUCCESS if message.is_resolved else kinds[message.severity]
        return bool(service.notify(title=message.title, body=message.body, notify_type=kind))

    return send


def alert_urls(config: Config) -> tuple[str, ...]:
    """Return the addresses of people: of the environment, else of the file.

    Raises
    ------
    ConfigError
        If there is none.
    AuthError
        If others can read the file.
    """
    path = config.alerts.urls_file
    if path.name == "":
        path = config.cluster.state_dir / FILE
    text = os.environ.get(ENVIRONMENT, "")
    if not text and path.is_file():
        if not is_private(path):
            raise AuthError(f"{path} can be read by others; run `chmod 600 {path}`.")
        text = path.read_text()
    found = tuple(part.strip() for part in text.replace("\n", ",").split(",") if part.strip())
    if not found:
        raise ConfigError(
            f"nobody is to be told: put Apprise addresses into {ENVIRONMENT}, or one per line into {path}."
        )
    return found
