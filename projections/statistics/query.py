"""Answers counters: what the file holds, plus what this process has recorded since."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from domain.access import Counts
from domain.errors import UnavailableError
from domain.ids import Position
from projections.position import Progress
from projections.statistics.recent import RecentTails
from projections.statistics.sqlite import Applied, CountersReader, Read

CACHE_LIMIT = 100_000
"""Artifacts whose counters are kept in memory (some 40 MB)."""

CATCH_UP_SECONDS = 5.0
"""How long the first answer after a start waits for what earlier processes have recorded."""

READ_ATTEMPTS = 10
"""How often an answer looks at the file while this process's own appends are neither confirmed nor dropped."""

READ_LIMIT = 100
"""Artifacts that are read in one step of the event loop (some 0.3 ms)."""

_ZERO = Counts()


class _Cached:
    """The counts of an artifact in the file, and what was last shown.

    `position` is one up to which the counts hold; `reset_position` the last reset known to be in them. What was shown
    holds as a lower bound as long as no reset follows the one that it was shown after.
    """

    __slots__ = ("counts", "position", "reset_position", "shown", "shown_after")

    def __init__(self, counts: Counts, position: Position) -> None:
        self.counts = counts
        self.position = position
        self.reset_position = 0
        self.shown = _ZERO
        self.shown_after = 0


class SqliteStatistics:
    """Answers from memory where it can, else by point reads of the file.

    One object per process, used from its event loop alone. `publish` must see all batches that the process applies.
    The first answer waits until the file holds what was recorded before the process started.
    """

    def __init__(
        self,
        recent: RecentTails,
        progress: Progress,
        *,
        cache_limit: int = CACHE_LIMIT,
        catch_up_seconds: float = CATCH_UP_SECONDS,
    ) -> None:
        self._recent = recent
        self._progress = progress
        self._reader: CountersReader | None = None
        self._path: Path | None = None
        self._is_served = asyncio.Event()
        self._published = Position(0)
        self._cache: dict[UUID, _Cached] = {}
        self._cache_limit = cache_limit
        self._catch_up_seconds = catch_up_seconds
        self._has_caught_up = False

    def known(self, artifact_id: UUID) -> Counts | None:
        """Give the counters of an artifact that are in memory."""
        cached = self._cache.get(artifact_id)
        return self._show(artifact_id, cached) if cached is not None and self._has_caught_up else None

    async def counts(self, artifact_ids: Sequence[UUID]) -> Mapping[UUID, Counts]:
        """Give the counters of these artifacts; those never accessed have zeros.

        Raises:
            UnavailableError: The counters did not catch up with the log after a start, or the file does not answer.
        """
        if not self._has_caught_up:
            await self._catch_up()
        answer: dict[UUID, Counts] = {}
        missing: list[UUID] = []
        for artifact_id in artifact_ids:
            cached = self._cache.get(artifact_id)
            if cached is not None:
                answer[artifact_id] = self._show(artifact_id, cached)
            else:
                missing.append(artifact_id)
        for start in range(0, len(missing), READ_LIMIT):
            if start:
                await asyncio.sleep(0)
            answer.update(await self._read(missing[start : start + READ_LIMIT]))
        return answer

    async def wait_until(self, position: Position, timeout_seconds: float) -> bool:
        """Wait until the file holds all accesses up to a position; False when the time is over."""
        return await self._progress.wait_until(position, timeout_seconds)

    async def publish(self, path: Path, applied: Applied) -> None:
        """Show the new counts of a batch that is in a file now, if answers come from that file.

        Raises:
            UnavailableError: An append of this process, whose accesses the batch may hold, does not end.
        """
        if path != self._path:
            return
        if not self._recent.is_settled(applied.position):
            await self._recent.settled()
        self._published = applied.position
        for artifact_id, counts in applied.counts.items():
            cached = self._cache.get(artifact_id)
            if cached is not None:
                cached.counts, cached.position = counts, applied.position
                if artifact_id in applied.resets:
                    cached.reset_position = max(cached.reset_position, applied.resets[artifact_id])
            self._recent.tail(artifact_id, applied.position)

    def forget(self) -> None:
        """Forget what is in memory and can be read from the file."""
        self._cache.clear()

    def serve(self, path: Path) -> None:
        """Answer from a file from now on.

        Raises:
            ValueError: It is behind what was shown from the file before, so that accesses would be missing.
            sqlite3.Error: It cannot be read.
        """
        reader = CountersReader(path)
        try:
            position = reader.position()
            if position < self._published:
                raise ValueError(f"Counters at {position} cannot follow those at {self._published}")
        except BaseException:
            reader.close()
            raise
        self.close()
        self._reader, self._path = reader, path
        self._is_served.set()
        self._cache.clear()

    def close(self) -> None:
        """Release the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    async def _catch_up(self) -> None:
        """Wait until a file is served that holds what was recorded before the process started."""
        try:
            async with asyncio.timeout(self._catch_up_seconds):
                await self._is_served.wait()
        except TimeoutError:
            raise UnavailableError("The counters are not there yet; try again later.") from None
        if not await self._progress.wait_until(self._recent.recorded_before, self._catch_up_seconds):
            raise UnavailableError("The counters are catching up; try again later.")
        self._has_caught_up = True

    def _show(self, artifact_id: UUID, cached: _Cached) -> Counts:
        counts, reset_position = cached.counts, cached.reset_position
        tail = self._recent.tail(artifact_id, cached.position)
        if tail is not None:
            counts = tail.change.on(counts)
            reset_position = max(reset_position, tail.reset_position)
        if reset_position == cached.shown_after:
            shown = cached.shown
            if counts.views < shown.views or counts.downloads_milli < shown.downloads_milli:
                counts = Counts(max(counts.views, shown.views), max(counts.downloads_milli, shown.downloads_milli))
        else:
            cached.shown_after = reset_position
        cached.shown = counts
        return counts

    def _keep(self, artifact_id: UUID, counts: Counts, position: Position) -> _Cached:
        if len(self._cache) >= self._cache_limit:
            del self._cache[next(iter(self._cache))]
        cached = self._cache[artifact_id] = _Cached(counts, position)
        return cached

    async def _read(self, artifact_ids: list[UUID]) -> dict[UUID, Counts]:
        """Answer from the file."""
        for _ in range(READ_ATTEMPTS):
            read = self._read_file(artifact_ids)
            # From here on to the answer nothing else runs, so nothing is counted twice or forgotten.
            if self._recent.is_settled(read.position):
                return {
                    artifact_id: self._show(
                        artifact_id,
                        self._cache.get(artifact_id)
                        or self._keep(artifact_id, read.counts.get(artifact_id, _ZERO), read.position),
                    )
                    for artifact_id in artifact_ids
                }
            await self._recent.settled()
        raise UnavailableError("The counters do not answer; try again later.")

    def _read_file(self, artifact_ids: list[UUID]) -> Read:
        if self._reader is None:
            raise UnavailableError("The counters are closed.")
        try:
            return self._reader.read(artifact_ids)
        except sqlite3.OperationalError as error:
            raise UnavailableError("The counters cannot be read now; try again later.") from error
