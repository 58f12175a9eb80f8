"""Chunks of a file tree: runs of files in order.

A chunk is stored as two columns in MessagePack, order keys and files. A file is decoded only when it is asked for, and
copied as it is when its chunk is rewritten: this made rewriting four times as fast as decoding rows (0.35 instead of
1.6 microseconds a file, 5 times faster than the same in JSON).
"""

from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from domain.stage.events import StoredFile
from domain.trees import path_of


class TreeEntry(msgspec.Struct, frozen=True):
    """A file of a version and its path."""

    path: str
    file: StoredFile


class TreeChunk(msgspec.Struct, frozen=True, array_like=True):
    """A decoded chunk: order keys, sorted, and beside each the stored form of its file."""

    keys: list[str]
    files: list[msgspec.Raw]

    def position(self, key: str) -> int:
        """Find the first file at or after an order key; the number of files if there is none."""
        return bisect_left(self.keys, key)

    def find(self, key: str) -> StoredFile | None:
        """Look a file up by its order key."""
        at = bisect_left(self.keys, key)
        if at == len(self.keys) or self.keys[at] != key:
            return None
        return decode_file(self.files[at])

    def span(self, prefix: str, start: str = "") -> range:
        """Give the places of the files whose order keys have a prefix, from the order key `start` on."""
        # Prefixes end in NUL; what follows all that begins with one is the same with the next character.
        end = bisect_left(self.keys, f"{prefix[:-1]}\1") if prefix else len(self.keys)
        return range(bisect_left(self.keys, max(prefix, start)), end)

    def keys_below(self, prefix: str) -> Sequence[str]:
        """Give the order keys that have a prefix."""
        places = self.span(prefix)
        return self.keys[places.start : places.stop]

    def entry(self, at: int) -> TreeEntry:
        """Give one file with its path."""
        return TreeEntry(path_of(self.keys[at]), decode_file(self.files[at]))


_ENCODER = msgspec.msgpack.Encoder()
_CHUNK_DECODER = msgspec.msgpack.Decoder(TreeChunk)
_FILE_DECODER = msgspec.msgpack.Decoder(StoredFile)


def encode_chunk(keys: Sequence[str], files: Sequence[msgspec.Raw | StoredFile]) -> bytes:
    """Write a chunk in its stored form."""
    return _ENCODER.encode((keys, files))


def decode_chunk(data: bytes) -> TreeChunk:
    """Read a chunk; its files stay in their stored form.

    Raises:
        msgspec.DecodeError: This is no chunk.
    """
    chunk = _CHUNK_DECODER.decode(data)
    if not chunk.keys or len(chunk.keys) != len(chunk.files):
        raise msgspec.DecodeError("A chunk of a file tree has not one file for each key.")
    return chunk


def decode_file(data: msgspec.Raw) -> StoredFile:
    """Read one file of a chunk."""
    return _FILE_DECODER.decode(data)
