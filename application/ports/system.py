"""Time and identity, so that the application itself is deterministic."""

from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> int:
        """Give microseconds since the epoch."""
        ...


class IdSource(Protocol):
    """Makes ids and random values."""

    def uuid7(self) -> UUID:
        """Make a time-ordered id that is not guessable."""
        ...

    def token(self, length_bytes: int) -> str:
        """Make a URL-safe random text from so many random bytes."""
        ...

    def choose(self, count: int) -> int:
        """Give a random number from 0 to count - 1."""
        ...
