"""Follows the access log into a file of counters."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from domain.errors import StorageFullError, UnavailableError
from domain.events import RecordedEvent
from domain.ids import Position
from projections.model import FileStatus, Handler, ReadModel
from projections.statistics.query import SqliteStatistics
from projections.statistics.sqlite import VERSION, CountersFile, CountersReader

NAME: Final = "statistics"
LOG: Final = "accesses"

APPLY_INTERVAL_SECONDS: Final = 0.1
"""How long a small batch waits after the one before it. The process's own accesses show at once nevertheless."""

SMALL_BATCH: Final = 250
"""Batches of fewer events wait, so that a few large transactions do the work of many small ones."""

_T = TypeVar("_T")


class StatisticsHandler:
    """Applies batches of the access log to a file, in a thread of its own, and shows them to this process's readers.

    Readers that answer from another file, because this one is being built, ignore them.
    """

    def __init__(
        self,
        path: Path,
        file: CountersFile,
        thread: ThreadPoolExecutor,
        readers: SqliteStatistics,
        *,
        interval_seconds: float,
    ) -> None:
        self._path = path
        self._file = file
        self._thread = thread
        self._readers = readers
        self._interval_seconds = interval_seconds
        self._applied_at = -interval_seconds

    @classmethod
    async def open(
        cls, path: Path, epoch: str, readers: SqliteStatistics, *, interval_seconds: float = 0.0
    ) -> "StatisticsHandler":
        """Open a file, or make it when it is not there.

        Raises:
            StaleFileError: The file is damaged, or of another version or log.
            StorageFullError: The disk is full.
            UnavailableError: SQLite could not open it.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="statistics-writer")
        try:
            file = await _run(thread, lambda: CountersFile.open(path, epoch))
            return cls(path, file, thread, readers, interval_seconds=interval_seconds)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    @property
    def position(self) -> Position:
        """The position up to which the file holds the log."""
        return self._file.position

    async def apply(self, events: Sequence[RecordedEvent]) -> None:
        """Apply events in the order of the log, all or none; those that were applied before change nothing.

        Raises:
            StorageFullError: The disk is full; nothing was changed.
            UnavailableError: The file cannot be written now, or the append of these events does not end.
        """
        loop = asyncio.get_running_loop()
        if len(events) < SMALL_BATCH and (pause := self._applied_at + self._interval_seconds - loop.time()) > 0:
            await asyncio.sleep(pause)
        self._applied_at = loop.time()
        try:
            applied = await _run(self._thread, lambda: self._file.apply(events))
            await self._readers.publish(self._path, applied)
        except BaseException:
            # The file may hold the batch, and nobody will publish its counts again.
            self._readers.forget()
            raise

    async def park(self, event: RecordedEvent, error: str) -> None:
        """Pass over an event that cannot be applied."""
        await _run(self._thread, lambda: self._file.park(event, error))

    async def close(self) -> None:
        """Finish what is under way and release the file."""
        await _run(self._thread, self._file.close)
        self._thread.shutdown()


def statistics_model(
    epoch: str, readers: SqliteStatistics, *, interval_seconds: float = APPLY_INTERVAL_SECONDS
) -> ReadModel:
    """Describe the counters to the runner."""

    async def open_file(path: Path) -> Handler:
        return await StatisticsHandler.open(path, epoch, readers, interval_seconds=interval_seconds)

    return ReadModel(name=NAME, log=LOG, version=VERSION, open=open_file, serve=readers.serve, inspect=_inspect)


def _inspect(path: Path) -> FileStatus:
    reader = CountersReader(path)
    try:
        return FileStatus(position=reader.position(), parked=reader.parked())
    finally:
        reader.close()


async def _run(thread: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, work)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise StorageFullError("The disk is full; the counters could not be stored.") from error
        raise UnavailableError("The counters cannot be written now.") from error
