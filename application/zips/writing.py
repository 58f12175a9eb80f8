"""Writes an archive of stored files while it is sent.

The files are walked three times, because trees are immutable and walking is cheap: to measure, to send the bytes, and
to write the directory. So nothing is kept of any file, however many there are, except the checksums that nobody knew.
"""

import asyncio
import zlib
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

import msgspec

from application.ports.object_stores import ObjectStores
from application.zips import layout
from application.zips.layout import Member
from domain.errors import TooLargeError
from domain.tree_chunks import TreeEntry

MAX_FILES = 1_000_000
"""Files in one archive. The directory behind them is the only part that no reader can take in pieces."""
SMALL_BYTES = 256 * 1024
"""Files up to this are read several at a time."""
BATCH_BYTES = 1024 * 1024
BATCH_FILES = 64
"""So much of the small files is read at a time; one batch ahead of the one that leaves."""
BLOCK_BYTES = 256 * 1024
"""The directory leaves in blocks of about this size."""

_MICRO = 1_000_000

Pages = Callable[[], AsyncIterator[Sequence[TreeEntry]]]
"""Gives the files of an archive in pages; each call gives the same."""


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an archive before its first byte. `end` is what stands behind its directory."""

    size_bytes: int
    end: bytes


def member_of(entry: TreeEntry) -> Member:
    """Describe a file as a member of an archive."""
    file = entry.file
    return Member(entry.path.encode(), file.size_bytes, file.crc32, file.modified_at // _MICRO)


async def measure(pages: Pages, see: Callable[[TreeEntry], None]) -> Measures:
    """Measure an archive, and show each of its files to `see`.

    Raises:
        TooLargeError: There are more than `MAX_FILES` files.
    """
    count = offset = directory = 0
    async for page in pages():
        count += len(page)
        if count > MAX_FILES:
            raise TooLargeError(f"An archive can have at most {MAX_FILES:,} files; choose some of them.")
        for entry in page:
            member = member_of(entry)
            directory += layout.central_size(member, offset)
            offset += layout.local_size(member)
            see(entry)
    end = layout.end_records(count, offset, directory)
    return Measures(size_bytes=offset + directory + len(end), end=end)


class ArchiveWriter:
    """Gives the bytes of an archive."""

    def __init__(self, stores: ObjectStores, pages: Pages) -> None:
        self._stores = stores
        self._pages = pages

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Give the archive in chunks of bounded size, but for its last bytes (`Measures.end`).

        Raises:
            OSError: An object has not the recorded size.
            NotFoundError: An object is missing.
        """
        unknown = array("L")
        async with aclosing(self._bodies(unknown)) as bodies:
            async for chunk in bodies:
                yield chunk
        offset, learned = 0, iter(unknown)
        block = bytearray()
        async for page in self._pages():
            for entry in page:
                member = member_of(entry)
                crc32 = next(learned) if member.crc32 is None else member.crc32
                block += layout.central_record(member, offset, crc32)
                offset += layout.local_size(member)
                if len(block) >= BLOCK_BYTES:
                    yield bytes(block)
                    block.clear()
        if block:
            yield bytes(block)

    async def _bodies(self, unknown: "array[int]") -> AsyncGenerator[bytes, None]:
        """Give the members; `unknown` takes the checksums that had to be computed, in order."""
        ahead: asyncio.Task[bytes] | None = None
        try:
            async with aclosing(self._batches()) as batches:
                async for batch in batches:
                    reading = asyncio.create_task(self._read(batch)) if isinstance(batch, list) else None
                    if ahead is not None:
                        done, ahead = await ahead, None
                        yield done
                    if isinstance(batch, TreeEntry):
                        async with aclosing(self._member(batch, unknown)) as chunks:
                            async for chunk in chunks:
                                yield chunk
                    ahead = reading
            if ahead is not None:
                yield await ahead
        finally:
            if ahead is not None:
                ahead.cancel()

    async def _batches(self) -> AsyncGenerator[list[TreeEntry] | TreeEntry, None]:
        """Divide the files into batches of small ones, and single ones."""
        batch: list[TreeEntry] = []
        filled = 0
        async for page in self._pages():
            for entry in page:
                size = entry.file.size_bytes
                if size > SMALL_BYTES or entry.file.crc32 is None:
                    if batch:
                        yield batch
                        batch, filled = [], 0
                    yield entry
                    continue
                batch.append(entry)
                filled += size
                if filled >= BATCH_BYTES or len(batch) == BATCH_FILES:
                    yield batch
                    batch, filled = [], 0
        if batch:
            yield batch

    async def _read(self, batch: Sequence[TreeEntry]) -> bytes:
        at = self._stores.at
        bodies = await asyncio.gather(*(at(entry.file.store).get(entry.file.key) for entry in batch))
        parts: list[bytes] = []
        for entry, body in zip(batch, bodies, strict=True):
            _check_size(entry, len(body))
            parts += (layout.local_header(member_of(entry)), body)
        return b"".join(parts)

    async def _member(self, entry: TreeEntry, unknown: "array[int]") -> AsyncGenerator[bytes, None]:
        member = member_of(entry)
        yield layout.local_header(member)
        size = crc32 = 0
        async with aclosing(self._stores.at(entry.file.store).stream(entry.file.key)) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if member.crc32 is None:
                    crc32 = zlib.crc32(chunk, crc32)
                yield chunk
        _check_size(entry, size)
        if member.crc32 is None:
            unknown.append(crc32)
            yield layout.descriptor(member, crc32)


def _check_size(entry: TreeEntry, size_bytes: int) -> None:
    if size_bytes != entry.file.size_bytes:
        difference = abs(size_bytes - entry.file.size_bytes)
        raise OSError(f"The stored object differs from its record by {difference} bytes")
