"""Keeps the chains that were read last. Never old: before each answer the states that they follow from are compared."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from application.state_cache import StateCache
from application.state_sizes import size_of
from domain.actor import Actor
from domain.artifact.chain import Chain
from domain.ids import StreamKey

MAX_ENTRIES = 5_000
"""Half as many as states are kept, because an entry may hold states that newer ones have replaced."""
MAX_BYTES = 64 * 1024 * 1024
"""Estimated bytes of the artifacts of all chains together, as if each were held by its chain alone."""


class KnownChain:
    """A chain, and the state of each stream that it follows from. Where none has changed, it is as it would be made."""

    __slots__ = ("_keys", "_marker", "_states", "actor", "chain", "size_bytes")

    def __init__(self, actor: Actor, chain: Chain, states: Mapping[StreamKey, Any], marker: int | None) -> None:
        """Take what was just made; the marker is one from before the states were read."""
        self.actor = actor
        self.chain = chain
        self._keys = tuple(states)
        self._states = tuple(states.values())
        self._marker = marker
        self.size_bytes = sum(size_of(artifact) for artifact in chain.artifacts)

    async def is_current(self, states: StateCache) -> bool:
        """Tell whether all states are still the same objects, in which case nothing was appended to their streams."""
        marker = states.marker()
        if marker is None or marker != self._marker:
            found = await states.get(self._keys)
            if any(found[key].state is not state for key, state in zip(self._keys, self._states, strict=True)):
                return False
            self._marker = marker
        return True


class ChainCache:
    """Chains by caller, by the workspace in which a bare alias is looked up, and by what the caller wrote."""

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._entries: OrderedDict[tuple[int, str, str], KnownChain] = OrderedDict()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0

    def get(self, actor: Actor, workspace: str, text: str) -> KnownChain | None:
        """Give what is known, which may be old."""
        key = (id(actor), workspace, text)
        entry = self._entries.get(key)
        # Callers are compared by identity: the cache of tokens gives the same one each time.
        if entry is None or entry.actor is not actor:
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, workspace: str, text: str, known: KnownChain) -> None:
        """Keep a chain, and drop those that were not used for longest; one that is too large is not kept at all."""
        # The entry holds the caller, so that no other object can come to have his identity.
        key = (id(known.actor), workspace, text)
        replaced = self._entries.pop(key, None)
        if replaced is not None:
            self._bytes -= replaced.size_bytes
        self._entries[key] = known
        self._bytes += known.size_bytes
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= dropped.size_bytes
