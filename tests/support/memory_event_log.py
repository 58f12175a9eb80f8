"""An event log in memory, with the head rows and the order of the real ones, and faults on demand."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from application.ports.event_log import Appended, AppendRequest, AppendResult, Conflicted, NewEvent, StreamHead
from domain import events as registry
from domain.events import Envelope, RecordedEvent
from domain.ids import EventId, Position, StreamId

EVENT_BYTES = 1_000
"""What an event takes of the disk that there is none of."""


class MemoryEventLog:
    """Keeps events in a list. `faults` are raised by the next appends, one each; None lets one pass.

    `is_lossy` makes a fault hit after the events were stored, as when the answer of a database is lost.
    `gate` holds appends back while it is not set, as a slow disk does; `answer_gate` holds back only their answers.
    `in_flight` is the number of appends that have begun and not ended.
    """

    def __init__(self) -> None:
        self.recorded: list[RecordedEvent] = []
        self.appends: list[int] = []
        self.faults: list[Exception | None] = []
        self.is_lossy = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.answer_gate = asyncio.Event()
        self.answer_gate.set()
        self.in_flight = 0
        self._heads: dict[StreamId, StreamHead] = {}
        self._changed = asyncio.Condition()

    def epoch(self) -> str:
        return "memory"

    def change_marker(self) -> int | None:
        return len(self.recorded)

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[AppendResult]:
        self.in_flight += 1
        try:
            await self.gate.wait()
            results = await self._append(requests)
            await self.answer_gate.wait()
        finally:
            self.in_flight -= 1
        return results

    async def _append(self, requests: Sequence[AppendRequest]) -> Sequence[AppendResult]:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and not self.is_lossy:
            raise fault
        results: list[AppendResult] = []
        for request in requests:
            wrong = tuple(key for key, version in request.expected.items() if self._head(key).version != version)
            results.append(Conflicted(wrong) if wrong else self._store(request))
        self.appends.append(sum(len(result.envelopes) for result in results if isinstance(result, Appended)))
        async with self._changed:
            self._changed.notify_all()
        if fault is not None:
            raise fault
        return results

    async def read_stream(
        self, stream_id: StreamId, *, after_version: int = 0, up_to_version: int | None = None
    ) -> Sequence[RecordedEvent]:
        return [
            recorded
            for recorded in self.recorded
            if recorded.envelope.stream_id == stream_id
            and recorded.envelope.stream_version > after_version
            and (up_to_version is None or recorded.envelope.stream_version <= up_to_version)
        ]

    async def read(self, after: Position, limit: int) -> Sequence[RecordedEvent]:
        return self.recorded[after : after + limit]

    async def heads(self, stream_ids: Sequence[StreamId]) -> Mapping[StreamId, StreamHead]:
        return {stream_id: self._head(stream_id) for stream_id in stream_ids}

    async def position(self) -> Position:
        return Position(len(self.recorded))

    async def size_bytes(self) -> int:
        return EVENT_BYTES * len(self.recorded)

    async def wait_for_change(self, after: Position, timeout_seconds: float) -> Position:
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(lambda: len(self.recorded) > after)
        except TimeoutError:
            pass
        return Position(len(self.recorded))

    async def history(self, *, artifact_id: UUID, before: Position | None, limit: int) -> Sequence[RecordedEvent]:
        found = [
            recorded
            for recorded in reversed(self.recorded)
            if recorded.envelope.artifact_id == artifact_id and (before is None or recorded.envelope.position < before)
        ]
        return found[:limit]

    async def find(self, event_id: EventId) -> RecordedEvent | None:
        return next((recorded for recorded in self.recorded if recorded.envelope.event_id == event_id), None)

    async def has_event(self, event_id: EventId) -> bool:
        return await self.find(event_id) is not None

    async def close(self) -> None:
        self.gate.set()
        self.answer_gate.set()

    def _head(self, stream_id: StreamId) -> StreamHead:
        return self._heads.get(stream_id, StreamHead(0))

    def _store(self, request: AppendRequest) -> Appended:
        envelopes: list[Envelope] = []
        for event in request.events:
            assert event.meta.stream_version == self._head(event.key.id).version + 1, "versions follow each other"
            envelope = self._envelope(event)
            payload = registry.decode(envelope.type, envelope.schema_version, event.data)
            self.recorded.append(RecordedEvent(envelope, payload))
            self._heads[event.key.id] = StreamHead(event.meta.stream_version)
            envelopes.append(envelope)
        for stream_id, children in request.advances.items():
            head = self._head(stream_id)
            self._heads[stream_id] = StreamHead(head.version + 1, head.children + children)
        return Appended(tuple(envelopes), Position(len(self.recorded)))

    def _envelope(self, event: NewEvent) -> Envelope:
        return Envelope(
            event_id=event.meta.event_id,
            stream_version=event.meta.stream_version,
            actor=event.meta.actor,
            on_behalf_of=event.meta.on_behalf_of,
            recorded_at=max(event.meta.recorded_at, self.recorded[-1].envelope.recorded_at if self.recorded else 0),
            comment=event.meta.comment,
            position=Position(len(self.recorded) + 1),
            stream_id=event.key.id,
            type=event.payload.wire_name,
            schema_version=event.payload.schema_version,
            workspace=event.workspace,
            artifact_id=event.artifact_id,
            correlation_id=event.correlation_id,
            causation_id=event.causation_id,
        )
