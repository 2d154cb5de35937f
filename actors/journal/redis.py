"""The shared journal: a Redis or Valkey server with an append-only file.

Each stream is two keys with one hash tag: a string that holds the sealed head, and a Redis Stream
whose entry ids are the seqs (`7-0`), so that ranges are found by seq (a list would be walked) and
ids cannot go back. One script swaps the head and adds the records; the server runs it alone and
logs it as one transaction.

When a connection breaks before the answer, the same swap is sent once more: it cannot happen twice,
because its first run replaced the head that it expects. If the server stays silent, the head is kept
in mind, and before the stream is used again a swap that only raises its turn goes ahead of everything
else: from then on the unanswered one, wherever it waits, finds another head and does nothing.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeVar

import msgspec

from actors.journal.chain import EMPTY, Damage, Head, seal, unseal
from actors.journal.chained_journal import ChainedJournal, Page
from actors.journal.journal import Record
from trading.errors import ConfigError, JournalUnavailable
from trading.identifiers import StreamName

SCHEMA_VERSION = 1
SOCKET_TIMEOUT_S = 3.0
SYNC_TIMEOUT_MS = 2500
"""Longest wait for the server's own sync when it syncs every second; below the socket's."""

_OTHER_TAIL = -1
_SWAP = """
local head = redis.call('GET', KEYS[1]) or ''
if head ~= ARGV[1] then return {0, head} end
local tail = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
local last = tail[1] and tail[1][1] or '0-0'
if last ~= ARGV[3] then return {-1, last} end
for i = 4, #ARGV, 2 do redis.call('XADD', KEYS[2], ARGV[i], 'record', ARGV[i + 1]) end
redis.call('SET', KEYS[1], ARGV[2])
return {1, ARGV[2]}
"""
_PAGE = """
return {redis.call('GET', KEYS[1]) or '',
  redis.call('XRANGE', KEYS[2], ARGV[1], '+', 'COUNT', ARGV[2])}
