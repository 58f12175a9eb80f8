"""Token buckets: how often a caller may ask, with a burst that he may use up at once."""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

MAX_CALLERS = 100_000
"""Buckets that are kept at once, in about 20 MB; of more callers the least recently seen begin anew."""

_SECOND = 1_000_000_000


class Allowance(NamedTuple):
    """What a bucket says to one request. `reset_seconds` is the time until it is full again, rounded up.

    `retry_seconds` is the time until the next request is granted: 0 for one that is, else at least 1.
    """

    is_granted: bool
    remaining: int
    reset_seconds: int
    retry_seconds: int


class TokenBuckets:
    """One bucket for each caller, all of one size. Used from one event loop.

    A bucket is one number: the time at which it will be full again (the generic cell rate algorithm). So a caller who
    was not seen for long needs none, and no time has to be waited for. Times are integers, in nanoseconds.
    """

    def __init__(
        self, *, per_second: float, burst: int, clock: Callable[[], int], max_callers: int = MAX_CALLERS
    ) -> None:
        self.burst = burst
        self.window_seconds = max(1, round(burst / per_second))
        self._interval = max(1, round(_SECOND / per_second))
        self._room = burst * self._interval
        self._clock = clock
        self._max_callers = max_callers
        self._full_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, caller: str) -> Allowance:
        """Take a token from a caller's bucket, if there is one."""
        now = self._clock()
        full_at = max(self._full_at.get(caller, now), now)
        missing = full_at + self._interval - now
        is_granted = missing <= self._room
        if is_granted:
            full_at += self._interval
        self._full_at[caller] = full_at
        self._full_at.move_to_end(caller)
        if len(self._full_at) > self._max_callers:
            self._full_at.popitem(last=False)
        return Allowance(
            is_granted=is_granted,
            remaining=(self._room - missing) // self._interval if is_granted else 0,
            reset_seconds=_seconds(full_at - now),
            retry_seconds=0 if is_granted else _seconds(missing - self._room),
        )


def _seconds(nanoseconds: int) -> int:
    return -(-nanoseconds // _SECOND)
