"""What a read model gives to the runner."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from domain.events import RecordedEvent
from domain.ids import Position


class Handler(Protocol):
    """Applies a log to one file. Used by one task at a time."""

    @property
    def position(self) -> Position:
        """The position up to which the file holds the log."""
        ...

    async def apply(self, events: Sequence[RecordedEvent]) -> None:
        """Apply events in the order of the log, all of them or none, in one transaction with their position.

        Events up to the position of the file are skipped.

        Raises:
            StorageFullError: The disk is full; nothing was changed.
            UnavailableError: The file cannot be written now; nothing was changed.
            StaleFileError: The file is damaged.
            Exception: One of the events cannot be applied; nothing was changed.
        """
        ...

    async def park(self, event: RecordedEvent, error: str) -> None:
        """Pass over an event that cannot be applied, and over what depends on it, and keep note of it."""
        ...

    async def close(self) -> None:
        """Finish what is under way and release the file."""
        ...


class FileStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of itself. `parked` counts the artifacts that it no longer follows."""

    position: Position
    parked: int


class ReadModel(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of read model.

    `open` opens a file or makes a new one (raising StaleFileError for one that must not be used). `serve` lets queries
    read from a file that has caught up. `inspect` reads a file that another process may be writing. While nobody waits
    for it, the model lets events gather for `gather_seconds`, because a few large transactions cost less than many.
    """

    name: str
    log: str
    version: int
    open: Callable[[Path], Awaitable[Handler]]
    serve: Callable[[Path], None]
    inspect: Callable[[Path], FileStatus]
    gather_seconds: float = 0.0
