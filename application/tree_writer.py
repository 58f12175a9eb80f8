"""Writes a changed file tree: the chunks that are new, and an index of all."""

import asyncio
import hashlib
from collections.abc import Collection, Mapping

from application.ports.object_store import ObjectStore
from application.tree_reader import READ_AHEAD, TreeReader
from domain.stage.events import StoredFile
from domain.tree_changes import Growth, KeepChunk, ReadChunk, WriteChunk, rewrite, touched
from domain.tree_chunks import TreeChunk
from domain.trees import ChunkRef, TreeIndex, TreeRoot

CHUNK_OBJECT_BYTES = 32 * 1024 * 1024
"""A commit writes its new chunks as one object, and begins another above this size, so that its memory is bounded."""


async def commit_tree(
    objects: ObjectStore,
    reader: TreeReader,
    base: TreeRoot | None,
    prefix: str,
    upserts: Mapping[str, StoredFile],
    removals: Collection[str],
) -> TreeRoot | None:
    """Store the tree that results from changes of a base; see `FileTrees.commit`."""
    index = await reader.index(base)
    layout = _Layout(objects, prefix)
    growth = await _run(reader, index, upserts, removals, layout)
    chunks = await layout.finish()
    if not chunks:
        return None
    if base is not None and chunks == index.chunks:
        return base
    return await _store_index(objects, prefix, TreeIndex(chunks=chunks), base, growth)


async def _run(
    reader: TreeReader,
    index: TreeIndex,
    upserts: Mapping[str, StoredFile],
    removals: Collection[str],
    layout: "_Layout",
) -> Growth:
    upcoming = touched(index, [*upserts, *removals])
    fetched: dict[bytes, TreeChunk] = {}
    steps = rewrite(index, upserts, removals)
    answer: TreeChunk | None = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            growth: Growth = end.value
            return growth
        answer = None
        if isinstance(step, ReadChunk):
            if step.ref.sha256 not in fetched:
                upcoming = [ref for ref in upcoming if ref.first > step.ref.first]
                batch = [step.ref, *upcoming[: READ_AHEAD - 1]]
                fetched = {ref.sha256: chunk async for ref, chunk in reader.chunks(batch)}
            answer = fetched[step.ref.sha256]
        elif isinstance(step, KeepChunk):
            layout.keep(step.ref)
        else:
            await layout.write(step)


async def _store_index(
    objects: ObjectStore, prefix: str, index: TreeIndex, base: TreeRoot | None, growth: Growth
) -> TreeRoot:
    data = index.encode()
    digest = hashlib.sha256(data)
    key = f"{prefix}/tree/{digest.hexdigest()}"
    await objects.put(key, data)
    return TreeRoot(
        key=key,
        sha256=digest.digest(),
        file_count=growth.file_count + (base.file_count if base else 0),
        size_bytes=growth.size_bytes + (base.size_bytes if base else 0),
    )


class _Layout:
    """Collects the chunks of the new tree in order, and stores the new ones behind one another."""

    def __init__(self, objects: ObjectStore, prefix: str) -> None:
        self._objects = objects
        self._prefix = prefix
        self._refs: list[ChunkRef] = []
        self._unplaced: list[tuple[int, WriteChunk, bytes]] = []
        self._unplaced_bytes = 0

    def keep(self, ref: ChunkRef) -> None:
        """Append a chunk that is stored already."""
        self._refs.append(ref)

    async def write(self, chunk: WriteChunk) -> None:
        """Append a new chunk."""
        self._unplaced.append((len(self._refs), chunk, hashlib.sha256(chunk.data).digest()))
        self._refs.append(ChunkRef(chunk.first, chunk.last, chunk.count, "", 0, 0, b""))
        self._unplaced_bytes += len(chunk.data)
        if self._unplaced_bytes >= CHUNK_OBJECT_BYTES:
            await self._store()
        else:
            # Encoding never waits for anything, so others get their turn between two chunks.
            await asyncio.sleep(0)

    async def finish(self) -> tuple[ChunkRef, ...]:
        """Store what is left, and give all chunks."""
        if self._unplaced:
            await self._store()
        return tuple(self._refs)

    async def _store(self) -> None:
        # The digest of the digests names the content as well as its own would, and costs nothing.
        name = hashlib.sha256(b"".join(digest for _, _, digest in self._unplaced)).hexdigest()
        key = f"{self._prefix}/tree/{name}"
        offset = 0
        for place, chunk, digest in self._unplaced:
            length = len(chunk.data)
            self._refs[place] = ChunkRef(chunk.first, chunk.last, chunk.count, key, offset, length, digest)
            offset += length
        await self._objects.put(key, b"".join(chunk.data for _, chunk, _ in self._unplaced))
        self._unplaced, self._unplaced_bytes = [], 0
