"""Keeps large payloads in the object store and only references to them in the event log."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from application.ports.event_log import (
    AppendRequest,
    AppendResult,
    EventLog,
    NewEvent,
    NotStored,
    PayloadMismatchError,
    PayloadReference,
    StreamHead,
)
from application.ports.object_store import StoredObject
from domain.errors import ArtifactManagerError, UnavailableError
from domain.events import RecordedEvent, decode, encode
from domain.ids import EventId, Position, StreamId

LARGE_PAYLOAD_BYTES = 512 * 1024
"""Payloads above this lie in the object store, so that the log's rows and the bus's messages stay small."""
STORE_TIMEOUT_SECONDS = 30
PARALLEL_OBJECTS = 4

_log = structlog.get_logger()


class PayloadStore(Protocol):
    """What is needed of an object store."""

    async def put(self, key: str, data: bytes) -> StoredObject:
        """Store an object, durable when this returns."""
        ...

    async def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Read an object."""
        ...


class LargePayloadEventLog:
    """An event log that holds payloads of any size.

    A large payload is written before the append that names it and belongs to this one event alone. After a crash in
    between it is an orphan under its artifact's prefix.
    """

    def __init__(self, log: EventLog, objects: PayloadStore) -> None:
        self._inner = log
        # Asked for twice by each read: bound here, no layer between costs anything.
        self.change_marker = log.change_marker
        self._objects = objects
        self._slots = asyncio.Semaphore(PARALLEL_OBJECTS)

    def epoch(self) -> str:
        """Give the random id of the log."""
        return self._inner.epoch()

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[AppendResult]:
        """Append requests, large payloads first. One whose payload could not be written is answered `NotStored`."""
        if all(len(event.data) <= LARGE_PAYLOAD_BYTES for request in requests for event in request.events):
            return await self._inner.append(requests)
        prepared = await asyncio.gather(*(self._prepare(request) for request in requests))
        # One that failed stays in the call as withdrawn, so that the log refuses what builds on it.
        results = await self._inner.append(
            [
                item if isinstance(item, AppendRequest) else msgspec.structs.replace(request, is_withdrawn=True)
                for item, request in zip(prepared, requests, strict=True)
            ]
        )
        return [
            result if isinstance(item, AppendRequest) else item for item, result in zip(prepared, results, strict=True)
        ]

    async def _prepare(self, request: AppendRequest) -> AppendRequest | NotStored:
        try:
            events = [
                await self._claim(event) if len(event.data) > LARGE_PAYLOAD_BYTES else event for event in request.events
            ]
        except TimeoutError:
            return NotStored(UnavailableError("The object store did not take a large event in time."))
        except ArtifactManagerError as error:
            return NotStored(error)
        except Exception as error:  # noqa: BLE001 - An edge: a fault of the store must not fail the other requests.
            _log.exception("large_payload_not_stored", correlation_id=request.events[0].correlation_id)
            failure = UnavailableError("The object store could not take a large event.")
            failure.__cause__ = error
            return NotStored(failure)
        return msgspec.structs.replace(request, events=tuple(events))

    async def _claim(self, event: NewEvent) -> NewEvent:
        owner = event.artifact_id or event.key.id
        key = f"{owner}/events/{event.meta.event_id}/payload"
        async with self._slots, asyncio.timeout(STORE_TIMEOUT_SECONDS):
            await self._objects.put(key, event.data)
        return msgspec.structs.replace(
            event,
            data=encode(PayloadReference(object=key, size_bytes=len(event.data))),
            payload_sha256=hashlib.sha256(event.data).digest(),
        )

    async def _whole(self, events: Sequence[RecordedEvent]) -> Sequence[RecordedEvent]:
        if not any(isinstance(event.payload, PayloadReference) for event in events):
            return events
        return await asyncio.gather(*(self._resolve(event) for event in events))

    async def _resolve(self, event: RecordedEvent) -> RecordedEvent:
        envelope, payload = event.envelope, event.payload
        if not isinstance(payload, PayloadReference):
            return event
        async with self._slots, asyncio.timeout(STORE_TIMEOUT_SECONDS):
            data = await self._objects.get(payload.object)
        if hashlib.sha256(data).digest() != envelope.payload_sha256:
            raise PayloadMismatchError(f"The payload of event {envelope.event_id} is not the one that was recorded")
        return RecordedEvent(envelope, decode(envelope.type, envelope.schema_version, data))

    async def read_stream(
        self, stream_id: StreamId, *, after_version: int = 0, up_to_version: int | None = None
    ) -> Sequence[RecordedEvent]:
        """Read a stream's events in order, whole."""
        events = await self._inner.read_stream(stream_id, after_version=after_version, up_to_version=up_to_version)
        return await self._whole(events)

    async def read(self, after: Position, limit: int) -> Sequence[RecordedEvent]:
        """Read the log in order, whole."""
        return await self._whole(await self._inner.read(after, limit))

    async def heads(self, stream_ids: Sequence[StreamId]) -> Mapping[StreamId, StreamHead]:
        """Give heads."""
        return await self._inner.heads(stream_ids)

    async def position(self) -> Position:
        """Give the position of the newest event."""
        return await self._inner.position()

    async def size_bytes(self) -> int:
        """Give the disk that the log takes, but for large payloads."""
        return await self._inner.size_bytes()

    async def wait_for_change(self, after: Position, timeout_seconds: float) -> Position:
        """Wait for an event after a position."""
        return await self._inner.wait_for_change(after, timeout_seconds)

    async def history(self, *, artifact_id: UUID, before: Position | None, limit: int) -> Sequence[RecordedEvent]:
        """Read an artifact's events, newest first, whole."""
        return await self._whole(await self._inner.history(artifact_id=artifact_id, before=before, limit=limit))

    async def find(self, event_id: EventId) -> RecordedEvent | None:
        """Find an event by its id."""
        event = await self._inner.find(event_id)
        return None if event is None else await self._resolve(event)

    async def has_event(self, event_id: EventId) -> bool:
        """Tell whether an event is in the log."""
        return await self._inner.has_event(event_id)

    async def close(self) -> None:
        """Close the log; the object store belongs to somebody else."""
        await self._inner.close()
