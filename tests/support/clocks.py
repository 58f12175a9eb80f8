"""Time and ids that a test decides."""

import time
from uuid import UUID


class FixedClock:
    """Stands still until it is moved; microseconds since the epoch."""

    def __init__(self, now: int = 1_700_000_000_000_000) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += int(seconds * 1_000_000)


class MovableClock:
    """The system's time, and as much more as it was moved."""

    def __init__(self) -> None:
        self._ahead = 0

    def now(self) -> int:
        return time.time_ns() // 1000 + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += int(seconds * 1_000_000)


class CountingIds:
    """Makes ids that are different and the same in each run."""

    def __init__(self) -> None:
        self._count = 0

    def _next(self) -> int:
        self._count += 1
        return self._count

    def uuid7(self) -> UUID:
        return UUID(int=(7 << 76) | (2 << 62) | self._next())

    def token(self, length_bytes: int) -> str:
        return f"{self._next():0{length_bytes}x}"

    def choose(self, count: int) -> int:
        return self._next() % count
