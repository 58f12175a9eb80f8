"""The ports of the keys that secrets are encrypted with.

Each artifact has a data key. It is wrapped (encrypted) by a key of the key ring, which the operator holds, and the
wrapped key lies in a table beside the log: a new key of the operator's changes the table and no event, and without its
row in the table an artifact's ciphertext means nothing, wherever a copy of it may be.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A data key as the table keeps it. `ring_key_id` names the key of the ring that wraps it."""

    ring_key_id: str
    wrapped: bytes


class KeyRow(NamedTuple):
    """A row of the table."""

    artifact_id: UUID
    key: WrappedKey


class DataKey(Protocol):
    """Encrypts the secrets of one artifact. Its text form shows no key."""

    def seal(self, name: str, value: str) -> bytes:
        """Encrypt a value, bound to the artifact and the name; no two results are the same."""
        ...

    def open(self, name: str, sealed: bytes) -> str:
        """Decrypt a value.

        Raises:
            SecretsUnreadableError: It was not sealed under this name with this key, or was changed since.
        """
        ...


class KeyRing(Protocol):
    """Wraps data keys. Its text form shows no key."""

    @property
    def current_id(self) -> str:
        """The id of the key that wraps what is new."""
        ...

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all keys."""
        ...

    def make(self, artifact_id: UUID) -> WrappedKey:
        """Make a data key for an artifact."""
        ...

    def open(self, artifact_id: UUID, key: WrappedKey) -> DataKey:
        """Unwrap a data key.

        Raises:
            SecretsUnreadableError: The ring has not the key that wraps it, or it is damaged or another artifact's.
        """
        ...

    def rewrap(self, artifact_id: UUID, key: WrappedKey) -> WrappedKey:
        """Wrap the same data key by the current key of the ring.

        Raises:
            SecretsUnreadableError: As for `open`.
        """
        ...


class KeyTable(Protocol):
    """Keeps the wrapped data key of each artifact. What it answers to a change is durable.

    All methods raise `UnavailableError` when the table cannot be reached, those that change it `StorageFullError`.
    """

    async def get(self, artifact_id: UUID) -> WrappedKey | None:
        """Find the key of an artifact."""
        ...

    async def add(self, artifact_id: UUID, key: WrappedKey, added_at: int) -> WrappedKey:
        """Keep a key, unless the artifact has one already; give the one that it has now.

        `added_at` is in microseconds since the epoch.
        """
        ...

    async def replace(self, artifact_id: UUID, old: WrappedKey, new: WrappedKey) -> bool:
        """Put one key in the place of another; False when that one is not there any more."""
        ...

    async def delete(self, artifact_ids: Sequence[UUID]) -> int:
        """Delete keys for good, and count them; nothing of them is left in the files of the table."""
        ...

    async def page(self, after: UUID | None, limit: int, *, added_before: int | None = None) -> Sequence[KeyRow]:
        """Read rows in the order of the artifacts' ids, from after one on; `added_before` is in microseconds."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """Count the data keys by the id of the key that wraps them."""
        ...

    async def close(self) -> None:
        """Finish what is under way and release everything."""
        ...
