"""Indexes of archives: built once, kept as objects, read in small parts.

An index is derived from the bytes of its archive alone, so it can be thrown away at any time.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import ParamSpec, TypeVar
from uuid import UUID

import msgspec
import structlog

from application.ports.object_stores import ObjectStores
from application.tree_cache import ByteBoundedCache
from application.zips.entries import SEPARATOR, Entry, key_of_path
from application.zips.index_format import (
    IndexRoot,
    Level,
    decode_chunk,
    decode_root,
    encode_root,
    find_entry,
    index_prefix,
)
from application.zips.locate import TAIL_BYTES, find_directory
from application.zips.parsing import DirectoryParser
from domain.errors import NotFoundError, UnavailableError, UnreadableArchiveError
from domain.stage.events import StoredFile

ROOT_CACHE_BYTES = 32 * 1024 * 1024
CHUNK_CACHE_BYTES = 16 * 1024 * 1024
"""Memory of a process for roots and chunks of indexes; a root for a million members takes about 300 KB."""
BUILDS = 2
"""Indexes built at the same time; others wait."""
BUILD_SECONDS = 900.0
"""A build that takes longer is given up; the largest directory takes about a minute."""
THREADS = 4
"""Threads that read directories and inflate members, apart from those of the store."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_log = structlog.get_logger()


class ArchiveIndex(msgspec.Struct, frozen=True, kw_only=True):
    """The index of one archive, ready to be asked."""

    prefix: str
    root: IndexRoot


class ZipIndexes:
    """Finds members of archives. One per process, used from its event loop alone."""

    def __init__(
        self,
        stores: ObjectStores,
        *,
        root_cache_bytes: int = ROOT_CACHE_BYTES,
        chunk_cache_bytes: int = CHUNK_CACHE_BYTES,
    ) -> None:
        self._stores = stores
        # Indexes lie in the service's own store, wherever their archives are.
        self._objects = stores.at(None)
        self._roots: ByteBoundedCache[IndexRoot] = ByteBoundedCache(root_cache_bytes)
        self._chunks: ByteBoundedCache[list[bytes]] = ByteBoundedCache(chunk_cache_bytes)
        self._under_way: dict[str, asyncio.Task[IndexRoot]] = {}
        self._slots = asyncio.Semaphore(BUILDS)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="zip")

    async def open(self, artifact_id: UUID, archive: StoredFile) -> ArchiveIndex:
        """Give the index of an archive; the first who asks has it built, and all who ask meanwhile wait for that.

        Raises:
            UnreadableArchiveError: This is no archive that can be read; the text says why.
            UnavailableError: Building it took too long.
        """
        prefix = index_prefix(artifact_id, archive)
        root = self._roots.get(prefix.encode())
        if root is None:
            task = self._under_way.get(prefix)
            if task is None:
                task = asyncio.create_task(self._load(prefix, archive), name="zip-index")
                self._under_way[prefix] = task
                task.add_done_callback(lambda done: self._ended(prefix, done))
            # Who goes away does not take the index from those who wait.
            root = await asyncio.shield(task)
        if root.refusal is not None:
            raise UnreadableArchiveError(root.refusal)
        return ArchiveIndex(prefix=prefix, root=root)

    async def find(self, index: ArchiveIndex, path: str) -> Entry | None:
        """Look a member up by its path.

        Raises:
            UnavailableError: A part of the index was lost; it will be built anew.
        """
        key = key_of_path(path)
        if not index.root.firsts:
            return None
        return find_entry(await self._chunk(index, index.root.place(key + b"\0")), key)

    async def list_directory(
        self, index: ArchiveIndex, directory: str
    ) -> AsyncGenerator[list[tuple[str, Entry | None]], None]:
        """List one directory by name, in pages; None stands for a sub-directory. An unknown one is empty.

        Raises:
            UnavailableError: A part of the index was lost; it will be built anew.
        """
        level = Level(key_of_path(directory) + SEPARATOR if directory else b"")
        at = -1
        while level.sought is not None:
            at = max(index.root.place(level.sought), at + 1)
            if at >= len(index.root.firsts):
                return
            yield level.take(await self._chunk(index, at))

    async def run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Run what blocks or computes for long in one of the threads."""
        return await asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))

    async def close(self) -> None:
        """Give up what is being built, and end the threads."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        closer = ThreadPoolExecutor(1)
        await asyncio.get_running_loop().run_in_executor(closer, self._pool.shutdown)
        closer.shutdown(wait=False)

    def _ended(self, prefix: str, task: "asyncio.Task[IndexRoot]") -> None:
        del self._under_way[prefix]
        if not task.cancelled() and task.exception() is None:
            root = task.result()
            self._roots.put(prefix.encode(), root, root.memory_bytes)

    async def _load(self, prefix: str, archive: StoredFile) -> IndexRoot:
        try:
            return decode_root(await self._objects.get(f"{prefix}/root"))
        except NotFoundError:
            pass
        except msgspec.DecodeError:
            await self._discard(prefix)
        async with self._slots:
            try:
                async with asyncio.timeout(BUILD_SECONDS):
                    return await self._build(prefix, archive)
            except TimeoutError:
                raise UnavailableError("The directory of the ZIP file could not be read in time.") from None

    async def _build(self, prefix: str, archive: StoredFile) -> IndexRoot:
        try:
            root = await self._parse(prefix, archive)
        except UnreadableArchiveError as error:
            # Kept as well, so that a large archive is refused without being read again.
            root = IndexRoot(refusal=error.detail)
        await self._objects.put(f"{prefix}/root", encode_root(root))
        return root

    async def _parse(self, prefix: str, archive: StoredFile) -> IndexRoot:
        size = archive.size_bytes
        archives = self._stores.at(archive.store)
        tail = await archives.get(archive.key, start=max(size - TAIL_BYTES, 0), length=min(size, TAIL_BYTES))
        directory = find_directory(tail, size)
        with DirectoryParser(directory) as parser:
            if directory.size_bytes:
                pieces = archives.stream(archive.key, start=directory.offset, length=directory.size_bytes)
                async with aclosing(pieces):
                    async for piece in pieces:
                        await self.run(parser.feed, piece)
            await self.run(parser.finish)

            async def blocks() -> AsyncIterator[bytes]:
                while block := await self.run(parser.next_block):
                    yield block

            await self._objects.put_stream(f"{prefix}/chunks", blocks(), size_bytes=None, limit_bytes=None)
            table = parser.table
            return IndexRoot(
                directory_offset=directory.offset,
                left_out=parser.left_out,
                firsts=table.firsts,
                offsets=table.offsets,
                checksums=table.checksums,
            )

    async def _chunk(self, index: ArchiveIndex, at: int) -> list[bytes]:
        name = f"{index.prefix}/{at}".encode()
        chunk = self._chunks.get(name)
        if chunk is not None:
            return chunk
        root = index.root
        start, end = root.offsets[at], root.offsets[at + 1]
        try:
            data = await self._objects.get(f"{index.prefix}/chunks", start=start, length=end - start)
            if zlib.crc32(data) == root.checksums[at]:
                chunk = decode_chunk(data)
        except (NotFoundError, msgspec.DecodeError):
            chunk = None
        if chunk is None:
            _log.warning("zip_index_lost", index=index.prefix)
            await self._discard(index.prefix)
            raise UnavailableError("The index of the ZIP file was lost; try again, and it is built anew.")
        self._chunks.put(name, chunk, len(data) + 60 * len(chunk))
        return chunk

    async def _discard(self, prefix: str) -> None:
        self._roots.drop(prefix.encode())
        await self._objects.delete([f"{prefix}/root", f"{prefix}/chunks"])
