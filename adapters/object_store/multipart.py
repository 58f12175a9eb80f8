"""Objects that are uploaded in parts, in a directory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from adapters.object_store import part_files
from adapters.object_store.assembly import Assembly
from adapters.object_store.disk import Disk
from adapters.object_store.intake import discard, receive, retrieve
from adapters.object_store.lanes import Lane
from adapters.object_store.transfers import Upload
from application.ports.object_store import PendingObject, StoredObject, StoredPart

MAX_ASSEMBLIES = 2
"""Objects that are being made of parts at the same time; they copy as fast as the disk, so more would gain nothing."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class MultipartUploads:
    """The multipart half of the directory store; the port says what each call does."""

    def __init__(self, disk: Disk, pool: ThreadPoolExecutor) -> None:
        self._disk = disk
        self._pool = pool
        self._assemblies = asyncio.Semaphore(MAX_ASSEMBLIES)
        part_files.remove_leftovers(disk)

    async def create(self, key: str) -> str:
        """Begin an upload and give its id."""
        return await self._run(part_files.create, self._disk, key)

    async def put(
        self,
        key: str,
        upload_id: str,
        part_number: int,
        chunks: AsyncIterator[bytes],
        *,
        size_bytes: int | None,
        limit_bytes: int | None,
    ) -> StoredPart:
        """Store a part while it arrives."""
        path = part_files.part_path(await self._run(part_files.find, self._disk, key, upload_id), part_number)
        return await receive(
            self._pool,
            Upload(self._disk, hashlib.md5(usedforsecurity=False)),
            lambda upload, blocks: upload.publish_part(path, blocks, part_number),
            chunks,
            size_bytes=size_bytes,
            limit_bytes=limit_bytes,
        )

    async def parts(self, key: str, upload_id: str, after: int, limit: int) -> Sequence[StoredPart]:
        """List parts by number."""
        return await self._run(part_files.parts_of, self._disk, key, upload_id, after, limit)

    async def complete(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> StoredObject:
        """Make an object of parts, hashing behind the copying; both let others have their turn at each step."""
        async with self._assemblies:
            copying, hashing = Lane(self._pool), Lane(self._pool)
            assembly = Assembly(self._disk, key, upload_id, parts)
            hashed: asyncio.Future[None] | None = None
            try:
                while (copied := await copying.submit(assembly.copy)) is not None:
                    if hashed is not None:
                        await hashed
                    hashed = hashing.submit(assembly.hash, copied)
                if hashed is not None:
                    await hashed
                stored = await copying.submit(assembly.publish)
            except BaseException:
                if hashed is not None:
                    hashed.add_done_callback(retrieve)
                await discard(assembly, copying)
                raise
        await self.abort(key, upload_id)
        return stored

    async def abort(self, key: str, upload_id: str) -> None:
        """End an upload and remove its parts."""
        await self._run(part_files.remove, self._disk, key, upload_id)

    async def pending(self, after: PendingObject | None, limit: int) -> Sequence[PendingObject]:
        """List the uploads that are not over."""
        return await self._run(part_files.pending, self._disk, after, limit)

    async def _run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        return await asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))
