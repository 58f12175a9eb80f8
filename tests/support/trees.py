"""Trees in memory, for tests of the pure functions."""

from collections.abc import Collection, Mapping

from application.tree_listing import DirEntry
from domain.stage.events import StoredFile
from domain.tree_changes import Growth, KeepChunk, ReadChunk, rewrite
from domain.tree_chunks import TreeChunk, decode_chunk
from domain.trees import ChunkRef, TreeIndex, path_of

Tree = Mapping[str, StoredFile]


def file(size_bytes: int, key: str = "k") -> StoredFile:
    return StoredFile(key=key, size_bytes=size_bytes, etag=f"e{size_bytes}", modified_at=1)


def is_consistent(paths: Collection[str]) -> bool:
    """Tell whether no path is a file and a directory."""
    return not any(other.startswith(f"{path}/") for path in paths for other in paths)


def list_level(tree: Tree, directory: str) -> list[DirEntry]:
    """List one level in the plainest way."""
    prefix = f"{directory}/" if directory else ""
    names: dict[str, StoredFile | None] = {}
    for path, stored in tree.items():
        if path.startswith(prefix):
            name, slash, _ = path.removeprefix(prefix).partition("/")
            names[name] = None if slash else stored
    return [DirEntry(name, names[name]) for name in sorted(names)]


class Forest:
    """Keeps the chunks of many trees, and what the last change read and wrote."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.read: list[ChunkRef] = []
        self.written: list[ChunkRef] = []

    def chunk(self, ref: ChunkRef) -> TreeChunk:
        return decode_chunk(self._chunks[ref.offset])

    def apply(self, index: TreeIndex, upserts: Tree, removals: Collection[str]) -> tuple[TreeIndex, Growth]:
        self.read, self.written = [], []
        refs: list[ChunkRef] = []
        steps = rewrite(index, upserts, removals)
        answer: TreeChunk | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return TreeIndex(chunks=tuple(refs)), end.value
            answer = None
            if isinstance(step, ReadChunk):
                self.read.append(step.ref)
                answer = self.chunk(step.ref)
            elif isinstance(step, KeepChunk):
                refs.append(step.ref)
            else:
                refs.append(ChunkRef(step.first, step.last, step.count, "", len(self._chunks), len(step.data), b""))
                self._chunks.append(step.data)
                self.written.append(refs[-1])

    def files(self, index: TreeIndex) -> dict[str, StoredFile]:
        entries = [chunk.entry(at) for chunk in map(self.chunk, index.chunks) for at in range(len(chunk.keys))]
        found = {entry.path: entry.file for entry in entries}
        assert len(found) == len(entries)
        return found

    def shape(self, index: TreeIndex) -> list[tuple[str, str, int]]:
        return [(path_of(ref.first), path_of(ref.last), ref.count) for ref in index.chunks]
