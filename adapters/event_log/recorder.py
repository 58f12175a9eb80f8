"""The library's SQLite recorder with an envelope beside each payload, a head row per stream and a hash chain."""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.persistence import Notification, NotSupportedError, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor

from adapters.event_log import schema
from adapters.event_log.datastore import LogDatastore
from adapters.event_log.mapper import ARTIFACT_ID, POSITION, Row, to_library_event
from adapters.event_log.plan import Head, plan, streams_of
from application.ports.event_log import AppendRequest, AppendResult
from domain.ids import StreamId

LARGEST_INTEGER = 2**63 - 1


class SchemaMismatchError(Exception):
    """The file is not a log that this program can write."""


class EnvelopeRecorder(SQLiteApplicationRecorder):
    """Records events on one connection; not for more than one thread at a time."""

    datastore: LogDatastore

    def __init__(self, datastore: LogDatastore) -> None:
        super().__init__(datastore, events_table_name="events")
        self.select_max_notification_id_statement = "SELECT MAX(position) FROM events"

    def construct_create_table_statements(self) -> list[str]:
        """Give the statements that make the tables."""
        return list(schema.CREATE_TABLES)

    def create(self, name: str) -> None:
        """Make the tables where they are not there yet, and check that the file is the log of this name.

        Raises:
            SchemaMismatchError: It is another log, or was made by a newer program.
        """
        self.create_table()
        with self.datastore.transaction(commit=True) as cursor:
            for key, value in (
                ("schema_version", str(schema.SCHEMA_VERSION)),
                ("name", name),
                ("epoch", secrets.token_hex(16)),
            ):
                cursor.execute(schema.INSERT_META, (key, value))
        if self.meta("name") != name:
            raise SchemaMismatchError(f"The file holds the log {self.meta('name')!r}, not {name!r}")
        if int(self.meta("schema_version")) > schema.SCHEMA_VERSION:
            raise SchemaMismatchError(f"The log {name!r} was made by a newer program")

    def meta(self, key: str) -> str:
        """Read a fact about the log itself."""
        value: str = self.datastore.row(schema.SELECT_META, (key,))[0]
        return value

    def append(self, requests: Sequence[AppendRequest]) -> tuple[list[AppendResult], int]:
        """Append requests in one transaction; give their answers and the log's position.

        Raises:
            sqlite3.Error: Nothing was stored.
        """
        with self.datastore.transaction(commit=True) as cursor:
            heads = self._all_heads(tuple(streams_of(requests)))
            position, recorded_at = self.newest()
            made = plan(requests, heads, position, recorded_at)
            _execute_chunks(cursor, schema.INSERT_EVENTS, made.rows)
            about = sorted((row[ARTIFACT_ID], row[POSITION]) for row in made.rows if row[ARTIFACT_ID] is not None)
            _execute_chunks(cursor, schema.INSERT_ARTIFACT_EVENTS, about)
            rows = [(stream.bytes, head.version, head.children, head.chain) for stream, head in made.heads.items()]
            _execute_chunks(cursor, schema.UPSERT_HEADS, rows)
        return made.results, position + len(made.rows)

    def heads(self, streams: Sequence[StreamId]) -> dict[StreamId, Head]:
        """Read head rows, all of one moment."""
        if len(streams) <= 1:
            return self._heads(streams)
        # A transaction costs as much as one read outside of one, and each read inside costs half of that.
        with self.datastore.transaction(commit=False):
            return self._heads(streams)

    def _heads(self, streams: Iterable[StreamId]) -> dict[StreamId, Head]:
        execute = self.datastore.connection.execute
        heads = {}
        for stream in streams:
            row = execute(schema.SELECT_HEAD, (stream.bytes,)).fetchone()
            heads[stream] = Head() if row is None else Head(*row)
        return heads

    def _all_heads(self, streams: Sequence[StreamId]) -> dict[StreamId, Head]:
        by_hex = {stream.hex.upper(): stream for stream in streams}
        heads = dict.fromkeys(streams, Head())
        for size, chunk in _chunks([(stream.bytes,) for stream in streams]):
            found = self.datastore.row(schema.SELECT_HEADS[size], chunk)[0]
            for stream, version, children, link in msgspec.json.decode(found):
                heads[by_hex[stream]] = Head(version, children, bytes.fromhex(link))
        return heads

    def newest(self) -> tuple[int, int]:
        """Give position and time of the last event; zeros when there is none."""
        position, recorded_at = self.datastore.row(schema.SELECT_NEWEST) or (0, 0)
        return position, recorded_at

    def stream_rows(self, stream: UUID, after: int, up_to: int | None, limit: int) -> list[Row]:
        """Read rows of a stream in order."""
        bound = LARGEST_INTEGER if up_to is None else up_to
        return self.datastore.rows(schema.SELECT_STREAM, (stream.bytes, after, bound, limit))

    def log_rows(self, after: int, up_to: int, limit: int) -> list[Row]:
        """Read rows of the log in order."""
        return self.datastore.rows(schema.SELECT_LOG, (after, up_to, limit))

    def history_rows(self, artifact_id: UUID, before: int | None, limit: int) -> list[Row]:
        """Read rows of an artifact, newest first."""
        bound = LARGEST_INTEGER if before is None else before
        return self.datastore.rows(schema.SELECT_HISTORY, (artifact_id.bytes, bound, limit))

    def row_by_id(self, event_id: UUID) -> Row | None:
        """Read the row of an event."""
        row: Row | None = self.datastore.row(schema.SELECT_BY_ID, (event_id.bytes,))
        return row

    def data_version(self) -> int:
        """Give SQLite's number that changes when another connection commits."""
        version: int = self.datastore.row(schema.DATA_VERSION)[0]
        return version

    def size_bytes(self) -> int:
        """Give the bytes of the pages that are in use."""
        pages, free, page_bytes = self.datastore.row(schema.SELECT_SIZE)
        size: int = (pages - free) * page_bytes
        return size

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:  # noqa: ANN401 - The library's signature.
        """Refuse: events come in through `append` alone, which checks and moves the heads."""
        raise NotSupportedError(f"{len(stored_events)} events not recorded: use append()")

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Read a stream as the library does."""
        stream = originator_id if isinstance(originator_id, UUID) else UUID(originator_id)
        rows = self.datastore.rows(
            schema.SELECT_STREAM_BACKWARDS if desc else schema.SELECT_STREAM,
            (stream.bytes, gt or 0, LARGEST_INTEGER if lte is None else lte, -1 if limit is None else limit),
        )
        return [to_library_event(row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Read the log as the library does; topics are compared after reading, so pages may be short."""
        after = 0 if start is None else start - inclusive_of_start
        stored = [to_library_event(row) for row in self.log_rows(after, stop or LARGEST_INTEGER, limit)]
        return [
            Notification(
                originator_id=event.originator_id,
                originator_version=event.originator_version,
                topic=event.topic,
                state=event.state,
                id=event.envelope.position,
            )
            for event in stored
            if not topics or event.topic in topics
        ]


def _chunks(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Cut rows into chunks of the sizes for which there are statements, with the values of each chunk in a line."""
    start = 0
    for size in schema.CHUNK_SIZES:
        while len(rows) - start >= size:
            yield size, tuple(chain.from_iterable(rows[start : start + size]))
            start += size


def _execute_chunks(cursor: SQLiteCursor, statements: Mapping[int, str], rows: Sequence[tuple[Any, ...]]) -> None:
    for size, values in _chunks(rows):
        cursor.execute(statements[size], values)
