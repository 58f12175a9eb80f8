"""Follows the artifact log into a file of open stages."""

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
from projections.stages.sqlite import VERSION, StagesFile, StagesReader

NAME: Final = "stages"
LOG: Final = "artifacts"
GATHER_SECONDS: Final = 0.5
"""Nobody waits for it but the janitor, so a few large transactions do the work of many small ones."""

_T = TypeVar("_T")


class StagesHandler:
    """Applies batches of the artifact log to a file, in a thread of its own."""

    def __init__(self, file: StagesFile, thread: ThreadPoolExecutor) -> None:
        self._file = file
        self._thread = thread

    @classmethod
    async def open(cls, path: Path, epoch: str) -> "StagesHandler":
        """Open a file, or make it when it is not there.

        Raises:
            StaleFileError: The file is damaged, or of another version or log.
            StorageFullError: The disk is full.
            UnavailableError: SQLite could not open it.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="stages-writer")
        try:
            return cls(await _run(thread, lambda: StagesFile.open(path, epoch)), thread)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    @property
    def position(self) -> Position:
        """The position up to which the file holds the log."""
        return self._file.position

    async def apply(self, events: Sequence[RecordedEvent]) -> None:
        """Apply events in the order of the log, all or none; those that were applied before change nothing."""
        await _run(self._thread, lambda: self._file.apply(events))

    async def park(self, event: RecordedEvent, error: str) -> None:
        """Pass over an event that cannot be applied."""
        await _run(self._thread, lambda: self._file.park(event, error))

    async def close(self) -> None:
        """Finish what is under way and release the file."""
        await _run(self._thread, self._file.close)
        self._thread.shutdown()


def stages_model(epoch: str, serve: Callable[[Path], None]) -> ReadModel:
    """Describe the open stages to the runner; `serve` is `SqliteOpenStages.use`."""

    async def open_file(path: Path) -> Handler:
        return await StagesHandler.open(path, epoch)

    return ReadModel(
        name=NAME,
        log=LOG,
        version=VERSION,
        open=open_file,
        serve=serve,
        inspect=_inspect,
        gather_seconds=GATHER_SECONDS,
    )


def _inspect(path: Path) -> FileStatus:
    reader = StagesReader(path)
    try:
        return FileStatus(position=reader.position(), parked=reader.parked())
    finally:
        reader.close()


async def _run(thread: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, work)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise StorageFullError("The disk is full; the open stages could not be stored.") from error
        raise UnavailableError("The open stages cannot be written now.") from error
