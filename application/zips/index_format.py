"""The stored form of an archive's index: a root that names chunks, and the chunks."""

from bisect import bisect_left, bisect_right
from hashlib import sha256
from uuid import UUID

import msgspec

from application.zips.entries import BEHIND, SEPARATOR, Entry, decode_entry
from domain.stage.events import StoredFile

FORMAT = 1
"""Version of the stored form, and of the rules by which archives are refused."""
INDEX_DIRECTORY = "zip-index"
_DIGEST_DIGITS = 32


class IndexRoot(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Says where the chunks of an index lie, or why the archive cannot be read (`refusal`).

    `firsts` are the keys of the first entry of each chunk, `offsets` where each begins and, at the end, where the last
    one ends. `directory_offset` is where the members of the archive end. `left_out` members have names that are no
    paths.
    """

    format: int = FORMAT
    refusal: str | None = None
    directory_offset: int = 0
    left_out: int = 0
    firsts: list[bytes] = []
    offsets: list[int] = []
    checksums: list[int] = []

    def place(self, key: bytes) -> int:
        """Find the chunk in which a key is, if it is anywhere."""
        return max(bisect_right(self.firsts, key) - 1, 0)

    @property
    def memory_bytes(self) -> int:
        """About what the root takes in memory."""
        return 200 + sum(map(len, self.firsts)) + 120 * len(self.firsts)


def index_prefix(artifact_id: UUID, archive: StoredFile) -> str:
    """Give the prefix of the objects of an archive's index.

    Below the artifact, under the key of the archive's object, so that a look at the key tells whose index it is; the
    digest tells apart what a store may keep under one key.
    """
    identity = msgspec.json.encode((FORMAT, archive.store, archive.version_id, archive.size_bytes, archive.etag))
    digest = sha256(identity).hexdigest()[:_DIGEST_DIGITS]
    return f"{artifact_id}/{INDEX_DIRECTORY}/{archive.key}/{digest}"


_ROOT_ENCODER = msgspec.msgpack.Encoder()
_ROOT_DECODER = msgspec.msgpack.Decoder(IndexRoot)
_CHUNK_DECODER = msgspec.msgpack.Decoder(list[bytes])


def encode_root(root: IndexRoot) -> bytes:
    """Write a root in its stored form."""
    return _ROOT_ENCODER.encode(root)


def decode_root(data: bytes) -> IndexRoot:
    """Read a root.

    Raises:
        msgspec.DecodeError: This is none.
    """
    return _ROOT_DECODER.decode(data)


def decode_chunk(data: bytes) -> list[bytes]:
    """Read a chunk: its entries in order.

    Raises:
        msgspec.DecodeError: This is none.
    """
    return _CHUNK_DECODER.decode(data)


def find_entry(chunk: list[bytes], key: bytes) -> Entry | None:
    """Look a member up in the chunk in which it would be."""
    sought = key + b"\0"
    at = bisect_left(chunk, sought)
    if at < len(chunk) and chunk[at].startswith(sought):
        return decode_entry(chunk[at])[1]
    return None


class Level:
    """Lists one directory: takes chunks, and says which key it needs next."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self.sought: bytes | None = prefix

    def take(self, chunk: list[bytes]) -> list[tuple[str, Entry | None]]:
        """Give the names that a chunk has at this level, with None for a directory.

        Then `sought` is the key to go on with, which lies behind this chunk, or None at the end.
        """
        found: list[tuple[str, Entry | None]] = []
        sought = self.sought or b""
        at = bisect_left(chunk, sought)
        start = len(self._prefix)
        while at < len(chunk):
            key, entry = decode_entry(chunk[at])
            if not key.startswith(self._prefix):
                self.sought = None
                return found
            end = key.find(SEPARATOR, start)
            if end < 0:
                # The directory's own entry has nothing behind its key.
                if len(key) > start:
                    found.append((key[start:].decode(), entry))
                sought = key + b"\0\xff"
                at += 1
            else:
                found.append((key[start:end].decode(), None))
                sought = key[:end] + BEHIND
                at = bisect_left(chunk, sought, at)
        self.sought = sought
        return found
