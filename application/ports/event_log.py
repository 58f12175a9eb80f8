"""The port of an event log: the truth of the service."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec

from domain.errors import ArtifactManagerError
from domain.events import Envelope, Event, EventMeta, RecordedEvent
from domain.ids import EventId, Position, StreamId, StreamKey


class StreamHead(NamedTuple):
    """The newest version of a stream (0: no events), and of a children counter the number of living children."""

    version: int
    children: int = 0


class PayloadErased(Event, frozen=True, kw_only=True):
    """Stands for a payload that was erased from the log; its envelope is still there. Never appended."""

    wire_name = "log.payload_erased"
    schema_version = 1


class PayloadReference(Event, frozen=True, kw_only=True, rename={"object": "$object", "size_bytes": "size"}):
    """Stands for a payload that lies in the object store; what a log stores in its place. Never appended by itself."""

    wire_name = "log.payload_reference"
    schema_version = 1

    object: str
    size_bytes: int


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event that is ready to be appended; its stream version is in `meta`.

    `data` is what to store: the encoded payload, or an encoded `PayloadReference`. `payload_sha256` is the digest of
    the whole payload where `data` is only a reference to it; None: that of `data`.
    """

    key: StreamKey
    payload: Event
    data: bytes
    payload_sha256: bytes | None = None
    meta: EventMeta
    workspace: str | None = None
    artifact_id: UUID | None = None
    correlation_id: str
    causation_id: str | None = None


class AppendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What one command wants to append: all of it or nothing. Without events it only checks versions.

    `expected` gives the version at which each stream must be, of those written and of those relied on.
    `advances` moves head rows without expectation: their version by 1, their children by the number given.
    A withdrawn request is refused in any case, and with it what builds on it.
    """

    events: tuple[NewEvent, ...]
    expected: Mapping[StreamId, int]
    advances: Mapping[StreamId, int] = msgspec.field(default_factory=dict)
    is_withdrawn: bool = False


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The request is durable. `position` is that of its last event; of a mere check, that of the log."""

    envelopes: tuple[Envelope, ...]
    position: Position


class Conflicted(msgspec.Struct, frozen=True):
    """Nothing of the request was stored: these streams were not as expected."""

    streams: tuple[StreamId, ...]


class NotStored(msgspec.Struct, frozen=True):
    """Nothing of the request was stored: a large payload of it could not be written."""

    error: ArtifactManagerError


AppendResult = Appended | Conflicted | NotStored


class PayloadMismatchError(Exception):
    """A stored payload is not the one that was recorded: its digest differs."""


class EventLog(Protocol):
    """An ordered, durable, append-only log of events. All methods are safe to call from many tasks."""

    def epoch(self) -> str:
        """Give the random id that the log got when it was created; derived stores of another epoch are stale."""
        ...

    def change_marker(self) -> int | None:
        """Give a number that is the same as last time only if nothing was appended by anybody in between.

        Costs microseconds and does not wait. None: this log cannot tell without asking its server.
        """
        ...

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[AppendResult]:
        """Append the requests in order, in one transaction; durable when this returns.

        A later request may build on an earlier one of the same call. A request that meets an unexpected version is
        answered `Conflicted`, and so is one that expects or writes a stream which a refused request would have moved:
        it was made on a state that never came to be, even if its version now is that of somebody else's event. The
        others are stored. `recorded_at` never goes back: an event that is older than the newest one gets its time.

        Raises:
            StorageFullError: The disk is full; nothing was stored.
            UnavailableError: The log could not be reached; nothing was stored.
        """
        ...

    async def read_stream(
        self, stream_id: StreamId, *, after_version: int = 0, up_to_version: int | None = None
    ) -> Sequence[RecordedEvent]:
        """Read a stream's events in order."""
        ...

    async def read(self, after: Position, limit: int) -> Sequence[RecordedEvent]:
        """Read at most `limit` events after a position, in log order, without gaps."""
        ...

    async def heads(self, stream_ids: Sequence[StreamId]) -> Mapping[StreamId, StreamHead]:
        """Give the heads of these streams as of now; absent ones have version 0."""
        ...

    async def position(self) -> Position:
        """Give the position of the newest durable event; 0 when there is none."""
        ...

    async def size_bytes(self) -> int:
        """Give the disk that the log takes, but for large payloads that lie elsewhere; room that is free again is none.

        Costs microseconds, or a round trip to its server.
        """
        ...

    async def wait_for_change(self, after: Position, timeout_seconds: float) -> Position:
        """Wait until there is an event after this position, or the time is over; give the newest position."""
        ...

    async def history(self, *, artifact_id: UUID, before: Position | None, limit: int) -> Sequence[RecordedEvent]:
        """Read the newest events of an artifact (its own, its stage's, its alias's) before a position, newest first."""
        ...

    async def find(self, event_id: EventId) -> RecordedEvent | None:
        """Find an event by its id, to learn the outcome of an append whose answer was lost."""
        ...

    async def has_event(self, event_id: EventId) -> bool:
        """Tell whether an event is in the log, without reading its payload."""
        ...

    async def close(self) -> None:
        """Finish what is under way and release everything."""
        ...
