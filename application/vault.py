"""Encrypts secrets before anything else is done with them, and decrypts them for those who may see them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from application.ports.secret_keys import DataKey, KeyRing, KeyTable
from application.ports.system import Clock
from domain.errors import SecretsUnreadableError, UnavailableError

TIMEOUT_SECONDS = 15.0
"""How long the table of keys may take; longer than it waits for another process."""


class Vault:
    """Seals and opens the secrets of artifacts, with a data key for each.

    The key of an artifact is durable before the first ciphertext leaves here, so before the event that holds it. A
    crash in between leaves a key that nothing was encrypted with. Keys are kept in no cache, so one that is deleted
    is gone everywhere at once.
    """

    def __init__(self, table: KeyTable, ring: KeyRing, clock: Clock) -> None:
        self._table = table
        self._ring = ring
        self._clock = clock

    async def seal(self, artifact_id: UUID, values: Mapping[str, str]) -> dict[str, bytes]:
        """Encrypt secrets of an artifact, by name; makes its key when it has none.

        Raises:
            SecretsUnreadableError: The key of the artifact cannot be unwrapped.
            UnavailableError: The keys cannot be reached.
        """
        if not values:
            return {}
        async with _bounded():
            key = await self._table.get(artifact_id)
            if key is None:
                key = await self._table.add(artifact_id, self._ring.make(artifact_id), self._clock.now())
        data_key = self._ring.open(artifact_id, key)
        return {name: data_key.seal(name, value) for name, value in values.items()}

    async def open(self, artifact_id: UUID, sealed: Mapping[str, bytes]) -> dict[str, str]:
        """Decrypt secrets of an artifact, by name.

        Raises:
            SecretsUnreadableError: The key of the artifact is gone or cannot be unwrapped, or a secret was changed.
            UnavailableError: The keys cannot be reached.
        """
        if not sealed:
            return {}
        data_key = await self._data_key(artifact_id)
        return {name: data_key.open(name, value) for name, value in sealed.items()}

    async def forget(self, artifact_ids: Sequence[UUID]) -> int:
        """Make the secrets of artifacts unreadable everywhere and for ever, and count the keys that this ended.

        For artifacts that are gone for good: whose files, some of which may lie behind these secrets, are removed.

        Raises:
            UnavailableError: The keys cannot be reached.
        """
        async with _bounded():
            return await self._table.delete(artifact_ids)

    async def artifacts(self, after: UUID | None, limit: int, *, added_before: int) -> list[UUID]:
        """List artifacts that have a key, in the order of their ids after one; `added_before` is in microseconds.

        Raises:
            UnavailableError: The keys cannot be reached.
        """
        async with _bounded():
            rows = await self._table.page(after, limit, added_before=added_before)
        return [row.artifact_id for row in rows]

    async def missing_ring_keys(self) -> Mapping[str, int]:
        """Count the artifacts whose secrets cannot be read, by the id of the key that the ring has not."""
        async with _bounded():
            counts = await self._table.counts()
        return {key_id: count for key_id, count in counts.items() if key_id not in self._ring.ids}

    async def _data_key(self, artifact_id: UUID) -> DataKey:
        async with _bounded():
            key = await self._table.get(artifact_id)
        if key is None:
            raise SecretsUnreadableError(
                "The secrets of this artifact cannot be read: their key is not there any more. Set them again."
            )
        return self._ring.open(artifact_id, key)


@asynccontextmanager
async def _bounded() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield
    except TimeoutError:
        raise UnavailableError("The keys of secrets cannot be reached now; nothing was changed.") from None
