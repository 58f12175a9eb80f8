"""What every event log does. A new adapter is one more parameter of the fixture."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from adapters.event_log.sqlite import SqliteEventLog
from application.large_payloads import LargePayloadEventLog
from application.ports.event_log import Appended, AppendRequest, Conflicted, EventLog, StreamHead
from domain.errors import UnavailableError
from domain.ids import EventId, Position, StreamId, children_counter
from tests.support.event_log import Added, key, new_event, request
from tests.support.object_store import MemoryObjectStore

Open = Callable[[], EventLog]


def _sqlite(path: Path) -> EventLog:
    return SqliteEventLog(path, "test")


def _with_large_payloads(path: Path) -> EventLog:
    return LargePayloadEventLog(SqliteEventLog(path, "test"), MemoryObjectStore())


@pytest.fixture(params=[_sqlite, _with_large_payloads], ids=["sqlite", "sqlite-large-payloads"])
async def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    opened: list[EventLog] = []

    def open_it() -> EventLog:
        opened.append(request.param(tmp_path / "log.db"))
        return opened[-1]

    yield open_it
    for log in opened:
        await log.close()


@pytest.fixture
async def log(open_log: Open) -> EventLog:
    return open_log()


async def test_the_size_grows_with_what_is_appended(log: EventLog) -> None:
    before = await log.size_bytes()
    stream = key()
    for number in range(1, 11):
        await log.append([request(new_event(stream, number, note="x" * 10_000))])
    after = await log.size_bytes()
    assert before + 100_000 <= after <= before + 400_000
    assert await log.size_bytes() == after


async def test_an_event_comes_back_as_it_was_appended(log: EventLog) -> None:
    stream, artifact = key(), uuid4()
    event = new_event(
        stream,
        1,
        amount=7,
        note="grüße\x00🙂",
        recorded_at=123,
        actor="token-1",
        on_behalf_of="alice",
        comment="first",
        workspace="ws-user-alice",
        artifact_id=artifact,
        causation_id="cause",
    )
    (result,) = await log.append([request(event)])
    assert isinstance(result, Appended)
    (read,) = await log.read_stream(stream.id)
    envelope = read.envelope
    assert read.payload == Added(amount=7, note="grüße\x00🙂")
    assert (envelope,) == result.envelopes
    assert (envelope.position, envelope.stream_id, envelope.stream_version) == (1, stream.id, 1)
    assert (envelope.type, envelope.schema_version) == ("test.added", 1)
    assert (envelope.actor, envelope.on_behalf_of, envelope.comment) == ("token-1", "alice", "first")
    assert (envelope.workspace, envelope.artifact_id) == ("ws-user-alice", artifact)
    assert (envelope.correlation_id, envelope.causation_id) == ("test", "cause")
    assert (envelope.event_id, envelope.recorded_at) == (event.meta.event_id, 123)
    assert len(envelope.payload_sha256) == len(envelope.chain_sha256) == 32


async def test_positions_have_no_gaps_and_pages_follow_each_other(log: EventLog) -> None:
    assert await log.position() == 0
    assert await log.read(Position(0), 10) == []
    stream, other = key(), key()
    await log.append([request(*(new_event(stream, version) for version in range(1, 71)))])
    await log.append([request(new_event(key(), 2)), request(new_event(other, 1)), request(new_event(stream, 71))])
    assert await log.position() == 72
    pages = [await log.read(Position(after), 50) for after in (0, 50, 72)]
    assert [[event.envelope.position for event in page] for page in pages] == [
        list(range(1, 51)),
        list(range(51, 73)),
        [],
    ]
    assert [event.envelope.position for event in await log.read(Position(70), 1)] == [71]


async def test_a_request_with_an_unexpected_version_is_refused_alone(log: EventLog) -> None:
    first, second, third = key(), key(), key()
    await log.append([request(new_event(first, 1))])
    refused = request(new_event(second, 1), new_event(first, 1))
    results = await log.append([request(new_event(third, 1)), refused, request(new_event(third, 2))])
    assert results[1] == Conflicted((first.id,))
    assert [isinstance(result, Appended) for result in results] == [True, False, True]
    assert await log.read_stream(second.id) == []
    assert [event.envelope.stream_id for event in await log.read(Position(0), 10)] == [first.id, third.id, third.id]


async def test_a_version_that_does_not_follow_is_refused_even_when_nothing_was_expected(log: EventLog) -> None:
    stream = key()
    skipping = AppendRequest(events=(new_event(stream, 1), new_event(stream, 3)), expected={})
    assert await log.append([skipping]) == [Conflicted((stream.id,))]
    assert await log.position() == 0


async def test_a_request_builds_on_those_before_it_and_falls_with_them(log: EventLog) -> None:
    good, bad = key(), key()
    results = await log.append(
        [
            request(new_event(good, 1)),
            request(new_event(bad, 5)),
            request(new_event(good, 2)),
            request(new_event(bad, 6), new_event(good, 3)),
        ]
    )
    assert [isinstance(result, Appended) for result in results] == [True, False, True, False]
    assert (await log.heads([good.id, bad.id])) == {good.id: StreamHead(2), bad.id: StreamHead(0)}


async def test_what_builds_on_a_refused_request_falls_even_if_somebody_else_took_its_version(log: EventLog) -> None:
    stream, relying, counter = key(), key(), children_counter(uuid4())
    await log.append([request(new_event(stream, 1), advances={counter: 0})])
    results = await log.append(
        [
            # Made on version 0, when the event of somebody else was not there yet; the next three are made on it.
            request(new_event(stream, 1), advances={counter: 1}),
            request(new_event(stream, 2)),
            AppendRequest(events=(new_event(relying, 1),), expected={stream.id: 1, relying.id: 0}),
            AppendRequest(events=(new_event(relying, 1),), expected={counter: 1, relying.id: 0}),
            # Nobody can tell on what this one was made, but it moves the counter without relying on it.
            request(new_event(key(), 1), advances={counter: 1}),
        ]
    )
    assert [isinstance(result, Appended) for result in results] == [False, False, False, False, True]
    assert results[1] == Conflicted((stream.id,))
    assert await log.heads([counter]) == {counter: StreamHead(2, 1)}


async def test_a_withdrawn_request_is_not_stored_nor_what_builds_on_it(log: EventLog) -> None:
    stream = key()
    withdrawn = msgspec.structs.replace(request(new_event(stream, 1)), is_withdrawn=True)
    results = await log.append([withdrawn, request(new_event(stream, 2)), request(new_event(key(), 1))])
    assert [isinstance(result, Appended) for result in results] == [False, False, True]
    assert await log.position() == 1


async def test_streams_relied_on_are_compared_too(log: EventLog) -> None:
    parent, child = key(), key()
    await log.append([request(new_event(parent, 1))])
    stale, current = (
        AppendRequest(events=(new_event(child, 1),), expected={parent.id: version, child.id: 0}) for version in (0, 1)
    )
    assert await log.append([stale]) == [Conflicted((parent.id,))]
    assert isinstance((await log.append([current]))[0], Appended)


async def test_children_are_counted_and_moves_are_seen_by_who_relies_on_the_count(log: EventLog) -> None:
    counter = children_counter(uuid4())
    first, second, third = key(), key(), key()
    await log.append(
        [
            request(new_event(first, 1), advances={counter: 1}),
            request(new_event(second, 1), advances={counter: 1}),
            request(new_event(second, 2), advances={counter: -1}),
            request(new_event(first, 2), advances={counter: 0}),
        ]
    )
    assert await log.heads([counter]) == {counter: StreamHead(4, 1)}
    emptiness = {counter: 3}
    stale = AppendRequest(events=(new_event(third, 1),), expected=emptiness, advances={counter: 1})
    assert await log.append([stale]) == [Conflicted((counter,))]
    assert await log.heads([counter]) == {counter: StreamHead(4, 1)}


async def test_a_request_without_events_checks_versions(log: EventLog) -> None:
    stream = key()
    await log.append([request(new_event(stream, 1))])
    results = await log.append(
        [
            AppendRequest(events=(), expected={stream.id: 1}),
            AppendRequest(events=(), expected={stream.id: 0}),
            request(new_event(stream, 2)),
            AppendRequest(events=(), expected={stream.id: 2}),
        ]
    )
    assert results[0] == Appended((), Position(1))
    assert results[1] == Conflicted((stream.id,))
    assert results[3] == Appended((), Position(2))


async def test_time_never_goes_back(log: EventLog) -> None:
    stream = key()
    await log.append([request(new_event(stream, 1, recorded_at=50), new_event(stream, 2, recorded_at=40))])
    await log.append([request(new_event(stream, 3, recorded_at=10)), request(new_event(stream, 4, recorded_at=60))])
    assert [event.envelope.recorded_at for event in await log.read_stream(stream.id)] == [50, 50, 50, 60]


@pytest.mark.parametrize("count", [5, 32, 33, 200])
async def test_parts_of_a_stream(log: EventLog, count: int) -> None:
    stream = key()
    await log.append([request(*(new_event(stream, version, amount=version) for version in range(1, count + 1)))])

    async def versions(after: int = 0, up_to: int | None = None) -> list[int]:
        events = await log.read_stream(stream.id, after_version=after, up_to_version=up_to)
        return [event.envelope.stream_version for event in events]

    assert await versions() == list(range(1, count + 1))
    assert await versions(after=2) == list(range(3, count + 1))
    assert await versions(up_to=count - 1) == list(range(1, count))
    assert await versions(after=1, up_to=3) == [2, 3]
    assert await versions(after=count) == []


@pytest.mark.parametrize("limit", [10, 100])
async def test_history_holds_all_streams_of_an_artifact_newest_first(log: EventLog, limit: int) -> None:
    artifact, other = uuid4(), uuid4()
    for _ in range(60):
        await log.append(
            [
                request(new_event(key(), 1, artifact_id=artifact)),
                request(new_event(key(), 1, artifact_id=other), new_event(key(), 1)),
            ]
        )
    mine = list(range(178, 0, -3))
    page = await log.history(artifact_id=artifact, before=None, limit=limit)
    assert [event.envelope.position for event in page] == mine[:limit]
    page = await log.history(artifact_id=artifact, before=Position(100), limit=limit)
    assert [event.envelope.position for event in page] == [place for place in mine if place < 100][:limit]


async def test_an_event_is_found_by_its_id(log: EventLog) -> None:
    event = new_event(key(), 1, amount=9)
    await log.append([request(event)])
    found = await log.find(event.meta.event_id)
    assert found is not None
    assert (found.payload, found.envelope.position) == (Added(amount=9), 1)
    assert await log.find(EventId(uuid4())) is None
    assert await log.has_event(event.meta.event_id)
    assert not await log.has_event(EventId(uuid4()))


async def test_a_waiting_reader_is_woken_by_an_append(log: EventLog) -> None:
    waiting = asyncio.create_task(log.wait_for_change(Position(1), 30))
    await log.append([request(new_event(key(), 1))])
    await asyncio.sleep(0)
    assert not waiting.done()
    await log.append([request(new_event(key(), 1))])
    assert await waiting == 2
    assert await log.wait_for_change(Position(0), 30) == 2
    assert await log.wait_for_change(Position(2), 0.01) == 2


async def test_the_change_marker_shows_every_append(log: EventLog, open_log: Open) -> None:
    other = open_log()
    for appending in (log, other, log):
        before = log.change_marker()
        assert log.change_marker() == before
        await appending.append([request(new_event(key(), 1))])
        after = log.change_marker()
        assert before is None or after != before


async def test_what_one_log_object_appends_the_other_knows(log: EventLog, open_log: Open) -> None:
    other, stream = open_log(), key()
    await log.append([request(new_event(stream, 1))])
    assert await other.position() == 1
    assert await other.append([request(new_event(stream, 1))]) == [Conflicted((stream.id,))]
    await other.append([request(new_event(stream, 2))])
    assert await log.position() == 2
    assert (await log.heads([stream.id]))[stream.id].version == 2
    assert await log.wait_for_change(Position(1), 30) == 2


async def test_everything_is_there_after_reopening(open_log: Open) -> None:
    log, stream = open_log(), key()
    counter = StreamId(uuid4())
    await log.append([request(new_event(stream, 1, recorded_at=99), advances={counter: 2})])
    epoch = log.epoch()
    await log.close()
    again = open_log()
    assert again.epoch() == epoch != ""
    assert await again.position() == 1
    assert await again.heads([stream.id, counter]) == {stream.id: StreamHead(1), counter: StreamHead(1, 2)}
    await again.append([request(new_event(stream, 2, recorded_at=1))])
    assert [event.envelope.recorded_at for event in await again.read(Position(0), 9)] == [99, 99]


async def test_parallel_appends_are_all_stored(log: EventLog) -> None:
    streams = [key() for _ in range(50)]
    results = await asyncio.gather(*(log.append([request(new_event(stream, 1))]) for stream in streams))
    assert sorted(result[0].position for result in results if isinstance(result[0], Appended)) == list(range(1, 51))


async def test_a_closed_log_says_so(log: EventLog) -> None:
    await log.close()
    await log.close()
    with pytest.raises(UnavailableError):
        await log.append([request(new_event(key(), 1))])
