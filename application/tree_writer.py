"""Writes a changed file tree: the chunks that are new, and an index of all."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from itertools import chain, islice

import msgspec

from application.ports.object_store import ObjectStore
from application.tree_reader import READ_AHEAD, TreeReader
from domain.stage.events import StoredFile
from domain.tree_changes import Growth, KeepChunk, ReadChunk, WriteChunk, rewrite, touched
from domain.tree_chunks import TreeChunk
from domain.trees import INDEX_FORMAT, ChunkRef, TreeIndex, TreeRoot

_HASHED_AT_ONCE = 1000


async def commit_tree(
    objects: ObjectStore,
    reader: TreeReader,
    base: TreeRoot | None,
    prefix: str,
    upserts: Mapping[str, StoredFile],
    removals: Collection[str],
) -> TreeRoot | None:
    """Store the tree that results from changes of a base; see `FileTrees.commit`."""
    writer = _Writer(reader, await reader.index(base), f"{prefix}/tree/{_name(base, upserts, removals)}")
    async with aclosing(writer.new_chunks(upserts, removals)) as chunks:
        first = await anext(chunks, None)
        if first is not None:
            await objects.put_stream(writer.object_key, _behind(first, chunks), size_bytes=None, limit_bytes=None)
    if not writer.refs:
        return None
    index = TreeIndex(chunks=tuple(writer.refs))
    if base is not None and index == writer.index:
        return base
    data = index.encode()
    digest = hashlib.sha256(data)
    root = TreeRoot(
        key=f"{prefix}/tree/{digest.hexdigest()}",
        sha256=digest.digest(),
        file_count=writer.growth.file_count + (base.file_count if base else 0),
        size_bytes=writer.growth.size_bytes + (base.size_bytes if base else 0),
    )
    await objects.put(root.key, data)
    return root


class _Writer:
    """Collects the chunks of the new tree in order, and where each lies."""

    def __init__(self, reader: TreeReader, index: TreeIndex, object_key: str) -> None:
        self.index = index
        self.object_key = object_key
        self.refs: list[ChunkRef] = []
        self.growth = Growth(0, 0)
        self._reader = reader
        self._offset = 0
        self._fetched: dict[bytes, TreeChunk] = {}

    async def new_chunks(
        self, upserts: Mapping[str, StoredFile], removals: Collection[str]
    ) -> AsyncGenerator[bytes, None]:
        """Give the stored form of the chunks that are new, which lie behind one another in one object."""
        upcoming = touched(self.index, chain(upserts, removals))
        steps = rewrite(self.index, upserts, removals)
        answer: TreeChunk | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                self.growth = end.value
                return
            answer = None
            if isinstance(step, ReadChunk):
                answer = await self._chunk(step.ref, upcoming)
            elif isinstance(step, KeepChunk):
                self.refs.append(step.ref)
            else:
                self._place(step)
                yield step.data
                # Others get their turn: neither encoding nor a store that has room waits for anything.
                await asyncio.sleep(0)

    async def _chunk(self, ref: ChunkRef, upcoming: list[ChunkRef]) -> TreeChunk:
        if ref.sha256 not in self._fetched:
            later = [other for other in upcoming if other.first > ref.first]
            batch = [ref, *later[: READ_AHEAD - 1]]
            upcoming[:] = later[READ_AHEAD - 1 :]
            self._fetched = {other.sha256: chunk async for other, chunk in self._reader.chunks(batch)}
        return self._fetched[ref.sha256]

    def _place(self, chunk: WriteChunk) -> None:
        length = len(chunk.data)
        sha256 = hashlib.sha256(chunk.data).digest()
        ref = ChunkRef(chunk.first, chunk.last, chunk.count, self.object_key, self._offset, length, sha256)
        self.refs.append(ref)
        self._offset += length


async def _behind(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield first
    async for chunk in rest:
        yield chunk


def _name(base: TreeRoot | None, upserts: Mapping[str, StoredFile], removals: Collection[str]) -> str:
    """Name the new chunks by what determines them, because their object is written before all of them are known."""
    digest = hashlib.sha256()
    encode = msgspec.msgpack.Encoder().encode
    digest.update(encode((INDEX_FORMAT, base, sorted(removals))))
    changes = ((path, upserts[path]) for path in sorted(upserts))
    while batch := list(islice(changes, _HASHED_AT_ONCE)):
        digest.update(encode(batch))
    return digest.hexdigest()
