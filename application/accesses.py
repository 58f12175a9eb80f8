"""Records views, downloads and resets in the access log, append only."""

import asyncio
from uuid import UUID

from application.access_budget import AccessBudget
from application.access_queue import (
    ROOM_SECONDS,
    VIEW_DELAY_SECONDS,
    WAITING_LIMIT,
    AccessQueue,
    WaitingAccess,
)
from application.ports.event_log import EventLog
from application.ports.statistics import RecentAccesses
from application.ports.system import Clock, IdSource
from domain.access import (
    AccessedFile,
    AccessKind,
    ArtifactViewed,
    CountChange,
    FilesDownloaded,
    StatsReset,
    change_of,
    divide_files,
)
from domain.actor import Actor
from domain.errors import StorageFullError, UnavailableError
from domain.events import Event
from domain.ids import Position

_ONE_VIEW = CountChange(views=1)


class AccessRecorder:
    """Records accesses in the order of the calls. One per process, used from its event loop alone."""

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        ids: IdSource,
        recent: RecentAccesses,
        *,
        waiting_limit: int = WAITING_LIMIT,
        view_delay_seconds: float = VIEW_DELAY_SECONDS,
        room_seconds: float = ROOM_SECONDS,
        budget: AccessBudget | None = None,
    ) -> None:
        self._budget = budget
        self._clock = clock
        self._recent = recent
        self._queue = AccessQueue(
            log,
            clock,
            ids,
            recent,
            waiting_limit=waiting_limit,
            view_delay_seconds=view_delay_seconds,
            room_seconds=room_seconds,
        )

    async def record_view(
        self,
        actor: Actor,
        artifact_id: UUID,
        *,
        workspace: str,
        version: str | None,
        kind: AccessKind = AccessKind.VIEW,
        is_counted: bool,
        path: str | None = None,
        correlation_id: str,
    ) -> None:
        """Record that an artifact was seen; returns before that is durable, which takes at most a tenth of a second.

        Waits only while too many accesses wait already. A view that finds no room, or no space on the disk, is lost:
        reading must not fail because counting does.
        """
        if self._budget is not None or not self._queue.is_open:
            try:
                await self.require_room()
            except (StorageFullError, UnavailableError) as error:
                self._queue.alarm(1, error.code)
                return
        payload = ArtifactViewed(artifact_id=artifact_id, kind=kind, version=version, is_counted=is_counted, path=path)
        recent = self._recent.add(artifact_id, _ONE_VIEW, is_visible=True) if is_counted else None
        recorded_at = self._clock.now()
        self._queue.put(
            WaitingAccess((payload,), actor, artifact_id, workspace, correlation_id, recorded_at, recent=recent)
        )

    async def require_room(self) -> None:
        """Wait until an access can be recorded. What is recorded only at its end asks for room when it begins.

        Raises:
            StorageFullError: The log of accesses has all the space that it may have.
            UnavailableError: The log cannot be reached, or too many accesses wait.
        """
        if self._budget is not None:
            await self._budget.require_room()
        if not self._queue.is_open:
            await self._queue.find_room()

    async def record_download(
        self,
        actor: Actor,
        artifact_id: UUID,
        *,
        workspace: str,
        kind: AccessKind,
        version: str | None,
        files: tuple[AccessedFile, ...],
        weight_milli: int,
        is_counted: bool,
        is_whole: bool = False,
        correlation_id: str,
    ) -> Position:
        """Record that files were given out; durable when this returns. Gives the position of the last event.

        Raises:
            StorageFullError: The disk, or the log's part of it, is full; nothing was recorded or counted.
            UnavailableError: The log cannot be reached, or too many accesses wait; nothing was counted.
        """
        # The bytes of an archive have left when it is recorded; it asked for room before the first of them.
        if self._budget is not None and kind is not AccessKind.ZIP:
            await self._budget.require_room()
        payloads = tuple(
            FilesDownloaded(
                artifact_id=artifact_id,
                kind=kind,
                version=version,
                files=part,
                weight_milli=0 if number else weight_milli,
                is_counted=is_counted,
                is_whole=is_whole,
            )
            for number, part in enumerate(divide_files(files))
        )
        return await self._record(
            payloads, actor, artifact_id, workspace, correlation_id, file_count=len(files), comment=None
        )

    async def reset(
        self, actor: Actor, artifact_id: UUID, *, workspace: str, correlation_id: str, comment: str | None = None
    ) -> Position:
        """Set both counters of an artifact back to zero; durable when this returns.

        Raises:
            StorageFullError: The disk is full; nothing was changed.
            UnavailableError: The log cannot be reached, or too many accesses wait; nothing was changed.
        """
        payloads = (StatsReset(artifact_id=artifact_id),)
        return await self._record(
            payloads, actor, artifact_id, workspace, correlation_id, file_count=0, comment=comment
        )

    async def flush(self) -> None:
        """Wait until everything that was recorded before is durable, or lost."""
        await self._queue.flush()

    async def close(self) -> None:
        """Append all that waits, then stop. What comes later is refused, and views are lost."""
        await self._queue.close()

    async def _record(
        self,
        payloads: tuple[Event, ...],
        actor: Actor,
        artifact_id: UUID,
        workspace: str,
        correlation_id: str,
        *,
        file_count: int,
        comment: str | None,
    ) -> Position:
        """Enqueue events that the caller waits for, and wait until they are durable."""
        if not self._queue.is_open:
            await self._queue.find_room()
        change = change_of(payloads[0])
        recent = None if change is None else self._recent.add(artifact_id, change[1], is_visible=False)
        done: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        waiting = WaitingAccess(
            payloads,
            actor,
            artifact_id,
            workspace,
            correlation_id,
            self._clock.now(),
            recent=recent,
            done=done,
            file_count=file_count,
            comment=comment,
        )
        self._queue.put(waiting)
        return await done
