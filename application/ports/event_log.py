"""The port of an event log: the truth of the service."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec

from domain.events import Envelope, Event, EventMeta, RecordedEvent
from domain.ids import EventId, Position, StreamId, StreamKey


class StreamHead(NamedTuple):
    """The newest version of a stream (0: no events), and of a children counter the number of living children."""

    version: int
    children: int = 0


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is ready to be appended; its stream version is in `meta`."""

    key: StreamKey
    payload: Event
    meta: EventMeta
    workspace: str | None = None
    artifact_id: UUID | None = None
    correlation_id: str
    causation_id: str | None = None


class AppendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What one command wants to append: all of it or nothing.

    `expected` gives the version at which each stream must be, of those written and of those relied on.
    `advances` moves head rows without expectation: their version by 1, their children by the number given.
    """

    events: tuple[NewEvent, ...]
    expected: Mapping[StreamId, int]
    advances: Mapping[StreamId, int] = msgspec.field(default_factory=dict)


class Appended(msgspec.Struct, frozen=True):
    """The request is durable; its last event has this position."""

    envelopes: tuple[Envelope, ...]

    @property
    def position(self) -> Position:
        """The position of the last event."""
        return self.envelopes[-1].position


class Conflicted(msgspec.Struct, frozen=True):
    """Nothing of the request was stored: these streams were not at the expected version."""

    streams: tuple[StreamId, ...]


class EventLog(Protocol):
    """An ordered, durable, append-only log of events. All methods are safe to call from many tasks."""

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[Appended | Conflicted]:
        """Append the requests in order, in one transaction; durable when this returns.

        A later request may build on an earlier one of the same call. A request that meets an unexpected version, or
        builds on one that did, is answered `Conflicted`; the others are stored.

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

    async def wait_for_change(self, after: Position, timeout_seconds: float) -> Position:
        """Wait until there is an event after this position, or the time is over; give the newest position."""
        ...

    async def history(self, *, artifact_id: UUID, before: Position | None, limit: int) -> Sequence[RecordedEvent]:
        """Read the newest events of an artifact (its own, its stage's, its alias's) before a position, newest first."""
        ...

    async def find(self, event_id: EventId) -> RecordedEvent | None:
        """Find an event by its id, to learn the outcome of an append whose answer was lost."""
        ...

    async def close(self) -> None:
        """Finish what is under way and release everything."""
        ...
