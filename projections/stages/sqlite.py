"""The open stages in a SQLite file, together with the position up to which it holds the artifact log."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from msgspec import UnsetType

from application.ports.stages import IdleStage
from domain.artifact.events import ArtifactCommitted, ArtifactCreated, ArtifactDeleted, ArtifactEdited
from domain.artifact.ttl import own_ttl_seconds
from domain.events import JsonObject, RecordedEvent
from domain.ids import Position
from domain.stage.events import StageEnded, StageStarted
from projections.registry import StaleFileError

VERSION: Final = 1
"""A change of what the tables hold takes a new version, which is built beside the old one."""

BUSY_SECONDS: Final = 5.0
"""How long a statement waits for another connection."""

# `ttls` has the artifacts whose committed configuration says after how long drafts in them expire.
_CREATE: Final = (
    """
    CREATE TABLE stages (
        stage_id BLOB PRIMARY KEY, artifact_id BLOB NOT NULL, last_activity INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX stages_activity ON stages (last_activity, stage_id, artifact_id)",
    "CREATE INDEX stages_artifact ON stages (artifact_id)",
    "CREATE TABLE ttls (artifact_id BLOB PRIMARY KEY, seconds INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX ttls_seconds ON ttls (seconds)",
    "CREATE TABLE parked (position INTEGER PRIMARY KEY, type TEXT NOT NULL, error TEXT NOT NULL) STRICT",
    "CREATE TABLE meta (version INTEGER NOT NULL, epoch TEXT NOT NULL, position INTEGER NOT NULL) STRICT",
)
_IDLE: Final = """
SELECT last_activity, stage_id, artifact_id FROM stages
WHERE last_activity < ?1 AND (last_activity, stage_id) > (?2, ?3) ORDER BY last_activity, stage_id LIMIT ?4
"""
_FIRST: Final = IdleStage(-1, UUID(int=0), UUID(int=0))


class StagesFile:
    """One file, of one version and one epoch of the log. Written by one thread at a time.

    It can be thrown away at any time, so it is synced only at checkpoints: after a power cut it is an earlier state
    with an earlier position, from which the log continues.
    """

    def __init__(self, connection: sqlite3.Connection, position: Position) -> None:
        self._connection = connection
        self._position = position

    @classmethod
    def open(cls, path: Path, epoch: str) -> "StagesFile":
        """Open a file, or make it when it is not there.

        Raises:
            StaleFileError: The file is damaged, or of another version or log.
            sqlite3.OperationalError: SQLite could not open it.
        """
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if connection.execute("PRAGMA schema_version").fetchone() == (0,):
                with _transaction(connection):
                    for statement in _CREATE:
                        connection.execute(statement)
                    connection.execute("INSERT INTO meta VALUES (?, ?, 0)", (VERSION, epoch))
            row = connection.execute("SELECT version, epoch, position FROM meta").fetchone()
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

    def apply(self, events: Sequence[RecordedEvent]) -> None:
        """Apply events in the order of the log, in one transaction with their position.

        Events up to the position of the file are skipped, so a batch that runs twice changes nothing the second time.
        An exception leaves the file as it was.
        """
        fresh = [event for event in events if event.envelope.position > self._position]
        if not fresh:
            return
        with _transaction(self._connection):
            for event in fresh:
                self._apply(event)
            self._set_position(fresh[-1].envelope.position)
        self._position = fresh[-1].envelope.position

    def park(self, event: RecordedEvent, error: str) -> None:
        """Pass over an event that cannot be applied, and keep note of it."""
        envelope = event.envelope
        if envelope.position <= self._position:
            return
        with _transaction(self._connection):
            row = (envelope.position, envelope.type, error)
            self._connection.execute("INSERT OR IGNORE INTO parked VALUES (?, ?, ?)", row)
            self._set_position(envelope.position)
        self._position = envelope.position

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def _set_position(self, position: Position) -> None:
        self._connection.execute("UPDATE meta SET position = ?", (position,))

    def _apply(self, event: RecordedEvent) -> None:
        envelope, payload = event.envelope, event.payload
        match payload:
            case StageStarted():
                row = (envelope.stream_id.bytes, payload.artifact_id.bytes, envelope.recorded_at)
                self._connection.execute("INSERT OR REPLACE INTO stages VALUES (?, ?, ?)", row)
                return
            case StageEnded():
                self._connection.execute("DELETE FROM stages WHERE stage_id = ?", (envelope.stream_id.bytes,))
                return
            case ArtifactCreated():
                self._set_ttl(envelope.stream_id, payload.config)
            case ArtifactEdited() | ArtifactCommitted() if not isinstance(payload.content.config, UnsetType):
                self._set_ttl(envelope.stream_id, payload.content.config)
            case ArtifactDeleted():
                self._set_ttl(envelope.stream_id, {})
            case _:
                pass
        if envelope.artifact_id is not None:
            touched = (envelope.recorded_at, envelope.artifact_id.bytes)
            self._connection.execute("UPDATE stages SET last_activity = ? WHERE artifact_id = ?", touched)

    def _set_ttl(self, artifact_id: UUID, config: JsonObject) -> None:
        seconds = own_ttl_seconds(config)
        if seconds:
            self._connection.execute("INSERT OR REPLACE INTO ttls VALUES (?, ?)", (artifact_id.bytes, seconds))
        else:
            self._connection.execute("DELETE FROM ttls WHERE artifact_id = ?", (artifact_id.bytes,))


class StagesReader:
    """Reads a file that another connection may be writing; for one look, in one thread."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", BUSY_SECONDS, uri=True)

    def idle(self, before: int, after: IdleStage | None, limit: int) -> Sequence[IdleStage]:
        """Give open stages that are idle since before a time, in order, behind one of them."""
        last = after or _FIRST
        rows = self._connection.execute(_IDLE, (before, last.last_activity, last.stage_id.bytes, limit))
        return [IdleStage(at, UUID(bytes=stage_id), UUID(bytes=artifact_id)) for at, stage_id, artifact_id in rows]

    def shortest_ttl_seconds(self) -> int | None:
        """Give the shortest time after which drafts somewhere expire, if any was set."""
        (seconds,) = self._connection.execute("SELECT min(seconds) FROM ttls").fetchone()
        return None if seconds is None else int(seconds)

    def position(self) -> Position:
        """Give the position up to which the file holds the log."""
        (position,) = self._connection.execute("SELECT position FROM meta").fetchone()
        return Position(position)

    def parked(self) -> int:
        """Count the events that could not be applied."""
        (count,) = self._connection.execute("SELECT count(*) FROM parked").fetchone()
        return int(count)

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # The first error ends the block, and COMMIT fails when SQLite has rolled back by itself.
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
