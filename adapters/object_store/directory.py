"""Objects as files below a directory."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import ParamSpec, TypeVar

from adapters.object_store.disk import Disk
from adapters.object_store.lanes import Lane
from adapters.object_store.reads import GroupedReads
from adapters.object_store.transfers import Download, Upload, head
from application.ports.object_store import StoredObject
from domain.errors import InvalidArgumentError, NotFoundError, TooLargeError

WRITE_BYTES = 1024 * 1024
"""A body goes to the threads that write and hash it in steps of about this size."""
WRITES_AHEAD = 4
"""Steps of one body that are under way; then the sender waits."""
MAX_CHUNKS = 1024
"""Chunks in one step, because a sender could make each of them a single byte."""
LARGE_CHUNK_BYTES = 64 * 1024
"""Chunks that are at least as large on average are not joined before they are written."""
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
        self._reads = GroupedReads(self._pool)

    async def put(self, key: str, data: bytes) -> StoredObject:
        """Store a small object; see the port."""
        upload, lane = Upload(self._disk), Lane(self._pool)
        try:
            return await lane.submit(upload.publish, key, (data,))
        except BaseException:
            await _discard(upload, lane)
            raise

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], *, size_bytes: int | None, limit_bytes: int | None
    ) -> StoredObject:
        """Store a body while it arrives; see the port. Writing and hashing go on beside each other and behind it."""
        self._disk.path(key)
        _check_size(size_bytes or 0, None, limit_bytes)
        upload, writing, hashing = Upload(self._disk), Lane(self._pool), Lane(self._pool)
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
            return await writing.submit(upload.publish, key, _blocks(parts, filled))
        except BaseException:
            for step in chain(*under_way):
                step.add_done_callback(_retrieve)
            await _discard(upload, writing)
            raise

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
                reading.add_done_callback(_retrieve)
                lane.submit(download.close).add_done_callback(_retrieve)

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

    async def close(self) -> None:
        """Wait for what the threads are doing, and end them."""
        closer = ThreadPoolExecutor(1)
        await asyncio.get_running_loop().run_in_executor(closer, self._pool.shutdown)
        closer.shutdown(wait=False)

    async def _run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        return await asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))


def _check_size(received: int, size_bytes: int | None, limit_bytes: int | None) -> None:
    if limit_bytes is not None and received > limit_bytes:
        raise TooLargeError(f"The body is larger than {limit_bytes} bytes.")
    if size_bytes is not None and received > size_bytes:
        raise InvalidArgumentError(f"The body has more than the declared {size_bytes} bytes.")


def _blocks(parts: Sequence[bytes], size_bytes: int) -> Sequence[bytes]:
    """Join small chunks, because a thread gains nothing from them; large ones are not worth a copy."""
    return parts if size_bytes >= len(parts) * LARGE_CHUNK_BYTES else (b"".join(parts),)


async def _discard(upload: Upload, lane: Lane) -> None:
    try:
        discarding = lane.submit(upload.discard)
    except RuntimeError:
        # The store was closed, which has waited for the lane.
        upload.discard()
    else:
        # The file must go even when the caller is cancelled once more.
        await asyncio.shield(discarding)


def _retrieve(future: asyncio.Future[Result]) -> None:
    """Look at the outcome of a call that nobody waits for any more, so that asyncio does not complain."""
    if not future.cancelled():
        future.exception()


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
