"""Reads the stored parts of file trees: checked against their digests, and cached."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

import msgspec

from application.ports.object_store import ObjectStore
from application.tree_cache import ByteBoundedCache
from domain.errors import ArtifactManagerError, NotFoundError
from domain.tree_chunks import TreeChunk, decode_chunk
from domain.trees import ChunkRef, TreeIndex, TreeRoot, decode_index

CHUNK_CACHE_BYTES = 64 * 1024 * 1024
"""Memory for decoded chunks of a process: about 200,000 files."""
INDEX_CACHE_BYTES = 16 * 1024 * 1024
"""Memory for decoded indexes of a process: about 40,000 chunks, 20 million files."""
READ_AHEAD = 8
"""Chunks that one call reads at the same time."""

_KEY_OVERHEAD_BYTES = 200
"""What a file costs in a decoded chunk beside its stored form: key, view, and two list slots."""
_REF_OVERHEAD_BYTES = 300
"""What a chunk costs in a decoded index beside its stored form."""
_EMPTY = TreeIndex()


class DamagedTreeError(ArtifactManagerError):
    """A part of a file tree is missing or was changed in the object store."""

    code: ClassVar[str] = "damaged_tree"

    def __init__(self) -> None:
        super().__init__("The list of files of this version is damaged in the object store.")


class TreeReader:
    """Gives decoded indexes and chunks."""

    def __init__(self, objects: ObjectStore, *, chunk_cache_bytes: int, index_cache_bytes: int) -> None:
        self._objects = objects
        self._chunks: ByteBoundedCache[TreeChunk] = ByteBoundedCache(chunk_cache_bytes)
        self._indexes: ByteBoundedCache[TreeIndex] = ByteBoundedCache(index_cache_bytes)

    async def index(self, root: TreeRoot | None) -> TreeIndex:
        """Read the index of a tree; None is the empty tree.

        Raises:
            DamagedTreeError: The object is missing or was changed.
        """
        if root is None:
            return _EMPTY
        index = self._indexes.get(root.sha256)
        if index is None:
            data = await self._read(root.key, 0, None, root.sha256)
            try:
                index = decode_index(data)
            except msgspec.DecodeError as error:
                raise DamagedTreeError from error
            self._indexes.put(root.sha256, index, len(data) + _REF_OVERHEAD_BYTES * len(index.chunks))
        return index

    async def chunk(self, ref: ChunkRef) -> TreeChunk:
        """Read one chunk.

        Raises:
            DamagedTreeError: The object is missing or was changed.
        """
        chunk = self._chunks.get(ref.sha256)
        if chunk is None:
            data = await self._read(ref.object_key, ref.offset, ref.length, ref.sha256)
            try:
                chunk = decode_chunk(data)
            except msgspec.DecodeError as error:
                raise DamagedTreeError from error
            self._chunks.put(ref.sha256, chunk, len(data) + _KEY_OVERHEAD_BYTES * len(chunk.keys))
        return chunk

    async def chunks(self, refs: Sequence[ChunkRef]) -> AsyncIterator[tuple[ChunkRef, TreeChunk]]:
        """Read chunks in the given order, a few at the same time."""
        for start in range(0, len(refs), READ_AHEAD):
            batch = refs[start : start + READ_AHEAD]
            for ref, chunk in zip(batch, await asyncio.gather(*map(self.chunk, batch)), strict=True):
                yield ref, chunk

    async def _read(self, key: str, offset: int, length: int | None, sha256: bytes) -> bytes:
        try:
            data = await self._objects.get(key, start=offset, length=length)
        except NotFoundError as error:
            raise DamagedTreeError from error
        if hashlib.sha256(data).digest() != sha256:
            raise DamagedTreeError
        return data
