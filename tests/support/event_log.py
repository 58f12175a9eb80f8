"""Small test-only events, their fold, and what the tests of the event log and its writer share."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec

from adapters.event_log.sqlite import SqliteEventLog
from adapters.system import SystemClock, SystemIds
from application.ports.event_log import AppendRequest, AppendResult, NewEvent, StreamHead
from application.ports.system import Clock
from application.state_cache import StateCache
from application.units import Done, States, Unit
from application.writer import CommandWriter
from domain.events import Emit, Event, EventMeta, Outcome, RecordedEvent, encode, event
from domain.ids import EventId, Position, StreamId, StreamKey, StreamKind


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


class ScriptedEventLog(SqliteEventLog):
    """A log whose appends can be made to fail, and whose queries are counted.

    `script` holds what the next appends do: None works, an exception is raised without storing anything, and an
    exception in a tuple is raised after everything was stored. `before_append` and `after_heads` let a test do
    something at the worst moment. `begun` counts the appends that were asked for.
    """

    def __init__(self, path: Path, name: str = "test") -> None:
        super().__init__(path, name)
        self.script: list[Exception | tuple[Exception] | None] = []
        self.before_append: Callable[[], Awaitable[object]] | None = None
        self.after_heads: Callable[[], Awaitable[object]] | None = None
        self.begun = 0
        self.appended: list[int] = []
        self.heads_asked: list[int] = []
        self.stream_reads = 0
        self.has_marker = True

    def change_marker(self) -> int | None:
        return super().change_marker() if self.has_marker else None

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[AppendResult]:
        self.begun += 1
        if self.before_append is not None:
            await self.before_append()
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        results = await super().append(requests)
        self.appended.append(len(requests))
        if step is not None:
            raise step[0]
        return results

    async def heads(self, stream_ids: Sequence[StreamId]) -> Mapping[StreamId, StreamHead]:
        self.heads_asked.append(len(stream_ids))
        heads = await super().heads(stream_ids)
        if self.after_heads is not None:
            await self.after_heads()
        return heads

    async def read_stream(
        self, stream_id: StreamId, *, after_version: int = 0, up_to_version: int | None = None
    ) -> Sequence[RecordedEvent]:
        self.stream_reads += 1
        return await super().read_stream(stream_id, after_version=after_version, up_to_version=up_to_version)


class SetClock:
    """A clock that shows what it is set to."""

    def __init__(self, now: int = 1_000_000) -> None:
        self.time = now

    def now(self) -> int:
        return self.time


class Bench:
    """A log with a cache and a writer of its own; several on one path are like several processes."""

    def __init__(self, path: Path, *, clock: Clock | None = None, **limits: Any) -> None:
        self.log = ScriptedEventLog(path)
        self.cache = StateCache(self.log, fold)
        self.writer = CommandWriter(
            log=self.log, cache=self.cache, clock=clock or SystemClock(), ids=SystemIds(), fold=fold, **limits
        )

    async def __aenter__(self) -> "Bench":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.writer.close()
        await self.log.close()

    async def add(self, *streams: StreamKey, amount: int = 1, note: str = "", **fields: Any) -> Done:
        """Add to streams in one command."""
        outcome = adding(*(add(stream, amount, note) for stream in streams))
        return await self.writer.execute(unit(lambda _: outcome, *streams, **fields))

    async def stored(self) -> Sequence[RecordedEvent]:
        """Read the whole log."""
        return await self.log.read(Position(0), 1_000_000)


def unit(decide: Callable[[States], Outcome], *keys: StreamKey, **fields: Any) -> Unit:
    """Make a unit of the user alice."""
    return Unit(keys=keys, decide=decide, actor="alice", correlation_id="test", **fields)


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until something is so."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - Each turn of the loop counts here, and nobody sets an event.
            await asyncio.sleep(0)


async def spin(turns: int) -> None:
    """Let others run for some turns of the event loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
