"""The port of the counters, and of what makes a process see its own accesses at once."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from domain.access import CountChange, Counts
from domain.ids import Position

__all__ = ["CountChange", "Counts", "RecentAccess", "RecentAccesses", "Statistics"]


class Statistics(Protocol):
    """Gives exact counters: everything that this process has recorded is in them, and they never go backwards.

    Only a reset makes them smaller. An access whose recording failed after it had been shown (the disk was full) is
    not taken back: the counter stands still until it has been caught up with, or the process ends.
    """

    def known(self, artifact_id: UUID) -> Counts | None:
        """Give the counters of an artifact where that takes no waiting; None when the read model has to be asked."""
        ...

    async def counts(self, artifact_ids: Sequence[UUID]) -> Mapping[UUID, Counts]:
        """Give the counters of these artifacts; those never accessed have zeros.

        Raises:
            UnavailableError: After a start, the read model did not catch up with the log in time.
        """
        ...

    async def wait_until(self, position: Position, timeout_seconds: float) -> bool:
        """Wait until the read model, by which lists filter and order, holds the log up to a position; else False."""
        ...


class RecentAccess(msgspec.Struct, eq=False):
    """One access of this process that the read model may not hold yet.

    `position` is None until the access is durable. `is_visible` says whether it is in the counts that are shown,
    `is_kept` whether there was room to keep it.
    """

    artifact_id: UUID
    change: CountChange
    is_visible: bool
    is_kept: bool = True
    position: Position | None = None


class RecentAccesses(Protocol):
    """Keeps what this process has recorded until the read model holds it. In memory; called from the event loop.

    The read model may hold an event before the append that stored it has returned. So that nothing counts twice, the
    recorder says when an append is under way, and readers let it end before they believe the read model.
    """

    def add(self, artifact_id: UUID, change: CountChange, *, is_visible: bool) -> RecentAccess:
        """Note an access that is about to be recorded, in the order of the log; visible at once or when durable.

        A reset is never visible at once.
        """
        ...

    def confirm(self, access: RecentAccess, position: Position) -> None:
        """Say that an access is durable, and where."""
        ...

    def drop(self, access: RecentAccess) -> None:
        """Say that an access will never be in the log."""
        ...

    def begin_append(self) -> None:
        """Say that an append is under way, whose accesses are neither confirmed nor dropped."""
        ...

    def end_append(self, position: Position | None) -> None:
        """Say that all accesses of the append are confirmed, the last at this position, or dropped (None)."""
        ...
