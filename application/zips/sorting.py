"""Sorts any number of entries in bounded memory: runs that fit are sorted, kept in a temporary file, and merged."""

import heapq
import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from typing import IO

RUN_BYTES = 16 * 1024 * 1024
"""A run is kept in memory up to this size; what Python adds to each entry is counted."""
ENTRY_OVERHEAD_BYTES = 48
READ_BYTES = 64 * 1024
"""Read ahead of each run while they are merged."""
NUMBERS_RUN = 65_536

_LENGTH_BYTES = 4


class Sorter:
    """Takes entries and gives them back sorted. All calls block; one thread at a time."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []
        self._bytes = 0
        self._runs: list[tuple[int, int]] = []
        self._file: IO[bytes] | None = None

    def add(self, entry: bytes) -> None:
        """Take one entry."""
        self._entries.append(entry)
        self._bytes += len(entry) + ENTRY_OVERHEAD_BYTES
        if self._bytes >= RUN_BYTES:
            self._spill()

    def sorted(self) -> Iterator[bytes]:
        """Give all entries in order; to be called once."""
        self._entries.sort()
        if self._file is None:
            return iter(self._entries)
        return heapq.merge(self._entries, *(self._read(self._file, *run) for run in self._runs))

    def close(self) -> None:
        """Give the temporary file back."""
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `close` closes it.
        self._entries.sort()
        start = self._runs[-1][1] if self._runs else 0
        blob = b"".join(part for entry in self._entries for part in (len(entry).to_bytes(_LENGTH_BYTES), entry))
        view = memoryview(blob)
        while view:
            view = view[self._file.write(view) :]
        self._runs.append((start, start + len(blob)))
        self._entries, self._bytes = [], 0

    @staticmethod
    def _read(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
        data = b""
        at = 0
        while True:
            while len(data) - at >= _LENGTH_BYTES:
                entry_end = at + _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES])
                if entry_end > len(data):
                    break
                yield data[at + _LENGTH_BYTES : entry_end]
                at = entry_end
            if start >= end:
                return
            more = os.pread(file.fileno(), min(READ_BYTES, end - start), start)
            if not more:
                raise OSError("A temporary file is shorter than what was written to it")
            start += len(more)
            data, at = data[at:] + more, 0


def are_disjoint(starts: "array[int]", ends: "array[int]") -> bool:
    """Tell whether ranges, given by their starts and ends, have nothing in common.

    They have not if and only if each begins behind so many ends as there are begins before it, so both can be sorted
    by themselves, in pieces, without making an object of each number.
    """
    ended = _sorted_numbers(ends)
    begun = _sorted_numbers(starts)
    next(begun, None)
    return all(start >= end for start, end in zip(begun, ended, strict=False))


def _sorted_numbers(numbers: "array[int]") -> Iterator[int]:
    runs: Sequence[array[int]] = [
        array("Q", sorted(numbers[start : start + NUMBERS_RUN])) for start in range(0, len(numbers), NUMBERS_RUN)
    ]
    return heapq.merge(*runs)
