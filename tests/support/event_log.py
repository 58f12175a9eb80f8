"""Small test-only events, their fold, and what the tests of the event log and its writer share."""

from typing import Any
from uuid import UUID, uuid4

import msgspec

from application.ports.event_log import AppendRequest, NewEvent
from domain.events import Emit, Event, EventMeta, Outcome, encode, event
from domain.ids import EventId, StreamId, StreamKey, StreamKind


@event("test.added")
class Added(Event, frozen=True, kw_only=True):
    """A number was added to a sum."""

    amount: int
    note: str = ""


class Sum(msgspec.Struct, frozen=True):
    """The sum of all amounts, the notes in order, and the time of the last one."""

    total: int = 0
    notes: tuple[str, ...] = ()
    changed_at: int = 0


def fold(kind: StreamKind, state: Sum | None, payload: Event, meta: EventMeta, stream_id: UUID) -> Sum:
    """Fold test events of any kind of stream."""
    if not isinstance(payload, Added):
        raise ValueError(f"{type(payload).__name__} does not belong to a {kind} stream {stream_id}")
    state = state or Sum()
    return Sum(state.total + payload.amount, (*state.notes, payload.note), meta.recorded_at)


def key(number: int | None = None, kind: StreamKind = StreamKind.ARTIFACT) -> StreamKey:
    """Name a stream: a fixed one by number, or a new one."""
    return StreamKey(kind, StreamId(uuid4() if number is None else UUID(int=number)))


def new_event(stream: StreamKey, version: int, *, recorded_at: int = 1, **fields: Any) -> NewEvent:
    """Make an event that adds `amount` (1) with `note`; other fields are those of the envelope."""
    payload = Added(amount=fields.pop("amount", 1), note=fields.pop("note", ""))
    meta = EventMeta(
        event_id=EventId(uuid4()),
        stream_version=version,
        actor=fields.pop("actor", "alice"),
        on_behalf_of=fields.pop("on_behalf_of", None),
        recorded_at=recorded_at,
        comment=fields.pop("comment", None),
    )
    return NewEvent(key=stream, payload=payload, data=encode(payload), meta=meta, correlation_id="test", **fields)


def request(*events: NewEvent, advances: dict[StreamId, int] | None = None) -> AppendRequest:
    """Make a request that expects each written stream right below its first event."""
    versions: dict[StreamId, int] = {}
    for item in events:
        versions.setdefault(item.key.id, item.meta.stream_version - 1)
    return AppendRequest(events=events, expected=versions, advances=advances or {})


def add(stream: StreamKey, amount: int = 1, note: str = "") -> Emit:
    """Emit an `Added`."""
    return Emit(stream, Added(amount=amount, note=note))


def adding(*emits: Emit) -> Outcome:
    """Give an outcome that consists of these events."""
    return Outcome(events=emits)
