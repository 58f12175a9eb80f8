"""Finds idle stages in the file that is live."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from application.ports.stages import IdleStage
from domain.errors import UnavailableError
from domain.ids import Position
from projections.position import Progress
from projections.stages.sqlite import StagesReader

_T = TypeVar("_T")


class SqliteOpenStages:
    """The port `OpenStages`, answered by SQLite from the file that `use` names.

    Only the janitor asks, every minute or so; so each look opens the file anew, whichever is live by then.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._path: Path | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stages")

    def use(self, path: Path) -> None:
        """Answer from this file from now on."""
        self._path = path

    async def idle(self, before: int, *, after: IdleStage | None = None, limit: int = 100) -> Sequence[IdleStage]:
        """Give open stages without activity since a time; see the port."""
        return await self._look(lambda reader: reader.idle(before, after, limit))

    async def shortest_ttl_seconds(self) -> int | None:
        """Give the shortest time after which drafts expire; see the port."""
        return await self._look(lambda reader: reader.shortest_ttl_seconds())

    async def wait_until(self, position: Position, timeout_seconds: float) -> bool:
        """Wait until the read model holds all events up to a position; False when the time is over."""
        return await self._progress.wait_until(position, timeout_seconds)

    async def close(self) -> None:
        """Finish the look under way."""
        await asyncio.to_thread(self._thread.shutdown)

    async def _look(self, ask: Callable[[StagesReader], _T]) -> _T:
        path = self._path
        if path is None:
            raise UnavailableError("The open stages are not known yet; try again later.")

        def look() -> _T:
            reader = StagesReader(path)
            try:
                return ask(reader)
            finally:
                reader.close()

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, look)
        except sqlite3.OperationalError as error:
            raise UnavailableError("The open stages cannot be read now; try again later.") from error
