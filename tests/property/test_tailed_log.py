"""A tailed log reads as the log itself does, whoever appends what; a page may only be shorter."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from application.ports.event_log import Appended, AppendRequest, Conflicted, NewEvent
from domain.access import StatsReset
from domain.events import EventMeta, RecordedEvent, encode
from domain.ids import EventId, Position, access_key
from projections.tailed_log import TailedLog
from tests.support.memory_event_log import MemoryEventLog

ARTIFACT = uuid4()


class CountingLog(MemoryEventLog):
    """Counts the reads that come to it."""

    reads = 0

    async def read(self, after: Position, limit: int) -> Sequence[RecordedEvent]:
        self.reads += 1
        return await super().read(after, limit)


async def compare(tailed: TailedLog, log: MemoryEventLog, after: Position, limit: int) -> None:
    found, expected = await tailed.read(after, limit), await log.read(after, limit)
    assert list(found) == list(expected[: len(found)])
    assert bool(found) == bool(expected)


def request(count: int, *, is_reference: bool = False, expected: int = 0) -> AppendRequest:
    key = access_key(uuid4())
    payload = StatsReset(artifact_id=ARTIFACT)
    events = tuple(
        NewEvent(
            key=key,
            payload=payload,
            data=encode(payload),
            payload_sha256=bytes(32) if is_reference else None,
            meta=EventMeta(event_id=EventId(uuid4()), stream_version=number, actor="alice", recorded_at=number),
            correlation_id="request",
        )
        for number in range(1, count + 1)
    )
    return AppendRequest(events=events, expected={key.id: expected})


steps = st.one_of(
    st.tuples(st.sampled_from(["own", "foreign", "reference"]), st.integers(1, 4)),
    st.tuples(st.just("read"), st.integers(0, 40), st.integers(1, 10)),
)


@settings(deadline=None)
@given(st.lists(steps, max_size=30), st.integers(1, 5), st.integers(100, 2_000))
def test_every_read_is_a_beginning_of_what_the_log_gives(
    script: list[tuple[object, ...]], tail_events: int, tail_bytes: int
) -> None:
    async def play() -> None:
        log = MemoryEventLog()
        tailed = TailedLog(log, tail_events=tail_events, tail_bytes=tail_bytes)
        for step in script:
            match step:
                case ("own", int() as count):
                    await tailed.append([request(count), request(1, expected=1), request(count)])
                case ("foreign", int() as count):
                    await log.append([request(count)])
                case ("reference", int() as count):
                    await tailed.append([request(count, is_reference=True)])
                case ("read", int() as after, int() as limit):
                    await compare(tailed, log, Position(after), limit)
        newest = await tailed.position()
        for after in range(newest + 2):
            await compare(tailed, log, Position(after), 3)

    asyncio.run(play())


async def test_what_was_just_appended_comes_from_memory() -> None:
    log = CountingLog()
    tailed = TailedLog(log)
    stored, refused = await tailed.append([request(2), request(1, expected=1)])
    assert isinstance(stored, Appended)
    assert isinstance(refused, Conflicted)
    assert [event.envelope.position for event in await tailed.read(Position(0), 10)] == [1, 2]
    assert [event.envelope.position for event in await tailed.read(Position(1), 10)] == [2]
    assert log.reads == 0
    assert await tailed.read(Position(2), 10) == []
    assert log.reads == 1


async def test_it_keeps_no_more_than_its_bounds() -> None:
    log = CountingLog()
    tailed = TailedLog(log, tail_events=10)
    for _ in range(7):
        await tailed.append([request(3)])
    await tailed.read(Position(11), 1)
    assert log.reads == 0
    await tailed.read(Position(10), 1)
    assert log.reads == 1
    small = TailedLog(log, tail_bytes=10)
    await small.append([request(1)])
    await small.read(Position(21), 1)
    assert log.reads == 2


async def test_the_rest_is_passed_on() -> None:
    log = MemoryEventLog()
    tailed = TailedLog(log)
    one = request(2)
    await tailed.append([one])
    stream = one.events[0].key.id
    assert tailed.epoch() == log.epoch()
    assert tailed.change_marker() == log.change_marker()
    assert await tailed.heads([stream]) == await log.heads([stream])
    assert len(await tailed.read_stream(stream, after_version=1, up_to_version=2)) == 1
    assert await tailed.wait_for_change(Position(0), 1) == 2
    assert await tailed.history(artifact_id=ARTIFACT, before=None, limit=5) == []
    found = await tailed.find(one.events[0].meta.event_id)
    assert found is not None
    await tailed.close()
    assert await tailed.read(Position(0), 1) == await log.read(Position(0), 1)
