"""How a tree becomes another one: which chunks are read, kept and written.

`rewrite` is a generator, so that it stays pure: it asks for the chunks that it has to see, one at a time, and tells in
order of which chunks the new tree consists.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence

import msgspec

from domain.errors import InvalidPathError
from domain.stage.events import StoredFile
from domain.tree_chunks import TreeChunk, decode_file, encode_chunk
from domain.trees import MAX_CHUNK_FILES, ChunkRef, TreeIndex, is_chunk_end, order_key, path_of


class ReadChunk(msgspec.Struct, frozen=True):
    """Asks for the content of a chunk of the old tree, which is to be sent into the generator."""

    ref: ChunkRef


class KeepChunk(msgspec.Struct, frozen=True):
    """The next chunk of the new tree is this one of the old tree."""

    ref: ChunkRef


class WriteChunk(msgspec.Struct, frozen=True):
    """The next chunk of the new tree is new; `data` is its stored form."""

    first: str
    last: str
    count: int
    data: bytes


class Growth(msgspec.Struct, frozen=True):
    """By how much a tree grew; negative where it shrank."""

    file_count: int
    size_bytes: int


Step = ReadChunk | KeepChunk | WriteChunk


def touched(index: TreeIndex, paths: Iterable[str]) -> list[ChunkRef]:
    """List the chunks that changes of these paths fall into, in order, so that they can be fetched ahead."""
    places = {index.position(order_key(path)) for path in paths}
    if index.is_open:
        places = {min(place, len(index.chunks) - 1) for place in places}
    return [index.chunks[place] for place in sorted(places) if place < len(index.chunks)]


def rewrite(
    index: TreeIndex, upserts: Mapping[str, StoredFile], removals: Collection[str]
) -> Generator[Step, TreeChunk | None, Growth]:
    """Change a tree; a path that is both removed and put is put.

    Chunks into which no change falls are kept, unless the end of the one before them moved: then the files up to the
    next common end are cut again.

    Raises:
        InvalidPathError: A path would be both a file and a directory. Its text names the file.
    """
    changes: dict[str, StoredFile | None] = dict.fromkeys(map(order_key, removals))
    changes.update((order_key(path), file) for path, file in upserts.items())
    order = sorted(changes)
    run = _Run(changes)
    done = 0
    for at, ref in enumerate(index.chunks):
        takes_all = at == len(index.chunks) - 1 and index.is_open
        until = len(order) if takes_all else bisect_right(order, ref.last, lo=done)
        if until == done and run.is_empty:
            run.pass_over(ref)
            yield KeepChunk(ref)
            continue
        chunk = yield ReadChunk(ref)
        if chunk is None:
            raise TypeError("A chunk that was asked for must be sent.")
        run.add(chunk, order[done:until])
        yield from run.cut()
        done = until
    run.add(TreeChunk([], []), order[done:])
    yield from run.cut()
    yield from run.finish()
    return Growth(run.added_files, run.added_bytes)


class _Run:
    """The files of the new tree since its last chunk."""

    def __init__(self, changes: Mapping[str, StoredFile | None]) -> None:
        self.added_files = 0
        self.added_bytes = 0
        self._changes = changes
        self._keys: list[str] = []
        self._files: list[msgspec.Raw | StoredFile] = []
        self._ends: list[str] = []
        self._previous = ""

    @property
    def is_empty(self) -> bool:
        return not self._keys

    def pass_over(self, ref: ChunkRef) -> None:
        """Note that a chunk is kept."""
        self._previous = ref.last

    def add(self, chunk: TreeChunk, changed: Sequence[str]) -> None:
        """Append the files of an old chunk, changed."""
        at = 0
        for key in changed:
            place = bisect_left(chunk.keys, key, lo=at)
            self._take(chunk, at, place)
            at = place
            if place < len(chunk.keys) and chunk.keys[place] == key:
                at += 1
                self.added_files -= 1
                self.added_bytes -= decode_file(chunk.files[place]).size_bytes
            file = self._changes[key]
            if file is not None:
                self._put(key, file)
        self._take(chunk, at, len(chunk.keys))

    def _take(self, chunk: TreeChunk, start: int, end: int) -> None:
        if start == end:
            return
        self._refuse_conflict(chunk.keys[start])
        self._keys += chunk.keys[start:end]
        self._files += chunk.files[start:end]
        # No key but the last of an old chunk can end one, so the others need not be hashed again.
        if end == len(chunk.keys) and is_chunk_end(chunk.keys[-1]):
            self._ends.append(chunk.keys[-1])

    def _put(self, key: str, file: StoredFile) -> None:
        self._refuse_conflict(key)
        self.added_files += 1
        self.added_bytes += file.size_bytes
        self._keys.append(key)
        self._files.append(file)
        if is_chunk_end(key):
            self._ends.append(key)

    def _refuse_conflict(self, key: str) -> None:
        """Refuse a file that is the directory of the next one, which is what any conflict in a tree comes down to."""
        last = self._keys[-1] if self._keys else self._previous
        if last and key.startswith(f"{last}\0"):
            raise InvalidPathError(f"'{path_of(last)}' is a file, so it cannot be the directory of '{path_of(key)}'.")

    def cut(self) -> Iterator[WriteChunk]:
        """Give the chunks that are complete; what follows the last of them stays."""
        start = 0
        for key in self._ends:
            end = bisect_left(self._keys, key, lo=start) + 1
            while end - start > MAX_CHUNK_FILES:
                yield self._chunk(start, start + MAX_CHUNK_FILES)
                start += MAX_CHUNK_FILES
            yield self._chunk(start, end)
            start = end
        self._ends.clear()
        while len(self._keys) - start >= MAX_CHUNK_FILES:
            yield self._chunk(start, start + MAX_CHUNK_FILES)
            start += MAX_CHUNK_FILES
        if start:
            self._previous = self._keys[start - 1]
            del self._keys[:start], self._files[:start]

    def finish(self) -> Iterator[WriteChunk]:
        """Give the last chunk of the tree, which no rule ends."""
        if self._keys:
            yield self._chunk(0, len(self._keys))

    def _chunk(self, start: int, end: int) -> WriteChunk:
        keys = self._keys[start:end]
        return WriteChunk(keys[0], keys[-1], len(keys), encode_chunk(keys, self._files[start:end]))
