"""A cache of aggregate states that never answers with an old one."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from application.ports.event_log import EventLog, StreamHead
from application.state_sizes import size_of
from domain.errors import UnavailableError
from domain.folds import NEVER_FOLDED, Fold
from domain.ids import StreamId, StreamKey, StreamKind

CACHE_ENTRIES = 10_000
CACHE_BYTES = 256 * 1024 * 1024
"""Estimated bytes of all states together."""
FOLD_PAGE_EVENTS = 500
"""So many events of a stream are in memory at once while it is folded."""
FOLD_SLICE_SECONDS = 0.005
"""After folding for so long, others get their turn."""
UNCHECKED = -1

_KIND_BITS = {kind: place << 128 for place, kind in enumerate(StreamKind)}


class Versioned(NamedTuple):
    """The state of a stream and the version at which it is; None and 0 when it has no events."""

    state: Any
    version: int


ABSENT = Versioned(None, 0)


class _Entry(msgspec.Struct):
    value: Versioned
    # The log's change marker at which the value was known to be the newest.
    marker: int
    size_bytes: int


class _Check(NamedTuple):
    """A query of heads for all who asked in the same turn of the event loop."""

    streams: set[StreamId]
    heads: "asyncio.Task[Mapping[StreamId, StreamHead]]"


class StateCache:
    """Keeps the states that were used last, at most `max_entries` and about `max_bytes` of memory.

    `get` compares every state with its stream's head before it answers, whoever wrote to it; a log that can prove
    that nothing at all was appended (its change marker) makes that a comparison of two numbers.
    """

    def __init__(
        self, log: EventLog, fold: Fold, *, max_entries: int = CACHE_ENTRIES, max_bytes: int = CACHE_BYTES
    ) -> None:
        self._log = log
        self._fold = fold
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        # By the number of kind and id: hashing a UUID or a key runs Python code, hashing a number does not.
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._loads: dict[int, asyncio.Task[Versioned]] = {}
        self._check: _Check | None = None

    async def get(self, keys: Sequence[StreamKey]) -> Mapping[StreamKey, Versioned]:
        """Give the states as they are now, or were at some time since this was called.

        Raises:
            UnavailableError: The log cannot be reached.
        """
        marker = self._log.change_marker()
        found: dict[StreamKey, Versioned] = {}
        entries = self._entries
        if marker is not None:
            for key in keys:
                number = _number(key)
                entry = entries.get(number)
                if entry is not None and entry.marker == marker:
                    entries.move_to_end(number)
                    found[key] = entry.value
        if len(found) < len(keys):
            unproven = [key for key in keys if key not in found]
            streams = [key.id for key in unproven]
            # A log that has a marker is at hand, and asking it costs less than gathering those who ask.
            heads = await (self._heads(streams) if marker is None else self._log.heads(streams))
            for key in unproven:
                found[key] = await self._at_least(key, heads[key.id].version, marker)
        return found

    def marker(self) -> int | None:
        """Give a number that is the same as last time only if no state has changed in between; None: nobody knows."""
        return self._log.change_marker()

    def proven(self, key: StreamKey) -> Versioned | None:
        """Give a state as it is now where that takes no waiting; None when the log has to be asked."""
        entry = self._entries.get(_number(key))
        if entry is None or entry.marker != self._log.change_marker():
            return None
        return entry.value

    def peek(self, key: StreamKey) -> Versioned | None:
        """Give a state that may be old, for one who has its version checked himself; None when it is not here."""
        number = _number(key)
        entry = self._entries.get(number)
        if entry is None:
            return None
        self._entries.move_to_end(number)
        return entry.value

    def put(self, key: StreamKey, value: Versioned) -> None:
        """Keep a state that is known to have been appended; an older one than there is changes nothing."""
        self._keep(_number(key), value, UNCHECKED)

    async def _at_least(self, key: StreamKey, version: int, marker: int | None) -> Versioned:
        if version == 0:
            self._keep(_number(key), ABSENT, UNCHECKED if marker is None else marker)
            return ABSENT
        if key.kind in NEVER_FOLDED:
            value = Versioned(None, version)
        else:
            known = self.peek(key)
            value = ABSENT if known is None else known
            # A load that somebody else began may have ended before this head; the one after it cannot.
            for _ in range(2):
                if value.version < version:
                    value = await self._load(key)
            if value.version < version:
                raise UnavailableError("The events of a stream could not be read up to its head.")
        # The marker is older than the head that the state was compared with: what came after it is seen next time.
        self._keep(_number(key), value, UNCHECKED if marker is None else marker)
        return value

    async def _heads(self, streams: Iterable[StreamId]) -> Mapping[StreamId, StreamHead]:
        check = self._check
        if check is None:
            asked: set[StreamId] = set()
            check = self._check = _Check(asked, asyncio.get_running_loop().create_task(self._ask(asked)))
            check.heads.add_done_callback(_retrieved)
        check.streams.update(streams)
        return await asyncio.shield(check.heads)

    async def _ask(self, streams: set[StreamId]) -> Mapping[StreamId, StreamHead]:
        # From here on those who come need a query of their own: this one could miss what they have to see.
        self._check = None
        return await self._log.heads(list(streams))

    async def _load(self, key: StreamKey) -> Versioned:
        number = _number(key)
        loading = self._loads.get(number)
        # One that has ended stays here until the event loop comes to its callbacks; it is as old as any earlier one.
        if loading is None or loading.done():
            loading = asyncio.get_running_loop().create_task(self._read(key))
            self._loads[number] = loading
            loading.add_done_callback(lambda done: self._loaded(number, done))
        # Several may wait for one load; that one of them goes must not fail the others.
        return await asyncio.shield(loading)

    def _loaded(self, number: int, loading: "asyncio.Task[Versioned]") -> None:
        if self._loads.get(number) is loading:
            del self._loads[number]
        _retrieved(loading)

    async def _read(self, key: StreamKey) -> Versioned:
        state, version = self.peek(key) or ABSENT
        now = asyncio.get_running_loop().time
        slice_ends = now() + FOLD_SLICE_SECONDS
        while True:
            page = await self._log.read_stream(key.id, after_version=version, up_to_version=version + FOLD_PAGE_EVENTS)
            for event in page:
                state = self._fold(key.kind, state, event.payload, event.envelope, key.id)
                if now() > slice_ends:
                    await asyncio.sleep(0)
                    slice_ends = now() + FOLD_SLICE_SECONDS
            version += len(page)
            if len(page) < FOLD_PAGE_EVENTS:
                value = Versioned(state, version)
                if version:
                    self._keep(_number(key), value, UNCHECKED)
                return value

    def _keep(self, number: int, value: Versioned, marker: int) -> None:
        entry = self._entries.get(number)
        if entry is None:
            entry = self._entries[number] = _Entry(value, marker, size_of(value.state))
            self._bytes += entry.size_bytes
            self._evict()
            return
        if value.version > entry.value.version:
            self._bytes -= entry.size_bytes
            entry.value, entry.marker, entry.size_bytes = value, marker, size_of(value.state)
            self._bytes += entry.size_bytes
            self._entries.move_to_end(number)
            self._evict()
            return
        if value.version == entry.value.version and marker != UNCHECKED:
            entry.marker = marker
        self._entries.move_to_end(number)

    def _evict(self) -> None:
        # The last one stays however large it is, or it would be read anew for each use.
        while len(self._entries) > self._max_entries or (self._bytes > self._max_bytes and len(self._entries) > 1):
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= dropped.size_bytes


def _number(key: StreamKey) -> int:
    # The kind counts, because what a caller gives as the id of an artifact may be that of a stage or an alias, whose
    # events mean nothing to an artifact.
    return _KIND_BITS[key.kind] | key.id.int


def _retrieved(task: "asyncio.Task[Any]") -> None:
    # Those who waited get the error; when all of them have gone it is nobody's, and no reason for a warning.
    if not task.cancelled():
        task.exception()
