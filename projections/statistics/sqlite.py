"""The counters in a SQLite file, together with the position up to which they hold the access log."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from domain.access import CountChange, Counts, change_of
from domain.events import RecordedEvent
from domain.ids import Position
from projections.registry import StaleFileError

VERSION: Final = 1
"""A change of what the tables hold takes a new version, which is built beside the old one."""

WRITER_BUSY_SECONDS: Final = 5.0
"""How long a batch waits for another process that writes to the file."""

READER_BUSY_SECONDS: Final = 0.25
"""How long a read, which is in the event loop, waits; it must only while another process recovers the file."""

CACHE_KIBIBYTES: Final = 8_192
"""SQLite's page cache of a reader: some 200,000 artifacts."""

_CREATE: Final = (
    """
    CREATE TABLE counters (
        artifact_id BLOB PRIMARY KEY, views INTEGER NOT NULL, downloads_milli INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE parked (position INTEGER PRIMARY KEY, type TEXT NOT NULL, error TEXT NOT NULL) STRICT",
    "CREATE TABLE meta (version INTEGER NOT NULL, epoch TEXT NOT NULL, position INTEGER NOT NULL) STRICT",
)
_INSERT_META: Final = "INSERT INTO meta VALUES (?, ?, 0)"
_GET_META: Final = "SELECT version, epoch, position FROM meta"
_SET_POSITION: Final = "UPDATE meta SET position = ?"
_ADD: Final = """
INSERT INTO counters VALUES (?1, ?2, ?3) ON CONFLICT (artifact_id) DO UPDATE SET
    views = iif(?4, 0, views) + ?2, downloads_milli = iif(?4, 0, downloads_milli) + ?3
RETURNING views, downloads_milli
"""
_GET: Final = "SELECT views, downloads_milli FROM counters WHERE artifact_id = ?"
_PARK: Final = "INSERT OR IGNORE INTO parked VALUES (?, ?, ?)"
_COUNT_PARKED: Final = "SELECT count(*) FROM parked"


class Applied(msgspec.Struct, frozen=True):
    """A batch is in the file: the new counts of those it changed, and where it last reset which of them."""

    position: Position
    counts: Mapping[UUID, Counts]
    resets: Mapping[UUID, Position]


class Read(msgspec.Struct, frozen=True):
    """Counts as of a position; artifacts without any are absent."""

    position: Position
    counts: Mapping[UUID, Counts]


class CountersFile:
    """One file, of one version and one epoch of the log. Written by one thread at a time.

    It can be thrown away at any time, so it is synced only at checkpoints: after a power cut it is an earlier state
    with an earlier position, from which the log continues.
    """

    def __init__(self, connection: sqlite3.Connection, position: Position) -> None:
        self._connection = connection
        self._position = position

    @classmethod
    def open(cls, path: Path, epoch: str) -> "CountersFile":
        """Open a file, or make it when it is not there.

        Raises:
            StaleFileError: The file is damaged, or of another version or log.
            sqlite3.OperationalError: SQLite could not open it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=WRITER_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if connection.execute("PRAGMA schema_version").fetchone() == (0,):
                with _transaction(connection):
                    for statement in _CREATE:
                        connection.execute(statement)
                    connection.execute(_INSERT_META, (VERSION, epoch))
            row = connection.execute(_GET_META).fetchone()
            if row is None or row[:2] != (VERSION, epoch):
                raise StaleFileError(f"{path.name} is of another version or another log")
            return cls(connection, Position(row[2]))
        except sqlite3.DatabaseError as error:
            connection.close()
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            raise StaleFileError(f"{path.name} is damaged") from error
        except BaseException:
            connection.close()
            raise

    @property
    def position(self) -> Position:
        """The position up to which the file holds the log."""
        return self._position

    def apply(self, events: Sequence[RecordedEvent]) -> Applied:
        """Apply events in the order of the log, in one transaction with their position.

        Events up to the position of the file are skipped, so a batch that runs twice counts once. An exception leaves
        the file as it was.
        """
        position = self._position
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
        if position > self._position:
            with _transaction(self._connection):
                for artifact_id, change in changes.items():
                    row = self._connection.execute(_ADD, (artifact_id.bytes, *change)).fetchone()
                    counts[artifact_id] = Counts(*row)
                self._connection.execute(_SET_POSITION, (position,))
            self._position = position
        return Applied(position, counts, resets)

    def park(self, event: RecordedEvent, error: str) -> None:
        """Pass over an event that cannot be applied, and keep note of it."""
        envelope = event.envelope
        if envelope.position <= self._position:
            return
        with _transaction(self._connection):
            self._connection.execute(_PARK, (envelope.position, envelope.type, error))
            self._connection.execute(_SET_POSITION, (envelope.position,))
        self._position = envelope.position

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


class CountersReader:
    """Reads counters, in the event loop: point reads take about 3 microseconds each."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", READER_BUSY_SECONDS, uri=True)
        self._connection.isolation_level = None
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")

    def read(self, artifact_ids: Sequence[UUID]) -> Read:
        """Read the counts of these artifacts, all as of one position."""
        counts: dict[UUID, Counts] = {}
        with _transaction(self._connection, "BEGIN"):
            position = self.position()
            for artifact_id in artifact_ids:
                row = self._connection.execute(_GET, (artifact_id.bytes,)).fetchone()
                if row is not None:
                    counts[artifact_id] = Counts(*row)
        return Read(position, counts)

    def position(self) -> Position:
        """Give the position up to which the file holds the log."""
        row = self._connection.execute(_GET_META).fetchone()
        return Position(row[2])

    def parked(self) -> int:
        """Count the events that could not be applied."""
        (count,) = self._connection.execute(_COUNT_PARKED).fetchone()
        return int(count)

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    # The first error ends the block, and COMMIT fails when SQLite has rolled back by itself.
    try:
        connection.execute(begin)
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
