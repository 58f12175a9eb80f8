"""Objects as files below a directory."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog

from adapters.object_store.disk import DamagedObjectError, Disk
from adapters.object_store.intake import discard, receive, retrieve
from adapters.object_store.lanes import Lane
from adapters.object_store.multipart import MultipartUploads
from adapters.object_store.reads import GroupedReads
from adapters.object_store.transfers import Download, Upload, head
from application.ports.object_store import PendingObject, StoredObject, StoredPart
from domain.errors import NotFoundError

READ_CHUNK_BYTES = 512 * 1024
"""Size of the chunks that are read, one ahead of the one that leaves."""
MAX_THREADS = 16
"""Disk accesses at the same time; further ones wait."""

_logger = structlog.get_logger()
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class DirectoryObjectStore:
    """An `ObjectStore` in a directory of one machine.

    Files are synced before they get their name, and names before a call returns. The checksums stand in a trailer of
    each file, so `head` and `list` know them. Directories that become empty are removed.
    """

    def __init__(self, root: Path) -> None:
        self._disk = Disk(root)
        self._pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="object-store")
        self._reads = GroupedReads(self._pool)
        self._uploads = MultipartUploads(self._disk, self._pool)

    async def put(self, key: str, data: bytes) -> StoredObject:
        """Store a small object; see the port."""
        upload, lane = Upload(self._disk), Lane(self._pool)
        try:
            return await lane.submit(upload.publish, key, (data,))
        except BaseException:
            await discard(upload, lane)
            raise

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], *, size_bytes: int | None, limit_bytes: int | None
    ) -> StoredObject:
        """Store a body while it arrives; see the port. Writing and hashing go on beside each other and behind it."""
        self._disk.path(key)
        return await receive(
            self._pool,
            Upload(self._disk),
            lambda upload, blocks: upload.publish(key, blocks),
            chunks,
            size_bytes=size_bytes,
            limit_bytes=limit_bytes,
        )

    async def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Read a part of an object into memory; see the port."""
        return await self._reads.read(partial(_read, self._disk.path(key), key, start, length))

    async def stream(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read a part of an object in chunks; see the port."""
        download, lane = Download(self._disk.path(key), key, start, length, READ_CHUNK_BYTES), Lane(self._pool)
        reading = lane.submit(download.read)
        try:
            while data := await reading:
                if not download.is_over:
                    reading = lane.submit(download.read)
                    yield data
                else:
                    yield data
                    return
        finally:
            if not download.is_over:
                reading.add_done_callback(retrieve)
                lane.submit(download.close).add_done_callback(retrieve)

    async def head(self, key: str) -> StoredObject | None:
        """Look an object up; see the port."""
        try:
            return await self._run(head, self._disk.path(key), key)
        except NotFoundError:
            return None

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Sequence[StoredObject]:
        """List objects in key order; see the port."""
        return await self._run(_list, self._disk, prefix, after, limit)

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; see the port."""
        await self._run(_delete, self._disk, [self._disk.path(key) for key in keys])

    async def create_multipart(self, key: str) -> str:
        """Begin an object that is uploaded in parts; see the port."""
        return await self._uploads.create(key)

    async def put_part(
        self,
        key: str,
        upload_id: str,
        part_number: int,
        chunks: AsyncIterator[bytes],
        *,
        size_bytes: int | None,
        limit_bytes: int | None,
    ) -> StoredPart:
        """Store a part while it arrives; see the port."""
        return await self._uploads.put(
            key, upload_id, part_number, chunks, size_bytes=size_bytes, limit_bytes=limit_bytes
        )

    async def list_parts(self, key: str, upload_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[StoredPart]:
        """List parts by number; see the port."""
        return await self._uploads.parts(key, upload_id, after, limit)

    async def complete_multipart(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> StoredObject:
        """Make an object of parts; see the port."""
        return await self._uploads.complete(key, upload_id, parts)

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        """End an upload and remove its parts; see the port."""
        await self._uploads.abort(key, upload_id)

    async def list_multipart(self, *, after: PendingObject | None = None, limit: int = 1000) -> Sequence[PendingObject]:
        """List the uploads that are not over; see the port."""
        return await self._uploads.pending(after, limit)

    async def close(self) -> None:
        """Wait for what the threads are doing, and end them."""
        closer = ThreadPoolExecutor(1)
        await asyncio.get_running_loop().run_in_executor(closer, self._pool.shutdown)
        closer.shutdown(wait=False)

    async def _run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        return await asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))


def _read(path: Path, key: str, start: int, length: int | None) -> bytes:
    download = Download(path, key, start, length, chunk_bytes=None)
    try:
        return download.read()
    finally:
        download.close()


def _delete(disk: Disk, paths: Sequence[Path]) -> None:
    for path in paths:
        disk.remove(path)


def _list(disk: Disk, prefix: str, after: str, limit: int) -> Sequence[StoredObject]:
    found: list[StoredObject] = []
    base, slash, _ = prefix.rpartition("/")
    start = disk.path(base) if slash else disk.objects
    for key, path in _keys(start, base + slash, prefix, after):
        if len(found) >= limit:
            break
        try:
            found.append(head(path, key))
        except NotFoundError:
            # It was deleted since its directory was read.
            continue
        except DamagedObjectError:
            # Whoever reads it is refused. In a list it must not hide all that comes after it.
            _logger.error("damaged_object", path=str(path))
            continue
    return found


def _keys(directory: Path, base: str, prefix: str, after: str) -> Iterator[tuple[str, Path]]:
    """Walk a directory in key order; what lies before `after` or outside the prefix is not entered."""
    try:
        with os.scandir(directory) as entries:
            # Chosen before they are sorted, because a page may need few of a million directories.
            names = sorted(
                name
                for name in (entry.name + "/" * entry.is_dir() for entry in entries)
                if _is_sought(base + name, prefix, after)
            )
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        key = base + name
        if name.endswith("/"):
            yield from _keys(directory / name, key, prefix, after)
        else:
            yield key, directory / name


def _is_sought(key: str, prefix: str, after: str) -> bool:
    """Tell whether a key, or any key below one that ends in a slash, has a prefix and comes after another."""
    if key.endswith("/"):
        return (key.startswith(prefix) or prefix.startswith(key)) and (key > after or after.startswith(key))
    return key.startswith(prefix) and key > after
