"""Ids that sort by the time they were made."""

from uuid import UUID

from adapters.system import SystemClock, SystemIds
from tests.support.event_log import SetClock


def milliseconds(made: UUID) -> int:
    return made.int >> 80


def test_the_parts_of_a_uuid7_are_where_the_standard_puts_them() -> None:
    made = SystemIds(SetClock(1_645_557_742_000_000)).uuid7()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    # The time of the example in RFC 9562, appendix A.6.
    assert str(made).startswith("017f22e2-79b0-7")
    assert milliseconds(made) == 1_645_557_742_000


def test_ids_increase_inside_a_millisecond_and_beyond_its_counter() -> None:
    ids = SystemIds(SetClock())
    made = [ids.uuid7() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {"specified in RFC 4122"}
    # 4,096 numbers and a random start below 2,048: the counter runs at most three milliseconds ahead of the clock.
    assert milliseconds(made[-1]) - milliseconds(made[0]) <= 3


def test_ids_increase_when_the_clock_goes_back() -> None:
    clock = SetClock(5_000_000)
    ids = SystemIds(clock)
    before = ids.uuid7()
    clock.time = 1_000_000
    after = ids.uuid7()
    assert after > before
    clock.time = 9_000_000
    assert milliseconds(ids.uuid7()) == 9_000


def test_ids_of_two_sources_differ() -> None:
    clock = SetClock()
    first, second = SystemIds(clock), SystemIds(clock)
    assert len({source.uuid7().int & (1 << 62) - 1 for source in (first, second) for _ in range(100)}) == 200


def test_the_clock_counts_microseconds() -> None:
    clock = SystemClock()
    first, second = clock.now(), clock.now()
    # Between 2020 and 2100.
    assert 1_577_836_800_000_000 < first <= second < 4_102_444_800_000_000


def test_random_values_keep_their_bounds() -> None:
    ids = SystemIds()
    assert {ids.choose(3) for _ in range(200)} == {0, 1, 2}
    assert len({ids.token(16) for _ in range(50)}) == 50
    assert len(ids.token(18)) == 24
