"""Takes a body to the disk while it arrives; writing and hashing go on beside each other and behind it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Protocol, TypeVar

from adapters.object_store.lanes import Lane
from adapters.object_store.transfers import Upload
from domain.errors import InvalidArgumentError, TooLargeError

WRITE_BYTES = 1024 * 1024
"""A body goes to the threads that write and hash it in steps of about this size."""
WRITES_AHEAD = 4
"""Steps of one body that are under way; then the sender waits."""
MAX_CHUNKS = 1024
"""Chunks in one step, because a sender could make each of them a single byte."""
LARGE_CHUNK_BYTES = 64 * 1024
"""Chunks that are at least as large on average are not joined before they are written."""

Result = TypeVar("Result")


class Discardable(Protocol):
    """Something under way that leaves a temporary file when it is not brought to its end."""

    def discard(self) -> None:
        """Remove the temporary file."""
        ...


async def receive(
    pool: ThreadPoolExecutor,
    upload: Upload,
    publish: Callable[[Upload, Sequence[bytes]], Result],
    chunks: AsyncIterator[bytes],
    *,
    size_bytes: int | None,
    limit_bytes: int | None,
) -> Result:
    """Write a body as it arrives, and publish it with its last blocks; whatever goes wrong leaves nothing.

    Raises:
        InvalidArgumentError: The body has not the declared size.
        TooLargeError: The body is larger than `limit_bytes`.
        StorageFullError: The disk is full.
    """
    _check_size(size_bytes or 0, None, limit_bytes)
    writing, hashing = Lane(pool), Lane(pool)
    under_way: deque[tuple[asyncio.Future[None], asyncio.Future[None]]] = deque()
    parts: list[bytes] = []
    filled = received = 0
    try:
        async for chunk in chunks:
            received += len(chunk)
            _check_size(received, size_bytes, limit_bytes)
            parts.append(chunk)
            filled += len(chunk)
            if filled >= WRITE_BYTES or len(parts) == MAX_CHUNKS:
                if len(under_way) == WRITES_AHEAD:
                    await asyncio.gather(*under_way.popleft())
                blocks = _blocks(parts, filled)
                parts, filled = [], 0
                under_way.append((writing.submit(upload.write, blocks), hashing.submit(upload.hash, blocks)))
        if size_bytes is not None and received < size_bytes:
            raise InvalidArgumentError(f"The body has {received} bytes instead of the declared {size_bytes}.")
        while under_way:
            await asyncio.gather(*under_way.popleft())
        return await writing.submit(publish, upload, _blocks(parts, filled))
    except BaseException:
        for step in chain(*under_way):
            step.add_done_callback(retrieve)
        await discard(upload, writing)
        raise


def _check_size(received: int, size_bytes: int | None, limit_bytes: int | None) -> None:
    if limit_bytes is not None and received > limit_bytes:
        raise TooLargeError(f"The body is larger than {limit_bytes} bytes.")
    if size_bytes is not None and received > size_bytes:
        raise InvalidArgumentError(f"The body has more than the declared {size_bytes} bytes.")


def _blocks(parts: Sequence[bytes], size_bytes: int) -> Sequence[bytes]:
    """Join small chunks, because a thread gains nothing from them; large ones are not worth a copy."""
    return parts if size_bytes >= len(parts) * LARGE_CHUNK_BYTES else (b"".join(parts),)


async def discard(upload: Discardable, lane: Lane) -> None:
    """Remove what was begun, behind the calls that are in its lane."""
    try:
        discarding = lane.submit(upload.discard)
    except RuntimeError:
        # The store was closed, which has waited for the lane.
        upload.discard()
    else:
        # The file must go even when the caller is cancelled once more.
        await asyncio.shield(discarding)


def retrieve(future: asyncio.Future[Result]) -> None:
    """Look at the outcome of a call that nobody waits for any more, so that asyncio does not complain."""
    if not future.cancelled():
        future.exception()
