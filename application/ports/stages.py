"""The port of the open stages: which of them have been idle for long."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from domain.ids import Position


class IdleStage(NamedTuple):
    """An open stage, and when it or its artifact was last changed, in microseconds since the epoch."""

    last_activity: int
    stage_id: UUID
    artifact_id: UUID


class OpenStages(Protocol):
    """Finds open stages by their last activity, at the cost of those that it gives.

    It may be behind the log: whoever acts on what it says looks at the stage itself.
    """

    async def idle(self, before: int, *, after: IdleStage | None = None, limit: int = 100) -> Sequence[IdleStage]:
        """Give open stages without activity since a time, those that are idle for longest first, behind one of them.

        Raises:
            UnavailableError: The read model cannot be read now.
        """
        ...

    async def shortest_ttl_seconds(self) -> int | None:
        """Give the shortest `config.draft_ttl` of all artifacts that is not 0; None when nobody has set one.

        Raises:
            UnavailableError: The read model cannot be read now.
        """
        ...

    async def wait_until(self, position: Position, timeout_seconds: float) -> bool:
        """Wait until the read model holds all events up to a position; False when the time is over."""
        ...
