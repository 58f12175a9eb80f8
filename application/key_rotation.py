"""Wraps all data keys by the current key of the ring, so that an old one can be taken out of it."""

from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import msgspec

from application.ports.secret_keys import KeyRing, KeyRow, KeyTable
from domain.errors import SecretsUnreadableError

PAGE_KEYS = 500


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """What a rotation did: data keys that it wrapped anew, those that were up to date, and those it could not unwrap.

    `unreadable` counts the last by the id of the key of the ring that wraps them.
    """

    rewrapped: int
    current: int
    unreadable: dict[str, int]


async def rotate_keys(table: KeyTable, ring: KeyRing) -> Rotation:
    """Wrap every data key by the current key of the ring; no secret and no event changes.

    Beside a service, and beside another rotation: a key is only replaced while it is still the one that was read.
    Repeating it does what is left.

    Raises:
        UnavailableError: The table cannot be reached; what was done stays done.
    """
    rewrapped = current = 0
    unreadable: Counter[str] = Counter()
    async for row in _rows(table):
        if row.key.ring_key_id == ring.current_id:
            current += 1
            continue
        try:
            fresh = ring.rewrap(row.artifact_id, row.key)
        except SecretsUnreadableError:
            unreadable[row.key.ring_key_id] += 1
            continue
        # A key that is not there any more was deleted, or rotated by somebody else, who counts it.
        rewrapped += await table.replace(row.artifact_id, row.key, fresh)
    return Rotation(rewrapped=rewrapped, current=current, unreadable=dict(unreadable))


async def _rows(table: KeyTable) -> AsyncIterator[KeyRow]:
    after: UUID | None = None
    while rows := await table.page(after, PAGE_KEYS):
        for row in rows:
            yield row
        after = rows[-1].artifact_id
