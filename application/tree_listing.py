"""Lists one level of a file tree, committed or as it will be after a commit."""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing

import msgspec

from application.tree_reader import TreeReader
from domain.stage.events import StoredFile
from domain.tree_chunks import decode_file
from domain.trees import TreeIndex, after_directory, below, order_key


class DirEntry(msgspec.Struct, frozen=True):
    """A name in a directory. `file` is None for a sub-directory."""

    name: str
    file: StoredFile | None


class Overlay:
    """The changes of a stage below one directory: what they put and remove at its level."""

    def __init__(self, directory: str, upserts: Mapping[str, StoredFile], removals: Collection[str]) -> None:
        self._prefix = below(directory)
        self.names: dict[str, StoredFile | None] = {}
        self.removed = {key for key in map(order_key, removals) if key.startswith(self._prefix)}
        self.thinned = {self._name(key) for key in self.removed}
        for path, file in upserts.items():
            key = order_key(path)
            if key.startswith(self._prefix):
                name = self._name(key)
                self.names[name] = file if len(name) == len(key) - len(self._prefix) else None

    def _name(self, key: str) -> str:
        return key[len(self._prefix) :].partition("\0")[0]


async def list_level(
    reader: TreeReader, index: TreeIndex, directory: str, overlay: Overlay, *, after: str
) -> AsyncGenerator[DirEntry, None]:
    """Give the names of one directory in order, behind the name `after`."""
    upcoming = sorted((name for name in overlay.names if name > after), reverse=True)
    prefix = below(directory)
    async with aclosing(_names(reader, index, prefix, after)) as names:
        async for name, file in names:
            while upcoming and upcoming[-1] < name:
                added = upcoming.pop()
                yield DirEntry(added, overlay.names[added])
            if upcoming and upcoming[-1] == name:
                yield DirEntry(name, overlay.names[upcoming.pop()])
            elif file is not None:
                if f"{prefix}{name}" not in overlay.removed:
                    yield DirEntry(name, decode_file(file))
            elif name not in overlay.thinned or await _has_file(reader, index, f"{prefix}{name}\0", overlay.removed):
                yield DirEntry(name, None)
    for added in reversed(upcoming):
        yield DirEntry(added, overlay.names[added])


async def _names(
    reader: TreeReader, index: TreeIndex, prefix: str, after: str
) -> AsyncGenerator[tuple[str, msgspec.Raw | None], None]:
    """Give the names of one level with the stored form of their files; what lies below a directory is skipped."""
    sought = after_directory(f"{prefix}{after}") if after else prefix
    for ref in index.within(prefix, sought):
        if ref.last < sought:
            continue
        if ref.first > sought:
            end = ref.first.find("\0", len(prefix))
            if end > 0:
                # The reference alone shows a directory, so its other chunks need not be read.
                yield ref.first[len(prefix) : end], None
                sought = after_directory(ref.first[:end])
        chunk = await reader.chunk(ref)
        at = chunk.position(sought)
        while at < len(chunk.keys):
            key = chunk.keys[at]
            if not key.startswith(prefix):
                return
            end = key.find("\0", len(prefix))
            if end < 0:
                yield key[len(prefix) :], chunk.files[at]
                sought = after_directory(key)
                at += 1
            else:
                yield key[len(prefix) : end], None
                sought = after_directory(key[:end])
                at = chunk.position(sought)


async def _has_file(reader: TreeReader, index: TreeIndex, prefix: str, removed: Collection[str]) -> bool:
    """Tell whether a directory has a file that was not removed."""
    for ref in index.within(prefix):
        chunk = await reader.chunk(ref)
        if any(key not in removed for key in chunk.keys_below(prefix)):
            return True
    return False
