"""Follows the artifact log into a catalog file."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from domain.errors import StorageFullError, UnavailableError
from domain.events import RecordedEvent
from domain.ids import Position
from projections.catalog.schema import VERSION, connect
from projections.catalog.sqlite import CatalogFile
from projections.model import FileStatus, Handler, ReadModel
from projections.registry import StaleFileError

NAME: Final = "catalog"
LOG: Final = "artifacts"
GATHER_SECONDS: Final = 0.05

_T = TypeVar("_T")


class CatalogHandler:
    """Applies batches of the artifact log to a catalog file, in a thread of its own."""

    def __init__(self, file: CatalogFile, thread: ThreadPoolExecutor) -> None:
        self._file = file
        self._thread = thread

    @classmethod
    async def open(cls, path: Path, epoch: str) -> "CatalogHandler":
        """Open a file, or make it when it is not there.

        Raises:
            StaleFileError: The file is damaged, or of another version or log.
            StorageFullError: The disk is full.
            UnavailableError: SQLite could not open it.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="catalog-writer")
        try:
            return cls(await _run(thread, lambda: CatalogFile.open(path, epoch)), thread)
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
        """Pass over an event that cannot be applied, and over all later ones of its artifact."""
        await _run(self._thread, lambda: self._file.park(event, error))

    async def close(self) -> None:
        """Finish what is under way and release the file."""
        await _run(self._thread, self._file.close)
        self._thread.shutdown()


def catalog_model(epoch: str, serve: Callable[[Path], None]) -> ReadModel:
    """Describe the catalog to the runner; `serve` is `SqliteCatalog.use`."""

    async def open_file(path: Path) -> Handler:
        return await CatalogHandler.open(path, epoch)

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
    connection = connect(path, "rw")
    try:
        (position,) = connection.execute("SELECT position FROM meta").fetchone()
        (parked,) = connection.execute("SELECT count(*) FROM parked").fetchone()
    finally:
        connection.close()
    return FileStatus(position=Position(position), parked=parked)


async def _run(thread: ThreadPoolExecutor, call: Callable[[], _T]) -> _T:
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, call)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise StorageFullError("The disk is full; the catalog could not be stored.") from error
        raise UnavailableError("The catalog cannot be written now.") from error
    except sqlite3.DatabaseError as error:
        # The subclasses are about one row, the class itself about the file.
        if type(error) is sqlite3.DatabaseError:
            raise StaleFileError("The catalog file is damaged") from error
        raise
