"""File trees in an object store: commit, look up, list, walk, compare."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing

import msgspec

from application.ports.object_store import ObjectStore
from application.tree_listing import DirEntry, Overlay, list_level
from application.tree_reader import CHUNK_CACHE_BYTES, INDEX_CACHE_BYTES, TreeReader
from application.tree_writer import commit_tree
from domain.paths import ancestors
from domain.stage.events import StoredFile
from domain.tree_chunks import TreeEntry, decode_file
from domain.trees import ChunkRef, TreeRoot, below, order_key, path_of


class FileChange(msgspec.Struct, frozen=True):
    """What became of one path between two trees; `before` is None when it was added, `after` when it was removed."""

    path: str
    before: StoredFile | None
    after: StoredFile | None


class FileTrees:
    """Reads and writes file trees. A root of None is the empty tree.

    Everything that is read may raise `DamagedTreeError`, and `UnavailableError` from the object store.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        chunk_cache_bytes: int = CHUNK_CACHE_BYTES,
        index_cache_bytes: int = INDEX_CACHE_BYTES,
    ) -> None:
        self._objects = objects
        self._reader = TreeReader(objects, chunk_cache_bytes=chunk_cache_bytes, index_cache_bytes=index_cache_bytes)

    async def commit(
        self, base: TreeRoot | None, prefix: str, upserts: Mapping[str, StoredFile], removals: Collection[str]
    ) -> TreeRoot | None:
        """Store the tree that results from changes of a base, durable when this returns.

        Only the chunks into which changes fall are read and written; the others are shared with the base. New objects
        lie below `prefix`, named by their content, so running this twice changes nothing. A path that is both removed
        and put is put; removing a path that is not there changes nothing. Gives None for an empty tree.

        Raises:
            InvalidPathError: A path would be both a file and a directory. Its text names both.
            StorageFullError: The store is full.
        """
        return await commit_tree(self._objects, self._reader, base, prefix, upserts, removals)

    async def lookup(self, root: TreeRoot | None, path: str) -> StoredFile | None:
        """Find one file; None if there is none."""
        return (await self.lookup_many(root, (path,))).get(path)

    async def lookup_many(self, root: TreeRoot | None, paths: Iterable[str]) -> dict[str, StoredFile]:
        """Find files; paths that do not exist are left out."""
        index = await self._reader.index(root)
        wanted: dict[int, list[str]] = {}
        for path in paths:
            key = order_key(path)
            place = index.position(key)
            if place < len(index.chunks) and index.chunks[place].first <= key:
                wanted.setdefault(place, []).append(path)
        found: dict[str, StoredFile] = {}
        refs = {index.chunks[place]: keys for place, keys in sorted(wanted.items())}
        async for ref, chunk in self._reader.chunks(list(refs)):
            for path in refs[ref]:
                file = chunk.find(order_key(path))
                if file is not None:
                    found[path] = file
        return found

    async def list_directory(
        self,
        root: TreeRoot | None,
        directory: str,
        *,
        limit: int | None = None,
        offset: int = 0,
        after: str = "",
        overlay_upserts: Mapping[str, StoredFile] | None = None,
        overlay_removed: Collection[str] = (),
    ) -> list[DirEntry]:
        """List the files and sub-directories of one directory by name; a directory that does not exist is empty.

        `directory` is relative to the root, which is the empty text. Whole sub-directories are skipped, not read.
        `after` continues behind a name at the cost of one page, `offset` at the cost of what it skips. The overlay is
        what a stage puts and removes: the listing is that of the tree after its commit.
        """
        if limit is not None and limit <= 0:
            return []
        index = await self._reader.index(root)
        overlay = Overlay(directory, overlay_upserts or {}, overlay_removed)
        entries: list[DirEntry] = []
        async with aclosing(list_level(self._reader, index, directory, overlay, after=after)) as names:
            async for entry in names:
                if offset:
                    offset -= 1
                    continue
                entries.append(entry)
                if len(entries) == limit:
                    break
        return entries

    async def walk(
        self, root: TreeRoot | None, *, directory: str = "", after: str = "", limit: int | None = None
    ) -> AsyncIterator[list[TreeEntry]]:
        """Give all files below a directory in the order of the tree, in pages of at most one chunk.

        `after` is a path behind which to begin; `limit` bounds the number of files in all pages together.
        """
        index = await self._reader.index(root)
        prefix = below(directory)
        start = max(prefix, f"{order_key(after)}\0" if after else "")
        left = limit
        refs = index.within(prefix, start)
        async for _, chunk in self._reader.chunks(refs if limit is None else _enough(refs, limit)):
            page = [chunk.entry(at) for at in chunk.span(prefix, start)[:left]]
            if page:
                yield page
            if left is not None:
                left -= len(page)
                if left <= 0:
                    return

    async def diff(self, before: TreeRoot | None, after: TreeRoot | None) -> AsyncIterator[FileChange]:
        """Give the paths whose files differ, in the order of the tree; chunks that both trees share are not read."""
        old, new = await self._reader.index(before), await self._reader.index(after)
        shared = {ref.sha256 for ref in old.chunks} & {ref.sha256 for ref in new.chunks}
        left = self._files([ref for ref in old.chunks if ref.sha256 not in shared])
        right = self._files([ref for ref in new.chunks if ref.sha256 not in shared])
        one, two = await anext(left, None), await anext(right, None)
        while one or two:
            key = min(item[0] for item in (one, two) if item)
            was = is_now = None
            if one and one[0] == key:
                was = decode_file(one[1])
                one = await anext(left, None)
            if two and two[0] == key:
                is_now = decode_file(two[1])
                two = await anext(right, None)
            if was != is_now:
                yield FileChange(path_of(key), was, is_now)

    async def find_conflict(
        self, root: TreeRoot | None, upserts: Iterable[str], removals: Collection[str]
    ) -> str | None:
        """Name a path that would be both a file and a directory if these paths were put and removed.

        Gives the file, whether it exists already or is one of `upserts`; None if there is no conflict.
        """
        index = await self._reader.index(root)
        put, gone = set(upserts), set(removals)
        directories = {directory for path in put for directory in ancestors(path)}
        files = put & directories or await self.lookup_many(root, directories - gone)
        if files:
            return min(files)
        keys_gone = {order_key(path) for path in gone}
        for path in sorted(put, key=order_key):
            prefix = below(path)
            for ref in index.within(prefix):
                chunk = await self._reader.chunk(ref)
                if any(key not in keys_gone for key in chunk.keys_below(prefix)):
                    return path
        return None

    async def _files(self, refs: Sequence[ChunkRef]) -> AsyncGenerator[tuple[str, msgspec.Raw], None]:
        async for _, chunk in self._reader.chunks(refs):
            for item in zip(chunk.keys, chunk.files, strict=True):
                yield item


def _enough(refs: Sequence[ChunkRef], limit: int) -> Sequence[ChunkRef]:
    """Cut references to those that surely hold so many files; of the first chunk it may be only the last one."""
    files = 1
    for at, ref in enumerate(refs[1:], 1):
        if files >= limit:
            return refs[:at]
        files += ref.count
    return refs
