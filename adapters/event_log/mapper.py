"""Between events and rows: what the columns of the log hold."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent

from adapters.event_log.chain import chain_sha256
from application.ports.event_log import NewEvent, PayloadErased, PayloadReference
from domain.events import Envelope, Event, RecordedEvent, decode
from domain.ids import EventId, Position, StreamId

Row = tuple[Any, ...]
"""A row of the table `events`, in the order of its columns."""
POSITION, ARTIFACT_ID, PAYLOAD = 0, 6, 13
"""Columns of a row."""

_REFERENCE_START = b'{"$object":'
_REFERENCES = msgspec.json.Decoder(PayloadReference)


@dataclass(frozen=True)
class StoredEnvelope(StoredEvent):
    """The library's stored event with everything that is stored beside the payload."""

    envelope: Envelope


def to_row(event: NewEvent, *, position: int, recorded_at: int, previous_chain: bytes) -> tuple[Envelope, Row]:
    """Give a new event its place in the log and in its stream's chain: its envelope, and the values of the columns."""
    meta, payload = event.meta, event.payload
    envelope = Envelope(
        event_id=meta.event_id,
        stream_version=meta.stream_version,
        actor=meta.actor,
        on_behalf_of=meta.on_behalf_of,
        recorded_at=recorded_at,
        comment=meta.comment,
        position=Position(position),
        stream_id=event.key.id,
        type=payload.wire_name,
        schema_version=payload.schema_version,
        workspace=event.workspace,
        artifact_id=event.artifact_id,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        payload_sha256=event.payload_sha256 or hashlib.sha256(event.data).digest(),
    )
    # The chain covers the envelope itself, so it is filled in last, before anybody else sees the envelope.
    msgspec.structs.force_setattr(envelope, "chain_sha256", chain_sha256(previous_chain, envelope))
    return envelope, (
        position,
        envelope.stream_id.bytes,
        envelope.stream_version,
        envelope.event_id.bytes,
        f"{payload.wire_name}:{payload.schema_version}",
        envelope.workspace,
        None if envelope.artifact_id is None else envelope.artifact_id.bytes,
        envelope.actor,
        envelope.on_behalf_of,
        envelope.correlation_id,
        envelope.causation_id,
        recorded_at,
        envelope.comment,
        event.data,
        envelope.payload_sha256,
        envelope.chain_sha256,
    )


def to_envelope(row: Row) -> Envelope:
    """Read everything but the payload."""
    wire_name, schema_version = _split_topic(row[4])
    artifact_id = row[6]
    return Envelope(
        position=row[0],
        stream_id=StreamId(_known_uuid(row[1])),
        stream_version=row[2],
        event_id=EventId(UUID(bytes=row[3])),
        type=wire_name,
        schema_version=schema_version,
        workspace=row[5],
        artifact_id=None if artifact_id is None else _known_uuid(artifact_id),
        actor=row[7],
        on_behalf_of=row[8],
        correlation_id=row[9],
        causation_id=row[10],
        recorded_at=row[11],
        comment=row[12],
        payload_sha256=row[14],
        chain_sha256=row[15],
    )


def to_recorded(row: Row) -> RecordedEvent:
    """Read an event. Its payload may be a `PayloadErased` or a `PayloadReference`.

    Raises:
        UnknownEventError: The event was written by a newer program.
    """
    envelope, data = to_envelope(row), row[PAYLOAD]
    payload: Event
    if data is None:
        payload = PayloadErased()
    elif data.startswith(_REFERENCE_START):
        payload = _REFERENCES.decode(data)
    else:
        payload = decode(envelope.type, envelope.schema_version, data)
    return RecordedEvent(envelope, payload)


def to_chain_link(row: Row) -> tuple[Envelope, bytes | None]:
    """Read what a stream's chain is verified from: a payload that lies elsewhere counts as absent."""
    data: bytes | None = row[PAYLOAD]
    return to_envelope(row), None if data is None or data.startswith(_REFERENCE_START) else data


def to_library_event(row: Row) -> StoredEnvelope:
    """Read an event as the library knows it."""
    envelope = to_envelope(row)
    return StoredEnvelope(
        originator_id=envelope.stream_id,
        originator_version=envelope.stream_version,
        topic=row[4],
        state=row[PAYLOAD] or b"",
        envelope=envelope,
    )


@lru_cache(maxsize=4096)
def _known_uuid(data: bytes) -> UUID:
    # The events of one read share few streams and artifacts; making a UUID costs as much as decoding a small payload.
    return UUID(bytes=data)


@lru_cache(maxsize=1024)
def _split_topic(topic: str) -> tuple[str, int]:
    wire_name, _, version = topic.rpartition(":")
    return wire_name, int(version)
