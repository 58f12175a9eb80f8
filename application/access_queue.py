"""The queue in front of the access log: whatever waits is appended in groups, in the order in which it came."""

import asyncio
from collections import deque
from collections.abc import Sequence
from uuid import UUID

import msgspec
import structlog

from application.ports.event_log import Appended, AppendRequest, EventLog, NewEvent
from application.ports.statistics import RecentAccess, RecentAccesses
from application.ports.system import Clock, IdSource
from domain.actor import Actor
from domain.errors import ArtifactManagerError, UnavailableError
from domain.events import Event, EventMeta, encode
from domain.ids import EventId, Position, StreamKey, access_key

WAITING_LIMIT = 10_000
"""Accesses that may wait to be appended; at more, callers wait for room."""

BATCH_LIMIT = 1_000
"""Accesses in one append (the batch at which the group commit was fastest)."""

BATCH_FILES_LIMIT = 50_000
"""Files after which a batch is closed, so that calls with very many files make no giant transaction."""

VIEW_DELAY_SECONDS = 0.05
"""How long views gather when nobody waits for them. With the append itself they follow the answer within 0.1 s."""

ROOM_SECONDS = 5.0
"""How long a caller waits for room."""

APPEND_ATTEMPTS = 3
"""Streams tried for one batch. A random stream conflicts only when the outcome of an earlier append was unknown."""

ALARM_INTERVAL_MICROSECONDS = 60_000_000
DAY_MICROSECONDS = 86_400_000_000

_logger = structlog.get_logger(__name__)


class WaitingAccess(msgspec.Struct):
    """One call whose events wait to be appended. `done` is None when nobody waits for it."""

    payloads: tuple[Event, ...]
    actor: Actor
    artifact_id: UUID
    workspace: str
    correlation_id: str
    recorded_at: int
    recent: RecentAccess | None = None
    done: "asyncio.Future[Position] | None" = None
    file_count: int = 0
    comment: str | None = None


