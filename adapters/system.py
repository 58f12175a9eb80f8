"""The system's clock and randomness."""

import secrets
import threading
import time
from uuid import UUID

from application.ports.system import Clock

_COUNTER_BITS = 12
_RANDOM_BITS = 62
_RANDOM_MASK = (1 << _RANDOM_BITS) - 1
_HALF_COUNTER = (1 << _COUNTER_BITS - 1) - 1
_NOISE_BYTES = 10
_NOISE_FETCHED = 256
_VERSION = 7
_VARIANT = 0b10


class SystemClock:
    """Tells the time of the machine."""

    def now(self) -> int:
        """Give microseconds since the epoch."""
        return time.time_ns() // 1_000


class SystemIds:
    """Makes ids from the machine's randomness and the clock.

    Randomness for ids is fetched many bytes at a time: a call of the system lets go of the interpreter, which another
    thread then holds for some 20 microseconds.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._noise = b""
        self._noise_used = 0
        # Milliseconds and the counter inside one are kept as one number, so that a full counter runs into the next one.
        self._last_tick = 0

    def uuid7(self) -> UUID:
        """Make a UUID version 7 that is larger than all before it from this object (RFC 9562, section 6.2, method 1).

        48 bits of milliseconds, a counter of 12 bits that starts at a random number below its half in each
        millisecond, and 62 random bits. A clock that goes back does not take the ids with it.
        """
        with self._lock:
            noise = self._take_noise()
            fresh = (self._clock.now() // 1_000 << _COUNTER_BITS) | noise >> _RANDOM_BITS & _HALF_COUNTER
            milliseconds_passed = fresh >> _COUNTER_BITS > self._last_tick >> _COUNTER_BITS
            tick = self._last_tick = fresh if milliseconds_passed else self._last_tick + 1
        milliseconds, counter = tick >> _COUNTER_BITS, tick & ((1 << _COUNTER_BITS) - 1)
        fixed = milliseconds << 80 | _VERSION << 76 | counter << 64 | _VARIANT << _RANDOM_BITS
        return UUID(int=fixed | noise & _RANDOM_MASK)

    def _take_noise(self) -> int:
        start = self._noise_used
        if start + _NOISE_BYTES > len(self._noise):
            self._noise, start = secrets.token_bytes(_NOISE_BYTES * _NOISE_FETCHED), 0
        self._noise_used = start + _NOISE_BYTES
        return int.from_bytes(self._noise[start : self._noise_used])

    def token(self, length_bytes: int) -> str:
        """Make a URL-safe random text."""
        return secrets.token_urlsafe(length_bytes)

    def choose(self, count: int) -> int:
        """Give a random number from 0 to count - 1."""
        return secrets.randbelow(count)
