"""Turns the central directory of an archive, as it arrives, into the sorted chunks of an index."""

import threading
import zlib
from array import array
from collections.abc import Iterator
from types import TracebackType

import msgspec

from application.zips.entries import encode_entry, key_of_name, least_end, read_record
from application.zips.locate import Directory
from application.zips.sorting import Sorter, are_disjoint
from domain.errors import UnreadableArchiveError

CHUNK_ENTRIES = 512
CHUNK_BYTES = 64 * 1024
"""A chunk of the index ends with so many entries, or at about this size."""
BLOCK_BYTES = 1024 * 1024
"""Chunks are handed out in blocks of about this size."""

_NUMBER_BYTES = 4
_ENCODER = msgspec.msgpack.Encoder()


class ChunkTable(msgspec.Struct, kw_only=True):
    """Where the chunks of an index lie: the first key of each, where it begins (and the last ends), its CRC-32."""

    firsts: list[bytes]
    offsets: list[int]
    checksums: list[int]


class DirectoryParser:
    """Reads a central directory, checks it as a whole, and sorts it. All calls block; they may come from any thread."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._sorter = Sorter()
        self._rest = b""
        self._read_bytes = 0
        self._starts, self._ends = array("Q"), array("Q")
        self._is_in_order = True
        self._blocks: Iterator[bytes] | None = None
        self.table = ChunkTable(firsts=[], offsets=[0], checksums=[])
        self.left_out = 0

    def __enter__(self) -> "DirectoryParser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Whoever gave up may have left a thread in the middle of a call.
        with self._lock:
            self._sorter.close()

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the directory.

        Raises:
            UnreadableArchiveError: It is damaged, or says what cannot be.
        """
        with self._lock:
            self._read_bytes += len(piece)
            data = self._rest + piece
            at = 0
            while (record := read_record(data, at, self._directory.shift)) is not None:
                at = record.end
                start, end = record.entry.offset, least_end(record)
                if end > self._directory.offset:
                    raise UnreadableArchiveError("A member of the ZIP file lies outside of it.")
                if len(self._starts) >= self._directory.members and self._directory.is_large:
                    raise UnreadableArchiveError("The ZIP file has more members than it declares.")
                self._is_in_order = self._is_in_order and (not self._ends or start >= self._ends[-1])
                number = len(self._starts)
                self._starts.append(start)
                self._ends.append(end)
                key = key_of_name(record.name, record.entry.flags)
                if key is None:
                    self.left_out += 1
                else:
                    item = encode_entry(key, record.entry)
                    # Of several members of one name the last counts, as when they are unpacked one after the other.
                    cut = len(key) + 1
                    self._sorter.add(item[:cut] + number.to_bytes(_NUMBER_BYTES) + item[cut:])
            self._rest = data[at:]

    def finish(self) -> None:
        """Check the whole.

        Raises:
            UnreadableArchiveError: The directory is cut off, or members overlap.
        """
        with self._lock:
            count = len(self._starts)
            if self._rest or self._read_bytes != self._directory.size_bytes:
                raise UnreadableArchiveError("The directory of the ZIP file is damaged.")
            # Writers without ZIP64 count modulo 65,536, and their archives are read everywhere.
            if (count if self._directory.is_large else count & 0xFFFF) != self._directory.members:
                raise UnreadableArchiveError("The ZIP file has not as many members as it declares.")
            if not self._is_in_order and not are_disjoint(self._starts, self._ends):
                raise UnreadableArchiveError("Members of the ZIP file overlap.")
            self._blocks = self._cut(self._last_of_each(self._sorter.sorted()))

    def next_block(self) -> bytes:
        """Give the next chunks of the index; nothing at the end. The table grows with them."""
        with self._lock:
            return b"" if self._blocks is None else next(self._blocks, b"")

    @staticmethod
    def _last_of_each(items: Iterator[bytes]) -> Iterator[bytes]:
        """Drop all but the last entry of each key, and the numbers that told their order."""
        held = b""
        held_key = None
        for item in items:
            end = item.index(b"\0") + 1
            key = item[:end]
            if held and key != held_key:
                yield held
            held, held_key = key + item[end + _NUMBER_BYTES :], key
        if held:
            yield held

    def _cut(self, items: Iterator[bytes]) -> Iterator[bytes]:
        chunk: list[bytes] = []
        filled = 0
        block: list[bytes] = []
        for item in items:
            chunk.append(item)
            filled += len(item)
            if len(chunk) == CHUNK_ENTRIES or filled >= CHUNK_BYTES:
                block.append(self._encode(chunk))
                chunk, filled = [], 0
                if sum(map(len, block)) >= BLOCK_BYTES:
                    yield b"".join(block)
                    block = []
        if chunk:
            block.append(self._encode(chunk))
        if block:
            yield b"".join(block)

    def _encode(self, chunk: list[bytes]) -> bytes:
        data = _ENCODER.encode(chunk)
        self.table.firsts.append(chunk[0][: chunk[0].index(b"\0") + 1])
        self.table.offsets.append(self.table.offsets[-1] + len(data))
        self.table.checksums.append(zlib.crc32(data))
        return data