class AccessQueue:
    """Appends accesses in groups, in the order in which they came.

    There is one stream per process start and day, with a random id and its version counted here, so that a hot
    artifact collides with nobody and no stream is ever loaded. A stream is left after an append that failed.
    """

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        ids: IdSource,
        recent: RecentAccesses,
        *,
        waiting_limit: int,
        view_delay_seconds: float,
        room_seconds: float,
    ) -> None:
        self._log = log
        self._clock = clock
        self._ids = ids
        self._recent = recent
        self._waiting_limit = waiting_limit
        self._view_delay_seconds = view_delay_seconds
        self._room_seconds = room_seconds
        self._queue: deque[WaitingAccess] = deque()
        self._put = 0
        self._ended = 0
        self._flushing: list[tuple[int, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._urgent = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._stream: StreamKey | None = None
        self._version = 0
        self._day = 0
        self._alarmed_at = -ALARM_INTERVAL_MICROSECONDS
        self._dropped = 0

    @property
    def is_open(self) -> bool:
        """Whether an access can be put without waiting."""
        return len(self._queue) < self._waiting_limit and not self._is_closing

    async def find_room(self) -> None:
        """Wait until an access can be put.

        Raises:
            UnavailableError: There is no room in time, or the queue is closed.
        """
        try:
            async with asyncio.timeout(self._room_seconds):
                while not self.is_open:
                    if self._is_closing:
                        raise UnavailableError("The service is stopping.")
                    await self._room.wait()
        except TimeoutError:
            raise UnavailableError("Too many accesses wait to be recorded; try again later.") from None

    def put(self, waiting: WaitingAccess) -> None:
        """Append an access soon: at once when somebody waits for it. There must be room."""
        self._queue.append(waiting)
        self._put += 1
        self._arrived.set()
        length = len(self._queue)
        if waiting.done is not None or length >= BATCH_LIMIT:
            self._urgent.set()
        if length >= self._waiting_limit:
            self._room.clear()
        if self._task is None:
            self._task = asyncio.create_task(self._append_batches(), name="access-queue")

    async def flush(self) -> None:
        """Wait until all that was put before is appended, or lost."""
        if self._ended >= self._put:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushing.append((self._put, future))
        self._urgent.set()
        await future

    def alarm(self, views: int, reason: str) -> None:
        """Log lost views, at most one line a minute."""
        self._dropped += views
        now = self._clock.now()
        if now - self._alarmed_at >= ALARM_INTERVAL_MICROSECONDS:
            _logger.error("views_dropped", reason=reason, views=self._dropped)
            self._alarmed_at, self._dropped = now, 0

    async def close(self) -> None:
        """Append all that waits, then stop."""
        self._is_closing = True
        self._arrived.set()
        self._urgent.set()
        self._room.set()
        if self._task is not None:
            await self._task

    async def _append_batches(self) -> None:
        """Append whatever waits, until closed. While one append runs, the next batch gathers."""
        while self._queue or not self._is_closing:
            await self._arrived.wait()
            if not self._urgent.is_set():
                await self._gather_views()
            batch = self._take_batch()
            if batch:
                await self._append(batch)

    async def _gather_views(self) -> None:
        try:
            async with asyncio.timeout(self._view_delay_seconds):
                await self._urgent.wait()
        except TimeoutError:
            return

    def _take_batch(self) -> list[WaitingAccess]:
        batch: list[WaitingAccess] = []
        files = 0
        while self._queue and len(batch) < BATCH_LIMIT and files < BATCH_FILES_LIMIT:
            waiting = self._queue.popleft()
            batch.append(waiting)
            files += waiting.file_count
        if not self._queue and not self._is_closing:
            self._arrived.clear()
            self._urgent.clear()
        self._room.set()
        return batch

    async def _append(self, batch: Sequence[WaitingAccess]) -> None:
        """Append a batch and tell all who wait for it; a failure is theirs, and the loop goes on."""
        self._recent.begin_append()
        position = None
        try:
            appended = await self._store(batch)
            position = appended.position
            self._succeed(batch, appended)
        except ArtifactManagerError as error:
            self._fail(batch, error)
        except Exception:
            _logger.exception("access_append_failed", accesses=len(batch))
            self._fail(batch, UnavailableError("The access could not be recorded; try again later."))
        finally:
            self._recent.end_append(position)
            self._end(len(batch))

    def _end(self, accesses: int) -> None:
        self._ended += accesses
        still: list[tuple[int, asyncio.Future[None]]] = []
        for wanted, future in self._flushing:
            if wanted > self._ended:
                still.append((wanted, future))
            elif not future.done():
                future.set_result(None)
        self._flushing = still

    async def _store(self, batch: Sequence[WaitingAccess]) -> Appended:
        day = batch[-1].recorded_at // DAY_MICROSECONDS
        for _ in range(APPEND_ATTEMPTS):
            if self._stream is None or day != self._day:
                self._stream, self._version, self._day = access_key(self._ids.uuid7()), 0, day
            stream = self._stream
            events = self._new_events(batch, stream, self._version)
            request = AppendRequest(events=events, expected={stream.id: self._version})
            # The stream counts as left until the append is known to have succeeded.
            self._stream = None
            (result,) = await self._log.append([request])
            if isinstance(result, Appended):
                self._stream = stream
                self._version += len(events)
                return result
        raise UnavailableError("The access could not be recorded; try again later.")

    def _new_events(self, batch: Sequence[WaitingAccess], stream: StreamKey, version: int) -> tuple[NewEvent, ...]:
        events: list[NewEvent] = []
        for waiting in batch:
            for payload in waiting.payloads:
                version += 1
                meta = EventMeta(
                    event_id=EventId(self._ids.uuid7()),
                    stream_version=version,
                    actor=waiting.actor.user_id,
                    on_behalf_of=waiting.actor.on_behalf_of,
                    recorded_at=waiting.recorded_at,
                    comment=waiting.comment,
                )
                event = NewEvent(
                    key=stream,
                    payload=payload,
                    data=encode(payload),
                    meta=meta,
                    workspace=waiting.workspace,
                    artifact_id=waiting.artifact_id,
                    correlation_id=waiting.correlation_id,
                )
                events.append(event)
        return tuple(events)

    def _succeed(self, batch: Sequence[WaitingAccess], appended: Appended) -> None:
        end = 0
        for waiting in batch:
            start, end = end, end + len(waiting.payloads)
            if waiting.recent is not None:
                # Of several events of one call the first changes the counts.
                self._recent.confirm(waiting.recent, appended.envelopes[start].position)
            if waiting.done is not None and not waiting.done.done():
                waiting.done.set_result(appended.envelopes[end - 1].position)

    def _fail(self, batch: Sequence[WaitingAccess], error: ArtifactManagerError) -> None:
        views = 0
        for waiting in batch:
            if waiting.recent is not None:
                self._recent.drop(waiting.recent)
            if waiting.done is None:
                views += 1
            elif not waiting.done.done():
                # Each caller raises an exception of its own, for raising adds a traceback to it.
                waiting.done.set_exception(type(error)(error.detail))
        if views:
            self.alarm(views, error.code)
