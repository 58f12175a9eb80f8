"""Objects as files below a directory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from adapters.object_store.disk import Disk
from adapters.object_store.transfers import Download, Upload, head
from application.ports.object_store import StoredObject
from domain.errors import InvalidArgumentError, NotFoundError, TooLargeError

WRITE_BLOCK_BYTES = 1024 * 1024
"""A body is written and hashed in blocks of about this size, one behind the one that arrives."""
READ_CHUNK_BYTES = 512 * 1024
"""Size of the chunks that are read, one ahead of the one that leaves."""
MAX_THREADS = 16
"""Disk accesses at the same time; further ones wait."""

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

    async def put(self, key: str, data: bytes) -> StoredObject:
        """Store a small object; see the port."""
        upload = Upload(self._disk)
        try:
            return await self._submit(upload.publish, key, (data,))
        except BaseException:
            await self._abandon(upload, None)
            raise

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], *, size_bytes: int | None, limit_bytes: int | None
    ) -> StoredObject:
        """Store a body while it arrives; see the port."""
        if size_bytes is not None and limit_bytes is not None and size_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        self._disk.path(key)
        upload = Upload(self._disk)
        block: list[bytes] = []
        block_bytes = received = 0
        writing: asyncio.Future[None] | None = None
        try:
            async for chunk in chunks:
                received += len(chunk)
                if limit_bytes is not None and received > limit_bytes:
                    raise _too_large(limit_bytes)
                if size_bytes is not None and received > size_bytes:
                    raise InvalidArgumentError(f"The body has more than the declared {size_bytes} bytes.")
                block.append(chunk)
                block_bytes += len(chunk)
                if block_bytes >= WRITE_BLOCK_BYTES:
                    if writing is not None:
                        await writing
                    writing = self._submit(upload.write, block)
                    block, block_bytes = [], 0
            if size_bytes is not None and received < size_bytes:
                raise InvalidArgumentError(f"The body has {received} bytes instead of the declared {size_bytes}.")
            if writing is not None:
                await writing
            return await self._submit(upload.publish, key, block)
        except BaseException:
            await self._abandon(upload, writing)
            raise

    async def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Read a part of an object into memory; see the port."""
        return await self._submit(_read, self._disk.path(key), key, start, length)

    async def stream(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Read a part of an object in chunks; see the port."""
        download = Download(self._disk.path(key), key, start, length, READ_CHUNK_BYTES)
        reading = self._submit(download.read)
        try:
            while data := await reading:
                if download.is_over:
                    yield data
                    return
                reading = self._submit(download.read)
                yield data
        finally:
            if not download.is_over:
                # Nobody waits for a chunk that was read ahead for nobody, nor for the file to close behind it.
                reading.add_done_callback(_retrieve)
                self._submit(download.close).add_done_callback(_retrieve)

    async def head(self, key: str) -> StoredObject | None:
        """Look an object up; see the port."""
        try:
            return await self._submit(head, self._disk.path(key), key)
        except NotFoundError:
            return None

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Sequence[StoredObject]:
        """List objects in key order; see the port."""
        return await self._submit(_list, self._disk, prefix, after, limit)

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; see the port."""
        await self._submit(_delete, self._disk, [self._disk.path(key) for key in keys])

    async def close(self) -> None:
        """Wait for what the threads are doing, and end them."""
        closer = ThreadPoolExecutor(1)
        await asyncio.get_running_loop().run_in_executor(closer, self._pool.shutdown)
        closer.shutdown(wait=False)

    def _submit(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> asyncio.Future[Result]:
        return asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))

    async def _abandon(self, upload: Upload, writing: asyncio.Future[None] | None) -> None:
        if writing is not None:
            writing.add_done_callback(_retrieve)
        # The file must go even when the caller is cancelled once more.
        await asyncio.shield(self._submit(upload.discard))


def _too_large(limit_bytes: int) -> TooLargeError:
    return TooLargeError(f"The body is larger than {limit_bytes} bytes.")


def _retrieve(future: asyncio.Future[Result]) -> None:
    """Look at the outcome of a call that nobody waits for any more, so that asyncio does not complain."""
    if not future.cancelled():
        future.exception()


def _read(path: Path, key: str, start: int, length: int | None) -> bytes:
    download = Download(path, key, start, length, chunk_bytes=2**62 if length is None else length)
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
    return found


def _keys(directory: Path, base: str, prefix: str, after: str) -> Iterator[tuple[str, Path]]:
    """Walk a directory in key order; what lies before `after` or outside the prefix is not entered."""
    try:
        entries = sorted((entry.name + "/" * entry.is_dir(), entry) for entry in directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for name, path in entries:
        key = base + name
        if not name.endswith("/"):
            if key.startswith(prefix) and key > after:
                yield key, path
        elif (key.startswith(prefix) or prefix.startswith(key)) and (key > after or after.startswith(key)):
            yield from _keys(path, key, prefix, after)
