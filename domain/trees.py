"""File trees: what a committed version contains, and the index by which its chunks are found.

A tree is the sorted list of a version's files, cut into chunks that are stored as immutable objects and shared by the
versions that have them in common. The index lists the chunks; a `TreeRoot` names the object that holds the index.

**Order.** Files are sorted by their components, so what lies below a directory is one range, a listing of one level
comes in the order of its names, and a file `a` is directly followed by what would lie below it. `order_key` turns this
into the plain order of text (which is that of UTF-8 bytes): it replaces `/` by NUL, which no path can hold and which
sorts before every other character. Keys, not paths, stand in stored chunks and indexes.

**Cutting.** From the first file on, a chunk ends after each key that `is_chunk_end` names, and when it has
`MAX_CHUNK_FILES` files. This depends on nothing but the files, so a tree that was changed a thousand times is cut as
one that was built at once, and a change rewrites the chunk that it falls into.
"""

from bisect import bisect_left
from collections.abc import Sequence
from hashlib import blake2b
from operator import attrgetter

import msgspec

MEAN_CHUNK_FILES = 128
"""One key in so many ends a chunk. Part of the stored format: changing it would rewrite trees at their next change."""
MAX_CHUNK_FILES = 512
"""Files in the largest chunk. Part of the stored format, like the mean."""
INDEX_FORMAT = 1
"""Version of the stored format of indexes and their chunks."""

_LAST = attrgetter("last")


class TreeRoot(msgspec.Struct, frozen=True, kw_only=True):
    """Names the immutable root of a file tree, as a commit event carries it.

    `key` is the object that holds the root, `sha256` its digest; `file_count` and `size_bytes` sum up the files.
    """

    key: str
    sha256: bytes
    file_count: int
    size_bytes: int


class ChunkRef(msgspec.Struct, frozen=True, array_like=True):
    """Where a chunk lies: a part of an object. `first` and `last` are the order keys of its files."""

    first: str
    last: str
    count: int
    object_key: str
    offset: int
    length: int
    sha256: bytes


class TreeIndex(msgspec.Struct, frozen=True, array_like=True):
    """The chunks of a tree, in order."""

    format: int = INDEX_FORMAT
    chunks: tuple[ChunkRef, ...] = ()

    def encode(self) -> bytes:
        """Write the index in its stored form."""
        return _ENCODER.encode(self)

    def position(self, key: str) -> int:
        """Find the first chunk that ends at or after an order key; the number of chunks if none does."""
        return bisect_left(self.chunks, key, key=_LAST)

    def within(self, prefix: str, start: str = "") -> Sequence[ChunkRef]:
        """Give the chunks that may hold order keys with this prefix, from the order key `start` on."""
        start = max(start, prefix)
        first = end = self.position(start)
        while end < len(self.chunks) and (self.chunks[end].first <= start or self.chunks[end].first.startswith(prefix)):
            end += 1
        return self.chunks[first:end]

    @property
    def is_open(self) -> bool:
        """Tell whether files after the last one belong into the last chunk."""
        return bool(self.chunks) and self.chunks[-1].count < MAX_CHUNK_FILES and not is_chunk_end(self.chunks[-1].last)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(TreeIndex)


def decode_index(data: bytes) -> TreeIndex:
    """Read an index.

    Raises:
        msgspec.DecodeError: This is no index, or one of a later format.
    """
    index = _DECODER.decode(data)
    if index.format != INDEX_FORMAT:
        raise msgspec.DecodeError(f"Unknown format {index.format} of a file tree.")
    return index


def order_key(path: str) -> str:
    """Turn a path into the text by which files are sorted."""
    return path.replace("/", "\0")


def path_of(key: str) -> str:
    """Turn an order key back into its path."""
    return key.replace("\0", "/")


def below(directory: str) -> str:
    """Give what the order keys of everything below a directory begin with; empty for the root."""
    return f"{order_key(directory)}\0" if directory else ""


def after_directory(key: str) -> str:
    """Give the first possible order key behind a directory and all that lies below it."""
    return f"{key}\1"


def is_chunk_end(key: str) -> bool:
    """Tell whether a chunk ends after this key: its BLAKE2b hash of 8 bytes is 0 modulo the mean size."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) % MEAN_CHUNK_FILES == 0
