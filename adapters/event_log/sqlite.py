"""An event log in one SQLite file."""

import asyncio
import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from adapters.event_log.chain import verify_chain
from adapters.event_log.datastore import LogDatastore
from adapters.event_log.mapper import PAYLOAD, to_chain_link, to_recorded
from adapters.event_log.recorder import LARGEST_INTEGER, EnvelopeRecorder
from adapters.sqlite_errors import translated
from application.ports.event_log import AppendRequest, AppendResult, StreamHead
from domain.errors import UnavailableError
from domain.events import RecordedEvent
from domain.ids import EventId, Position, StreamId

BUSY_TIMEOUT_MS = 5_000
"""How long a thread waits for the write lock of another process."""
INLINE_BUSY_TIMEOUT_MS = 250
"""As above for reads in the event loop: with a write-ahead log they only wait while another process recovers it."""
READER_THREADS = 2
INLINE_EVENTS = 32
INLINE_BYTES = 64 * 1024
"""So much is read in the event loop, because that takes less time than going to a thread and back."""
FOREIGN_POLL_SECONDS = 0.5
"""How often a waiting reader looks for events of other processes, which SQLite cannot announce."""

_T = TypeVar("_T")


class SqliteEventLog:
    """Keeps one log in one file; several logs are several files.

    One thread writes, so appends wait for each other and for nobody else. Point reads happen in the event loop (about
    10 microseconds); longer ones in threads. Each of these has a connection of its own.
    """

    def __init__(self, path: Path, name: str) -> None:
        """Open or create the log `name` at `path`.

        Raises:
            SchemaMismatchError: The file holds another log, or was made by a newer program.
            sqlite3.Error: The file cannot be opened.
        """
        self.recorder = EnvelopeRecorder(LogDatastore(path, is_writer=True, busy_timeout_ms=BUSY_TIMEOUT_MS))
        self.recorder.create(name)
        self._epoch = self.recorder.meta("epoch")
        self._inline = EnvelopeRecorder(LogDatastore(path, is_writer=False, busy_timeout_ms=INLINE_BUSY_TIMEOUT_MS))
        self._readers: queue.SimpleQueue[EnvelopeRecorder] = queue.SimpleQueue()
        for _ in range(READER_THREADS):
            self._readers.put(EnvelopeRecorder(LogDatastore(path, is_writer=False, busy_timeout_ms=BUSY_TIMEOUT_MS)))
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-log-writer")
        self._read_threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix=f"{name}-log-reader")
        self._position = 0
        self._position_marker: int | None = None
        self._marker: int | None = None
        self._changed = asyncio.Event()
        self._is_closed = False

    def epoch(self) -> str:
        """Give the log's random id."""
        return self._epoch

    def change_marker(self) -> int | None:
        """Give SQLite's data version as this connection sees it.

        It is asked for once in each turn of the event loop: nobody in this turn can have heard of anything newer.
        """
        if self._marker is None:
            self._marker = _translated(self._inline.data_version)
            asyncio.get_running_loop().call_soon(self._forget_marker)
        return self._marker

    def _forget_marker(self) -> None:
        self._marker = None

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[AppendResult]:
        """Append requests in one transaction."""
        if self._is_closed:
            raise UnavailableError("The event log is closed.")
        loop = asyncio.get_running_loop()
        appending = loop.run_in_executor(self._write_thread, self._append, tuple(requests))
        appending.add_done_callback(self._announce)
        # A transaction that has begun cannot be called back: the caller may go, readers still learn of it.
        return await asyncio.shield(appending)

    def _append(self, requests: Sequence[AppendRequest]) -> list[AppendResult]:
        results, _ = _translated(lambda: self.recorder.append(requests))
        return results

    def _announce(self, appending: "asyncio.Future[list[AppendResult]]") -> None:
        if not appending.cancelled() and appending.exception() is None:
            self._changed.set()
            self._changed = asyncio.Event()

    async def read_stream(
        self, stream_id: StreamId, *, after_version: int = 0, up_to_version: int | None = None
    ) -> Sequence[RecordedEvent]:
        """Read a stream's events in order."""
        first = _translated(lambda: self._inline.stream_rows(stream_id, after_version, up_to_version, INLINE_EVENTS))
        if len(first) < INLINE_EVENTS and sum(len(row[PAYLOAD] or b"") for row in first) <= INLINE_BYTES:
            return [to_recorded(row) for row in first]

        def read_all(recorder: EnvelopeRecorder) -> list[RecordedEvent]:
            return [to_recorded(row) for row in recorder.stream_rows(stream_id, after_version, up_to_version, -1)]

        return await self._in_thread(read_all)

    async def read(self, after: Position, limit: int) -> Sequence[RecordedEvent]:
        """Read the log in order."""
        newest = await self.position()
        if min(limit, newest - after) <= INLINE_EVENTS:
            rows = _translated(lambda: self._inline.log_rows(after, newest, limit))
            return [to_recorded(row) for row in rows]

        def read_page(recorder: EnvelopeRecorder) -> list[RecordedEvent]:
            return [to_recorded(row) for row in recorder.log_rows(after, LARGEST_INTEGER, limit)]

        return await self._in_thread(read_page)

    async def heads(self, stream_ids: Sequence[StreamId]) -> Mapping[StreamId, StreamHead]:
        """Give heads, all of one moment."""
        heads = _translated(lambda: self._inline.heads(stream_ids))
        return {stream: StreamHead(head.version, head.children) for stream, head in heads.items()}

    async def position(self) -> Position:
        """Give the position of the newest event of any process."""
        marker = self.change_marker()
        if marker != self._position_marker:
            self._position = _translated(self._inline.newest)[0]
            self._position_marker = marker
        return Position(self._position)

    async def size_bytes(self) -> int:
        """Give the bytes of the database's pages that are in use, those in its write-ahead log included."""
        return _translated(self._inline.size_bytes)

    async def wait_for_change(self, after: Position, timeout_seconds: float) -> Position:
        """Wait for an event after a position."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while True:
            # The next append sets the event taken here, so one that comes after the look at the position is not missed.
            changed = self._changed
            position = await self.position()
            left = deadline - loop.time()
            if position > after or left <= 0:
                return position
            try:
                async with asyncio.timeout(min(left, FOREIGN_POLL_SECONDS)):
                    await changed.wait()
            except TimeoutError:
                continue

    async def history(self, *, artifact_id: UUID, before: Position | None, limit: int) -> Sequence[RecordedEvent]:
        """Read an artifact's events, newest first."""

        def read_page(recorder: EnvelopeRecorder) -> list[RecordedEvent]:
            return [to_recorded(row) for row in recorder.history_rows(artifact_id, before, limit)]

        if limit <= INLINE_EVENTS:
            return _translated(lambda: read_page(self._inline))
        return await self._in_thread(read_page)

    async def find(self, event_id: EventId) -> RecordedEvent | None:
        """Find an event by its id."""
        row = _translated(lambda: self._inline.row_by_id(event_id))
        return None if row is None else to_recorded(row)

    async def has_event(self, event_id: EventId) -> bool:
        """Tell whether an event is in the log."""
        return _translated(lambda: self._inline.row_by_id(event_id)) is not None

    async def verify_chain(self, stream_id: StreamId) -> int:
        """Verify the hash chain of a stream, and count its events.

        Raises:
            ChainBrokenError: A stored event is not the one that was appended.
        """
        return await self._in_thread(
            lambda recorder: verify_chain(to_chain_link(row) for row in recorder.stream_rows(stream_id, 0, None, -1))
        )

    async def close(self) -> None:
        """Finish what is under way and release everything."""
        if self._is_closed:
            return
        self._is_closed = True
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            loop.run_in_executor(self._write_thread, self.recorder.datastore.close),
            *(loop.run_in_executor(self._read_threads, self._close_reader) for _ in range(READER_THREADS)),
        )
        self._inline.datastore.close()
        self._write_thread.shutdown(wait=False)
        self._read_threads.shutdown(wait=False)

    def _close_reader(self) -> None:
        self._readers.get().datastore.close()

    async def _in_thread(self, work: Callable[[EnvelopeRecorder], _T]) -> _T:
        def run() -> _T:
            recorder = self._readers.get()
            try:
                return _translated(lambda: work(recorder))
            finally:
                self._readers.put(recorder)

        if self._is_closed:
            raise UnavailableError("The event log is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._read_threads, run)


def _translated(work: Callable[[], _T]) -> _T:
    return translated("The event log", work)
