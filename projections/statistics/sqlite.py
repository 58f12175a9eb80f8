"""The counters in a SQLite file of their own, together with the position up to which they hold the access log."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import msgspec

from domain.access import CountChange, Counts, change_of
from domain.errors import StorageFullError, UnavailableError
from domain.events import RecordedEvent
from domain.ids import Position

WRITER_BUSY_SECONDS = 5.0
"""How long a batch waits for another process that writes to the file."""

READER_BUSY_SECONDS = 0.25
"""How long a read, which is in the event loop, waits; it must only while another process recovers the file."""

CACHE_KIBIBYTES = 8_192
"""SQLite's page cache: some 200,000 artifacts."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (
    artifact_id BLOB PRIMARY KEY, views INTEGER NOT NULL, downloads_milli INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS position (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), value INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO position VALUES (1, 0);
"""
_ADD = """
INSERT INTO counters VALUES (?1, ?2, ?3) ON CONFLICT (artifact_id) DO UPDATE SET
    views = iif(?4, 0, views) + ?2, downloads_milli = iif(?4, 0, downloads_milli) + ?3
RETURNING views, downloads_milli
"""
_GET = "SELECT views, downloads_milli FROM counters WHERE artifact_id = ?1"
_GET_POSITION = "SELECT value FROM position"
_SET_POSITION = "UPDATE position SET value = ?1"

_T = TypeVar("_T")


class Applied(msgspec.Struct, frozen=True):
    """A batch is in the file: the new counts of those it changed, and where it reset which of them."""

    position: Position
    counts: Mapping[UUID, Counts]
    resets: Mapping[UUID, Position]


class Read(msgspec.Struct, frozen=True):
    """Counts as of a position; artifacts without any are absent."""

    position: Position
    counts: Mapping[UUID, Counts]


class SqliteCounters:
    """One file of counters. A thread of its own writes; point reads happen in the event loop, on a snapshot.

    The file can be thrown away at any time, so it is synced only at checkpoints: after a power cut it is an earlier
    state with an earlier position, from which the log continues.
    """

    def __init__(self, writer: sqlite3.Connection, reader: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._writer = writer
        self._reader = reader
        self._thread = thread
        self._position = _position(reader)
        self._is_ahead: list[tuple[Position, asyncio.Future[None]]] = []

    @classmethod
    async def open(cls, path: Path) -> "SqliteCounters":
        """Open a file, or make it with no counters at position 0.

        Raises:
            StorageFullError: The disk is full.
            UnavailableError: SQLite could not open the file.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="statistics")
        try:
            writer, reader = await _run(thread, lambda: (_open_writer(path), _open_reader(path)))
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(writer, reader, thread)

    @property
    def position(self) -> Position:
        """The position up to which the counters hold the log."""
        return self._position

    async def apply(self, events: Sequence[RecordedEvent]) -> Applied:
        """Apply events in the order of the log, in one transaction with their position.

        Events up to the position that the file has are skipped, so a batch that runs twice counts once.

        Raises:
            StorageFullError: The disk is full; nothing was changed.
            UnavailableError: SQLite refused; nothing was changed.
        """
        applied = await _run(self._thread, lambda: _apply(self._writer, events))
        self._position = applied.position
        waiting = self._is_ahead
        self._is_ahead = [(position, future) for position, future in waiting if position > applied.position]
        for position, future in waiting:
            if position <= applied.position and not future.done():
                future.set_result(None)
        return applied

    def read(self, artifact_ids: Sequence[UUID]) -> Read:
        """Read the counts of these artifacts, all as of one position; about 3 microseconds each.

        Raises:
            UnavailableError: SQLite refused.
        """
        return _translated(lambda: _read(self._reader, artifact_ids))

    async def wait_until(self, position: Position, timeout_seconds: float) -> bool:
        """Wait until the counters hold all events up to a position; False when the time is over."""
        if self._position >= position:
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_ahead.append((position, future))
        try:
            async with asyncio.timeout(timeout_seconds):
                await future
        except TimeoutError:
            self._is_ahead.remove((position, future))
            return False
        return True

    async def close(self) -> None:
        """Finish what is under way and release the file."""
        await _run(self._thread, self._writer.close)
        self._thread.shutdown()
        self._reader.close()


async def _run(thread: ThreadPoolExecutor, call: Callable[[], _T]) -> _T:
    return await asyncio.get_running_loop().run_in_executor(thread, lambda: _translated(call))


def _translated(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise StorageFullError("The disk is full; the counters could not be stored.") from error
        raise UnavailableError("The counters are not available; try again later.") from error


def _open_writer(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=WRITER_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(_SCHEMA)
    return connection


def _open_reader(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=READER_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _position(connection: sqlite3.Connection) -> Position:
    (value,) = connection.execute(_GET_POSITION).fetchone()
    return Position(value)


def _apply(connection: sqlite3.Connection, events: Sequence[RecordedEvent]) -> Applied:
    # A transaction that failed half-way is rolled back by the connection's context manager.
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        position = _position(connection)
        changes: dict[UUID, CountChange] = {}
        resets: dict[UUID, Position] = {}
        for recorded in events:
            if recorded.envelope.position <= position:
                continue
            position = recorded.envelope.position
            if (found := change_of(recorded.payload)) is not None:
                artifact_id, change = found
                earlier = changes.get(artifact_id)
                changes[artifact_id] = change if earlier is None else earlier.then(change)
                if change.is_reset:
                    resets[artifact_id] = position
        counts: dict[UUID, Counts] = {}
        for artifact_id, change in changes.items():
            row = connection.execute(_ADD, (artifact_id.bytes, *change)).fetchone()
            counts[artifact_id] = Counts(*row)
        connection.execute(_SET_POSITION, (position,))
    return Applied(position, counts, resets)


def _read(connection: sqlite3.Connection, artifact_ids: Sequence[UUID]) -> Read:
    connection.execute("BEGIN")
    with connection:
        position = _position(connection)
        counts: dict[UUID, Counts] = {}
        for artifact_id in artifact_ids:
            row = connection.execute(_GET, (artifact_id.bytes,)).fetchone()
            if row is not None:
                counts[artifact_id] = Counts(*row)
    return Read(position, counts)
