"""Token buckets: what a caller gets at once, what later, and how much is remembered."""

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.rate_limits import TokenBuckets

SECOND = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 5 * SECOND

    def __call__(self) -> int:
        return self.now


def _buckets(clock: Clock, per_second: float = 2, burst: int = 3, max_callers: int = 100) -> TokenBuckets:
    return TokenBuckets(per_second=per_second, burst=burst, clock=clock, max_callers=max_callers)


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    buckets = _buckets(clock)
    assert [buckets.take("a").is_granted for _ in range(5)] == [True, True, True, False, False]
    clock.now += SECOND // 2 - 1
    assert not buckets.take("a").is_granted
    clock.now += 1
    assert [buckets.take("a").is_granted for _ in range(2)] == [True, False]
    clock.now += 60 * SECOND
    assert [buckets.take("a").is_granted for _ in range(4)] == [True, True, True, False]


def test_what_a_caller_is_told() -> None:
    clock = Clock()
    buckets = _buckets(clock, per_second=0.5, burst=2)
    assert (buckets.burst, buckets.window_seconds) == (2, 4)
    assert buckets.take("a") == (True, 1, 2, 0)
    assert buckets.take("a") == (True, 0, 4, 0)
    clock.now += SECOND // 2
    assert buckets.take("a") == (False, 0, 4, 2)
    clock.now += 3 * SECOND // 2
    assert buckets.take("a") == (True, 0, 4, 0)


def test_callers_have_nothing_to_do_with_each_other() -> None:
    buckets = _buckets(Clock(), burst=1)
    assert [buckets.take(caller).is_granted for caller in "abab"] == [True, True, False, False]


def test_of_too_many_callers_the_least_recently_seen_begin_anew() -> None:
    buckets = _buckets(Clock(), burst=1, max_callers=3)
    for caller in "abc":
        buckets.take(caller)
    # A refusal is being seen as well, so that asking in vain again and again frees nobody.
    assert not buckets.take("a").is_granted
    assert buckets.take("d").is_granted
    assert len(buckets) == 3
    assert not buckets.take("a").is_granted
    assert buckets.take("b").is_granted


@given(
    per_second=st.sampled_from([0.001, 0.5, 1, 3, 7.5, 100, 1_000_000]),
    burst=st.integers(1, 50),
    waits=st.lists(st.integers(0, 3 * SECOND), max_size=200),
)
def test_a_bucket_holds_what_a_bucket_of_water_would(per_second: float, burst: int, waits: Sequence[int]) -> None:
    clock = Clock()
    buckets = _buckets(clock, per_second, burst)
    drop = Fraction(1, round(SECOND / per_second))
    level = Fraction(burst)
    for wait in waits:
        clock.now += wait
        level = min(Fraction(burst), level + wait * drop)
        allowance = buckets.take("a")
        assert allowance.is_granted is (level >= 1)
        level -= allowance.is_granted
        assert allowance.remaining == (int(level) if allowance.is_granted else 0)
        if not allowance.is_granted:
            # Who waits as long as he is told is let in, and half of that may be too early.
            assert level + allowance.retry_seconds * SECOND * drop >= 1
            assert level + (allowance.retry_seconds - 1) * SECOND * drop < 1
        assert level + allowance.reset_seconds * SECOND * drop >= burst


@pytest.mark.parametrize("per_second", [0.001, 1_000_000])
def test_extreme_rates(per_second: float) -> None:
    clock = Clock()
    buckets = _buckets(clock, per_second, burst=1_000_000)
    assert buckets.take("a").remaining == 999_999
    clock.now += round(SECOND / per_second)
    assert buckets.take("a").remaining == 999_999
