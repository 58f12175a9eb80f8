"""Events: the registry of wire names, the envelope, and what a decision returns.

An event is a frozen msgspec struct with a wire name and a schema version. Unknown fields are tolerated and new fields
have defaults, so an additive change needs no version. A released event is never edited: a new version and an upcaster
(`dict -> dict`, one version up) are added, with a golden file in the tests.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import msgspec

from domain.ids import EventId, Position, StreamId, StreamKey

JsonObject = dict[str, Any]
"""A JSON object as the caller wrote it (manifest, config); any nesting, never validated beyond its limits."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of all events. Subclasses are registered by `@event(wire_name, version)`.

    Events hold JSON and other structs, so they are in no cycle and the collector need not walk them.
    """

    wire_name: ClassVar[str]
    schema_version: ClassVar[int]


class EventMeta(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a fold may know of an event beside its payload.

    `recorded_at` is in microseconds since the epoch and never goes back within a log.
    """

    event_id: EventId
    stream_version: int
    actor: str
    on_behalf_of: str | None = None
    recorded_at: int
    comment: str | None = None

    @property
    def author(self) -> str:
        """The human behind the actor, or the actor."""
        return self.on_behalf_of or self.actor


class Envelope(EventMeta, frozen=True, kw_only=True):
    """Everything that is stored beside a payload; each field is a column of the log.

    `payload_sha256` is the digest of the whole payload; `chain_sha256` covers the previous chain hash of the stream,
    that digest and the other fields except the position, so a payload can be erased and the chain still verifies.
    """

    position: Position
    stream_id: StreamId
    type: str
    schema_version: int
    workspace: str | None = None
    artifact_id: UUID | None = None
    correlation_id: str
    causation_id: str | None = None
    payload_sha256: bytes = b""
    chain_sha256: bytes = b""


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event as the log gave it back."""

    envelope: Envelope
    payload: Event


class Emit(msgspec.Struct, frozen=True):
    """One event that a decision wants recorded, and on which stream.

    `artifact_id` and `workspace` fill the indexed columns of the envelope, by which history finds it.
    """

    key: StreamKey
    event: Event
    workspace: str | None = None
    artifact_id: UUID | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision returns: events, and head rows to advance (children counters: +1, -1, or 0 to touch)."""

    events: tuple[Emit, ...] = ()
    advances: Mapping[StreamId, int] = msgspec.field(default_factory=dict)


_E = TypeVar("_E", bound=type[Event])
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

_TYPES: dict[str, type[Event]] = {}
_DECODERS: dict[str, msgspec.json.Decoder[Event]] = {}
_UPCASTERS: dict[tuple[str, int], Upcaster] = {}
_ENCODER = msgspec.json.Encoder()


class UnknownEventError(Exception):
    """The log holds an event that this program has no type for: it was written by a newer one."""


def event(wire_name: str, version: int = 1) -> Callable[[_E], _E]:
    """Register an event class under its wire name; the class is the newest version of it."""

    def register(cls: _E) -> _E:
        if wire_name in _TYPES:
            raise ValueError(f"Wire name {wire_name} is taken by {_TYPES[wire_name].__name__}")
        cls.wire_name = wire_name
        cls.schema_version = version
        _TYPES[wire_name] = cls
        _DECODERS[wire_name] = msgspec.json.Decoder(cls)
        return cls

    return register


def upcaster(wire_name: str, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Register the step that turns version `from_version` of an event into the next one."""

    def register(step: Upcaster) -> Upcaster:
        _UPCASTERS[wire_name, from_version] = step
        return step

    return register


def registered_types() -> Mapping[str, type[Event]]:
    """All event types by wire name."""
    return dict(_TYPES)


def encode(payload: Event) -> bytes:
    """Encode a payload as JSON."""
    return _ENCODER.encode(payload)


def decode(wire_name: str, schema_version: int, data: bytes) -> Event:
    """Decode a payload of any released version.

    Raises:
        UnknownEventError: The wire name is unknown, or the version is newer than this program.
    """
    cls = _TYPES.get(wire_name)
    if cls is None or schema_version > cls.schema_version:
        raise UnknownEventError(f"{wire_name}:{schema_version}")
    if schema_version == cls.schema_version:
        return _DECODERS[wire_name].decode(data)
    raw = msgspec.json.decode(data)
    for version in range(schema_version, cls.schema_version):
        raw = _UPCASTERS[wire_name, version](raw)
    return msgspec.convert(raw, cls)
