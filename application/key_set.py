"""A set of object keys that takes 8 bytes a key."""

from array import array
from hashlib import blake2b

KEYS_PER_BUCKET = 256
"""So many numbers are compared in a few microseconds, and no step of growing takes longer."""
_DIGEST_BYTES = 8


def key_hash(key: str) -> int:
    """Give the number that stands for a key."""
    return int.from_bytes(blake2b(key.encode(), digest_size=_DIGEST_BYTES).digest())


class KeySet:
    """Holds the hashes of keys, for about `expected` of them.

    A key that was added is always found. Another one is taken for it with a probability of 2^-64 for each key in the
    set; whoever asks must be able to live with that.
    """

    def __init__(self, expected: int) -> None:
        self._buckets = [array("Q") for _ in range(max(1, expected // KEYS_PER_BUCKET))]
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, hashed: int) -> None:
        """Add a key by its hash."""
        self._buckets[hashed % len(self._buckets)].append(hashed)
        self._size += 1

    def holds(self, hashed: int) -> bool:
        """Tell whether a key of this hash was added."""
        return hashed in self._buckets[hashed % len(self._buckets)]
