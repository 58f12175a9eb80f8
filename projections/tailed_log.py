"""An event log that gives what this process has just appended from memory.

Followers of a log mostly read what was appended a moment ago. From the database that costs a thread, a row at a time
and a decoder, all of which compete with the event loop for the interpreter (measured: 35 microseconds an event).
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from application.ports.event_log import Appended, AppendRequest, AppendResult, EventLog, StreamHead
from domain.events import RecordedEvent
from domain.ids import EventId, Position, StreamId

TAIL_EVENTS = 5_000
"""Events kept at least; twice as many at most, so that old ones go seldom and many at once."""

TAIL_BYTES = 4 * 1024 * 1024
"""Encoded payloads kept at most; decoded they take up to 20 times as much."""


class TailedLog:
    """Passes everything on to a log; reads after the newest events come from memory.

    The tail has no gaps: whatever else was appended in between, by another process or with a payload that lies
    elsewhere, begins a new one.
    """

    def __init__(self, log: EventLog, *, tail_events: int = TAIL_EVENTS, tail_bytes: int = TAIL_BYTES) -> None:
        self._log = log
        # Asked for twice by each read: bound here, no layer between costs anything.
        self.change_marker = log.change_marker
        self._tail_events = tail_events
        self._tail_bytes = tail_bytes
        self._tail: list[RecordedEvent] = []
        self._bytes = 0

    def epoch(self) -> str:
        """Give the log's random id."""
        return self._log.epoch()

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[AppendResult]:
        """Append requests in one transaction, and keep the events."""
        results = await self._log.append(requests)
        for request, result in zip(requests, results, strict=True):
            if isinstance(result, Appended):
                self._keep(request, result)
        return results

    async def read_stream(
        self, stream_id: StreamId, *, after_version: int = 0, up_to_version: int | None = None
    ) -> Sequence[RecordedEvent]:
        """Read a stream's events in order."""
        return await self._log.read_stream(stream_id, after_version=after_version, up_to_version=up_to_version)

    async def read(self, after: Position, limit: int) -> Sequence[RecordedEvent]:
        """Read the log in order; from memory when the next event is there, then only what is there."""
        tail = self._tail
        start = after + 1 - tail[0].envelope.position if tail else -1
        if 0 <= start < len(tail):
            return tail[start : start + limit]
        return await self._log.read(after, limit)

    async def heads(self, stream_ids: Sequence[StreamId]) -> Mapping[StreamId, StreamHead]:
        """Give heads, all of one moment."""
        return await self._log.heads(stream_ids)

    async def position(self) -> Position:
        """Give the position of the newest event of any process."""
        return await self._log.position()

    async def size_bytes(self) -> int:
        """Give the disk that the log takes."""
        return await self._log.size_bytes()

    async def wait_for_change(self, after: Position, timeout_seconds: float) -> Position:
        """Wait for an event after a position."""
        return await self._log.wait_for_change(after, timeout_seconds)

    async def history(self, *, artifact_id: UUID, before: Position | None, limit: int) -> Sequence[RecordedEvent]:
        """Read an artifact's events, newest first."""
        return await self._log.history(artifact_id=artifact_id, before=before, limit=limit)

    async def has_event(self, event_id: EventId) -> bool:
        """Tell whether an event is in the log."""
        return await self._log.has_event(event_id)

    async def find(self, event_id: EventId) -> RecordedEvent | None:
        """Find an event by its id."""
        return await self._log.find(event_id)

    async def close(self) -> None:
        """Finish what is under way and release everything."""
        self._forget()
        await self._log.close()

    def _keep(self, request: AppendRequest, appended: Appended) -> None:
        for event, envelope in zip(request.events, appended.envelopes, strict=True):
            if event.payload_sha256 is not None:
                # A reader gets a reference to this payload, not the payload itself.
                self._forget()
                continue
            if self._tail and envelope.position != self._tail[-1].envelope.position + 1:
                self._forget()
            self._tail.append(RecordedEvent(envelope, event.payload))
            self._bytes += len(event.data)
        if self._bytes > self._tail_bytes:
            self._forget()
        elif len(self._tail) > 2 * self._tail_events:
            # Bytes are only counted up; they start anew with the events that stay, which is near enough for a bound.
            del self._tail[: -self._tail_events]
            self._bytes //= 2

    def _forget(self) -> None:
        self._tail = []
        self._bytes = 0
