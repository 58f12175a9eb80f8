"""Follows the access log into the counters."""

from collections.abc import Sequence

from domain.events import RecordedEvent
from domain.ids import Position
from projections.statistics.query import SqliteStatistics
from projections.statistics.sqlite import SqliteCounters

NAME = "statistics"
VERSION = 1
"""A change of what the tables hold takes a new version, which is built beside the old one."""


class StatisticsHandler:
    """Applies batches of the access log to a file of counters, and shows them to the process's own readers."""

    def __init__(self, counters: SqliteCounters, readers: SqliteStatistics | None = None) -> None:
        self._counters = counters
        self._readers = readers

    @property
    def position(self) -> Position:
        """The position of the last event that was applied."""
        return self._counters.position

    async def apply(self, events: Sequence[RecordedEvent]) -> None:
        """Apply events in the order of the log; those that were applied before change nothing.

        Raises:
            StorageFullError: The disk is full; nothing was changed.
            UnavailableError: SQLite refused; nothing was changed.
        """
        if self._readers is None:
            await self._counters.apply(events)
            return
        try:
            await self._readers.publish(await self._counters.apply(events))
        except BaseException:
            # The file may hold the batch, whose new counts nobody will publish again.
            self._readers.forget()
            raise