"""

T = TypeVar("T")


class _Refused(JournalUnavailable):
    """The server answered, and the answer is no: it did nothing."""


class RedisJournal(ChainedJournal):
    """Streams on one server; many processes may use it at once.

    Parameters
    ----------
    url : str
        `redis://[[user]:password@]host[:port][/db]`, `rediss://...` or `unix:///path/to/socket`.
    prefix : str
        What the names of all keys start with.
    allow_volatile : bool
        Accept a server that may forget acknowledged records when it dies.

    Raises
    ------
    ConfigError
        If the URL is wrong, redis-py is not installed, or the server is not set up to keep records.
    JournalUnavailable
        If the server does not answer.
    """

    def __init__(
        self, url: str, prefix: str = "neural-trader", *, allow_volatile: bool = False
    ) -> None:
        super().__init__()
        self._driver = driver = _driver()
        try:
            self._client: Any = driver.from_url(
                url,
                socket_timeout=SOCKET_TIMEOUT_S,
                socket_connect_timeout=SOCKET_TIMEOUT_S,
                retry=driver.retry.Retry(driver.backoff.NoBackoff(), 0),
            )
        except ValueError as error:
            raise ConfigError(f"journal URL is not valid: {error}") from error
        self._prefix = prefix
        self._run_swap = self._client.register_script(_SWAP)
        self._run_page = self._client.register_script(_PAGE)
        self._unanswered: dict[StreamName, Head] = {}
        self._must_wait = False if allow_volatile else self._check_durable()
        self._check_version()

    def streams(self) -> list[StreamName]:
        start, end = f"{self._prefix}:{{", "}:head"
        keys = self._ask(lambda: list(self._client.scan_iter(match="*" + end, count=1000)))
        names = (key.decode() for key in keys)
        return sorted(
            StreamName(name[len(start) : -len(end)]) for name in names if name.startswith(start)
        )

    def close(self) -> None:
        self._client.close()

    # -- the store's three verbs

    def _load(self, stream: StreamName) -> Head:
        self._settle(stream)
        sealed = self._ask(lambda: self._client.get(self._head_key(stream)))
        return EMPTY if sealed is None else unseal(stream, sealed)

    def _swap(self, stream: StreamName, old: Head, new: Head, records: Sequence[Record]) -> Head:
        self._unanswered[stream] = old
        try:
            ruling = self._ask(lambda: self._swap_once(stream, old, new, records))
            if ruling != new and records and self._holds(stream, records[-1]):
                ruling = new  # the answer got lost, and others have gone on from there
        except (_Refused, Damage):
            del self._unanswered[stream]
            raise
        del self._unanswered[stream]
        return ruling

    def _page(self, stream: StreamName, first: int, limit: int) -> Page:
        self._settle(stream)
        sealed, entries = self._snapshot(stream, first, limit)
        records: list[Record] = []
        try:
            records.extend(_record(*entry) for entry in entries)
            if not sealed and not entries:
                return Page((), EMPTY)
            return Page(records, unseal(stream, sealed))
        except Damage as damage:
            return Page(records, None, str(damage))

    # -- talking to the server

    def _settle(self, stream: StreamName) -> None:
        """Make sure that a swap without an answer has happened or never will."""
        old = self._unanswered.get(stream)
        if old is not None:
            void = msgspec.structs.replace(old, turn=old.turn + 1, writer=self._writer)
            self._ask(lambda: self._swap_once(stream, old, void, ()))
            del self._unanswered[stream]

    def _swap_once(
        self, stream: StreamName, old: Head, new: Head, records: Sequence[Record]
    ) -> Head:
        expected = b"" if old == EMPTY else seal(stream, old)
        arguments: list[object] = [expected, seal(stream, new), f"{old.seq}-0"]
        for r in records:
            arguments += [f"{r.seq}-0", msgspec.msgpack.encode(r)]
        keys = [self._head_key(stream), self._records_key(stream)]
        status, found = self._run_swap(keys=keys, args=arguments)
        if status == _OTHER_TAIL:
            raise Damage(f"the head names record {old.seq}, the last one is {found!r}")
        if self._must_wait:
            self._wait_for_disk()
        return unseal(stream, found) if found else EMPTY

    def _wait_for_disk(self) -> None:
        """Wait until all that the server did so far is synced.

        `WAITAOF` waits for the last write of its own connection, so there has to be one.
        """
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.incr(f"{self._prefix}:syncs")
            pipeline.execute_command("WAITAOF", 1, 0, SYNC_TIMEOUT_MS)
            written, synced = pipeline.execute(raise_on_error=False)
        if not (isinstance(written, int) and isinstance(synced, list) and synced[0] == 1):
            # Not a refusal: the swap before this may have happened.
            raise self._driver.TimeoutError("its append-only file is not synced in time")

    def _holds(self, stream: StreamName, record: Record) -> bool:
        _, entries = self._snapshot(stream, record.seq, 1)
        return bool(entries) and _record(*entries[0]) == record

    def _snapshot(self, stream: StreamName, first: int, limit: int) -> Any:
        """Return the sealed head and the entries of one moment.

        A script and not `MULTI`, which a server that is out of memory refuses to queue.
        """
        keys = [self._head_key(stream), self._records_key(stream)]
        return self._ask(lambda: self._run_page(keys=keys, args=[f"{first}-0", limit]))

    def _ask(self, question: Callable[[], T]) -> T:
        """Ask, and once more if the connection broke: it may be older than the server."""
        try:
            try:
                return question()
            except self._driver.ConnectionError:
                return question()
            except self._driver.ResponseError as error:
                raise _Refused(self._sentence(error)) from error
        except self._driver.RedisError as error:
            raise JournalUnavailable(self._sentence(error)) from error

    def _sentence(self, error: Exception) -> str:
        kwargs = self._client.get_connection_kwargs()
        where = kwargs.get("path") or f"{kwargs.get('host')}:{kwargs.get('port', 6379)}"
        return f"journal server {where} cannot be used ({error}); start it or mend it"

    def _head_key(self, stream: StreamName) -> str:
        return f"{self._prefix}:{{{stream}}}:head"

    def _records_key(self, stream: StreamName) -> str:
        return f"{self._prefix}:{{{stream}}}:records"

    # -- what the server must be

    def _check_durable(self) -> bool:
        """Return whether each swap must wait for the server's own sync."""
        try:
            config = self._ask(lambda: self._client.config_get("append*"))
        except _Refused as error:
            raise ConfigError(
                f"journal server does not tell whether it keeps an append-only file: {error}"
            ) from error
        if config.get("appendonly") != "yes":
            raise ConfigError(
                "journal server keeps no append-only file and would forget every record; "
                "set `appendonly yes` and `appendfsync always`"
            )
        if config.get("appendfsync") == "always":
            return False
        if config.get("appendfsync") == "everysec" and self._has_waitaof():
            return True
        raise ConfigError(
            "journal server answers before its append-only file is synced; set `appendfsync always`"
        )

    def _has_waitaof(self) -> bool:
        try:
            self._ask(lambda: self._client.execute_command("WAITAOF", 0, 0, 1))
        except _Refused:
            return False
        return True

    def _check_version(self) -> None:
        key = f"{self._prefix}:version"
        self._ask(lambda: self._client.set(key, SCHEMA_VERSION, nx=True))
        version = self._ask(lambda: self._client.get(key))
        if version != b"%d" % SCHEMA_VERSION:
            raise ConfigError(
                f"journal on the server has version {version!r} and this program knows "
                f"{SCHEMA_VERSION}; use the newer program that wrote it"
            )


def _driver() -> ModuleType:
    try:
        import redis
    except ImportError as error:
        raise ConfigError(
            "a journal on Redis needs redis-py; run `pip install neural-trader[redis]`"
        ) from error
    return redis


def _record(entry_id: bytes, pairs: Sequence[bytes]) -> Record:
    try:
        name, encoded = pairs
        record = msgspec.msgpack.decode(encoded, type=Record)
    except (ValueError, msgspec.MsgspecError) as error:
        raise Damage(f"the entry {entry_id!r} is not a record") from error
    if (entry_id, name) != (b"%d-0" % record.seq, b"record"):
        raise Damage(f"the entry {entry_id!r} holds record {record.seq}")
    return record
