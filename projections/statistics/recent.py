"""What this process has recorded and the read model does not hold yet, so that its own accesses show at once."""

import asyncio
from collections import deque
from uuid import UUID

import structlog

from application.ports.statistics import RecentAccess
from domain.access import CountChange
from domain.errors import UnavailableError
from domain.ids import Position

RECENT_LIMIT = 200_000
"""Accesses kept (some 40 MB). Beyond, a stalled read model shows new ones only when it has caught up."""

SETTLE_SECONDS = 5.0
"""How long a reader lets an append end."""

_NOTHING = CountChange()
_START = Position(0)
_logger = structlog.get_logger(__name__)


class Tail:
    """The accesses of one artifact after the state of the read model, in the order of the log, and their sum.

    `reset_position` is that of the last reset among them, or 0.
    """

    __slots__ = ("accesses", "change", "reset_position")

    def __init__(self) -> None:
        self.accesses: deque[RecentAccess] = deque()
        self.change = _NOTHING
        self.reset_position = 0

    def add_up(self) -> None:
        """Compute the sum anew, as is needed when a reset comes or goes."""
        self.change, self.reset_position = _NOTHING, 0
        for access in self.accesses:
            if access.is_visible:
                self.change = self.change.then(access.change)
                if access.change.is_reset:
                    self.reset_position = access.position or 0

    def subtract(self, change: CountChange) -> None:
        """Take an addition out of the sum."""
        views, downloads_milli, is_reset = self.change
        self.change = CountChange(views - change.views, downloads_milli - change.downloads_milli, is_reset)

    def forget(self, position: Position) -> int:
        """Forget the accesses up to a position; give how many they were."""
        accesses, count = self.accesses, 0
        while accesses and (place := accesses[0].position) is not None and place <= position:
            access = accesses.popleft()
            count += 1
            if access.change.is_reset:
                self.add_up()
            elif not self.reset_position:
                # What lies before a reset is not in the sum.
                self.subtract(access.change)
        return count


class RecentTails:
    """Keeps recent accesses by artifact. Used from the event loop alone; each call is one step.

    `recorded_before` is the position of the access log at the start of the process: no recent access lies before it.
    """

    def __init__(self, recorded_before: Position = _START, limit: int = RECENT_LIMIT) -> None:
        self.recorded_before = recorded_before
        self._tails: dict[UUID, Tail] = {}
        self._limit = limit
        self._count = 0
        self._is_full = False
        self._confirmed = recorded_before
        self._is_settled = asyncio.Event()
        self._is_settled.set()

    def __len__(self) -> int:
        return self._count

    def add(self, artifact_id: UUID, change: CountChange, *, is_visible: bool) -> RecentAccess:
        """Note an access that is about to be recorded, in the order of the log; visible at once or when durable.

        A reset is never visible at once.
        """
        access = RecentAccess(artifact_id, change, is_visible=is_visible)
        if self._count >= self._limit and not change.is_reset:
            # Not kept, it shows once the read model holds it; nothing that was shown is taken back.
            access.is_kept = False
            if not self._is_full:
                self._is_full = True
                _logger.error("recent_accesses_full", limit=self._limit)
            return access
        tail = self._tails.get(artifact_id)
        if tail is None:
            tail = self._tails[artifact_id] = Tail()
        tail.accesses.append(access)
        self._count += 1
        if is_visible:
            tail.change = tail.change.then(change)
        return access

    def confirm(self, access: RecentAccess, position: Position) -> None:
        """Say that an access is durable, and where."""
        access.position = position
        if access.is_visible or not access.is_kept:
            return
        access.is_visible = True
        tail = self._tails[access.artifact_id]
        if access.change.is_reset or tail.reset_position:
            tail.add_up()
        else:
            tail.change = tail.change.then(access.change)

    def drop(self, access: RecentAccess) -> None:
        """Say that an access will never be in the log."""
        if not access.is_kept:
            return
        tail = self._tails[access.artifact_id]
        tail.accesses.remove(access)
        self._count -= 1
        if access.is_visible:
            # What is not in the log yet comes after all that is, any reset included.
            tail.subtract(access.change)
        if not tail.accesses:
            del self._tails[access.artifact_id]

    def begin_append(self) -> None:
        """Say that an append is under way, whose accesses are neither confirmed nor dropped."""
        self._is_settled.clear()

    def end_append(self, position: Position | None) -> None:
        """Say that all accesses of the append are confirmed, the last at this position, or dropped (None)."""
        if position is not None:
            self._confirmed = position
        self._is_settled.set()

    def is_settled(self, position: Position) -> bool:
        """Tell whether all accesses of this process up to a position are confirmed or dropped."""
        return position <= self._confirmed or self._is_settled.is_set()

    async def settled(self) -> None:
        """Wait until the append that is under way, if any, has ended.

        Raises:
            UnavailableError: It did not end in time.
        """
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._is_settled.wait()
        except TimeoutError:
            raise UnavailableError("The access log does not answer; try again later.") from None

    def tail(self, artifact_id: UUID, position: Position) -> Tail | None:
        """Give the accesses after a position, if any, and forget those up to it: the read model holds them."""
        tail = self._tails.get(artifact_id)
        if tail is None:
            return None
        self._count -= tail.forget(position)
        if tail.accesses:
            return tail
        del self._tails[artifact_id]
        if self._count < self._limit:
            self._is_full = False
        return None

    def forget(self, position: Position) -> None:
        """Forget all accesses up to a position."""
        for artifact_id in tuple(self._tails):
            self.tail(artifact_id, position)
