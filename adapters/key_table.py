"""The table of wrapped data keys in one SQLite file."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from adapters.sqlite_errors import translated
from application.ports.secret_keys import KeyRow, WrappedKey
from domain.errors import UnavailableError

BUSY_TIMEOUT_MS = 5_000
"""How long a change waits for that of another process, such as a rotation of the keys."""

_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS:d}",
    "PRAGMA journal_mode = WAL",
    # A key must be there before the event that needs it, whatever happens to the power.
    "PRAGMA synchronous = FULL",
    # What was deleted or replaced is overwritten in the file.
    "PRAGMA secure_delete = ON",
)
_CREATE = """
    CREATE TABLE IF NOT EXISTS data_keys (
        artifact_id BLOB PRIMARY KEY,
        ring_key_id TEXT NOT NULL,
        wrapped BLOB NOT NULL,
        added_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
"""
_GET = "SELECT ring_key_id, wrapped FROM data_keys WHERE artifact_id = ?"
_ADD = "INSERT OR IGNORE INTO data_keys (artifact_id, ring_key_id, wrapped, added_at) VALUES (?, ?, ?, ?)"
_REPLACE = """
    UPDATE data_keys SET ring_key_id = ?, wrapped = ? WHERE artifact_id = ? AND ring_key_id = ? AND wrapped = ?
"""
_DELETE = "DELETE FROM data_keys WHERE artifact_id = ?"
_PAGE = """
    SELECT artifact_id, ring_key_id, wrapped FROM data_keys WHERE artifact_id > ? AND added_at < ?
    ORDER BY artifact_id LIMIT ?
"""
_COUNTS = "SELECT ring_key_id, COUNT(*) FROM data_keys GROUP BY ring_key_id ORDER BY ring_key_id"
# The write-ahead log holds what was there before; this copies it into the file and cuts it to nothing.
_FORGET = "PRAGMA wal_checkpoint(TRUNCATE)"
_LATEST = 2**63 - 1

_T = TypeVar("_T")


class SqliteKeyTable:
    """Keeps the keys in a file of its own; one thread reads and writes, because both are rare and short."""

    def __init__(self, path: Path) -> None:
        """Open or create the table.

        Raises:
            sqlite3.Error: The file cannot be opened.
        """
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in (*_PRAGMAS, _CREATE):
            self._connection.execute(statement)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="key-table")
        self._is_closed = False

    async def get(self, artifact_id: UUID) -> WrappedKey | None:
        """Find the key of an artifact."""
        return await self._in_thread(lambda: self._get(artifact_id))

    async def add(self, artifact_id: UUID, key: WrappedKey, added_at: int) -> WrappedKey:
        """Keep a key, unless the artifact has one already; give the one that it has now."""

        def add() -> WrappedKey:
            self._connection.execute(_ADD, (artifact_id.bytes, key.ring_key_id, key.wrapped, added_at))
            # Gone again already means that the artifact was deleted for good meanwhile; then nothing will be kept.
            return self._get(artifact_id) or key

        return await self._in_thread(add)

    async def replace(self, artifact_id: UUID, old: WrappedKey, new: WrappedKey) -> bool:
        """Put one key in the place of another; False when that one is not there any more."""
        values = (new.ring_key_id, new.wrapped, artifact_id.bytes, old.ring_key_id, old.wrapped)
        return await self._in_thread(lambda: self._connection.execute(_REPLACE, values).rowcount == 1)

    async def delete(self, artifact_ids: Sequence[UUID]) -> int:
        """Delete keys for good, and count them."""

        def delete() -> int:
            count = sum(
                self._connection.execute(_DELETE, (artifact_id.bytes,)).rowcount for artifact_id in artifact_ids
            )
            self._connection.execute(_FORGET)
            return count

        return await self._in_thread(delete)

    async def page(self, after: UUID | None, limit: int, *, added_before: int | None = None) -> Sequence[KeyRow]:
        """Read rows in the order of the artifacts' ids, from after one on."""
        values = (after.bytes if after else b"", _LATEST if added_before is None else added_before, limit)

        def read() -> list[KeyRow]:
            rows = self._connection.execute(_PAGE, values).fetchall()
            return [KeyRow(UUID(bytes=row[0]), WrappedKey(ring_key_id=row[1], wrapped=row[2])) for row in rows]

        return await self._in_thread(read)

    async def counts(self) -> Mapping[str, int]:
        """Count the data keys by the id of the key that wraps them."""
        return await self._in_thread(lambda: dict(self._connection.execute(_COUNTS).fetchall()))

    async def close(self) -> None:
        """Finish what is under way and release everything."""
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)

    def _get(self, artifact_id: UUID) -> WrappedKey | None:
        row = self._connection.execute(_GET, (artifact_id.bytes,)).fetchone()
        return None if row is None else WrappedKey(ring_key_id=row[0], wrapped=row[1])

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        if self._is_closed:
            raise UnavailableError("The table of keys is closed.")
        working = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: translated("The table of keys", work)
        )
        # A statement that has begun cannot be called back.
        return await asyncio.shield(working)
