"""The cache of states: never old, rarely asking."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from application.state_cache import FOLD_PAGE_EVENTS, StateCache, Versioned
from application.state_sizes import BASE_BYTES
from domain.errors import UnavailableError
from domain.events import Event, EventMeta
from domain.ids import StreamKey, StreamKind
from tests.support.event_log import Bench, ScriptedEventLog, Sum, fold, key, new_event, request, spin


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[ScriptedEventLog]:
    log = ScriptedEventLog(tmp_path / "log.db")
    yield log
    await log.close()


async def append(log: ScriptedEventLog, stream: StreamKey, first: int, last: int) -> None:
    await log.append([request(*(new_event(stream, version) for version in range(first, last + 1)))])


async def total(cache: StateCache, stream: StreamKey) -> tuple[int, int]:
    value = (await cache.get([stream]))[stream]
    return (value.state.total if value.state else 0), value.version


async def test_a_state_is_folded_once_and_then_answered_without_a_query(log: ScriptedEventLog) -> None:
    cache, first, second, absent = StateCache(log, fold), key(), key(), key()
    await append(log, first, 1, 3)
    await append(log, second, 1, 1)
    states = await cache.get([first, second, absent])
    assert states[first] == Versioned(Sum(3, ("", "", ""), 1), 3)
    assert states[second].version == 1
    assert states[absent] == Versioned(None, 0)
    queries = len(log.heads_asked), log.stream_reads
    for _ in range(5):
        assert (await cache.get([second, first]))[first] == states[first]
    assert (len(log.heads_asked), log.stream_reads) == queries


async def test_what_anybody_appends_is_seen_and_only_the_new_events_are_read(
    log: ScriptedEventLog, tmp_path: Path
) -> None:
    cache, stream = StateCache(log, fold), key()
    await append(log, stream, 1, 2)
    assert await total(cache, stream) == (2, 2)
    other = ScriptedEventLog(tmp_path / "log.db")
    await append(other, stream, 3, 3)
    assert await total(cache, stream) == (3, 3)
    await append(other, key(), 1, 1)
    reads = log.stream_reads
    assert await total(cache, stream) == (3, 3)
    assert log.stream_reads == reads
    await other.close()


async def test_a_log_that_cannot_prove_anything_is_asked_every_time_but_once_for_all(log: ScriptedEventLog) -> None:
    log.has_marker = False
    cache, streams = StateCache(log, fold), [key() for _ in range(40)]
    for stream in streams:
        await append(log, stream, 1, 1)
    await cache.get(streams)
    log.heads_asked.clear()
    results = await asyncio.gather(*(total(cache, stream) for stream in streams for _ in range(3)))
    assert set(results) == {(1, 1)}
    assert log.heads_asked == [40]
    await total(cache, streams[0])
    assert log.heads_asked == [40, 1]


async def test_a_stream_that_is_taken_for_one_of_another_kind_keeps_its_own_state(log: ScriptedEventLog) -> None:
    def fold_artifacts(kind: StreamKind, state: Any, payload: Event, meta: EventMeta, stream_id: UUID) -> Any:
        return fold(kind, state, payload, meta, stream_id) if kind is StreamKind.ARTIFACT else None

    cache, artifact = StateCache(log, fold_artifacts), key()
    mistaken = StreamKey(StreamKind.STAGE, artifact.id)
    await append(log, artifact, 1, 2)
    assert (await cache.get([mistaken]))[mistaken] == Versioned(None, 2)
    assert await total(cache, artifact) == (2, 2)
    assert (await cache.get([mistaken]))[mistaken] == Versioned(None, 2)


@pytest.mark.parametrize("kind", tuple(StreamKind))
async def test_a_state_is_proven_to_be_current_until_anything_is_appended(
    log: ScriptedEventLog, kind: StreamKind
) -> None:
    cache, stream = StateCache(log, fold), StreamKey(kind, key().id)
    await append(log, stream, 1, 2)
    assert cache.proven(stream) is None, "nobody has looked at it yet"
    found = (await cache.get([stream]))[stream]
    assert cache.proven(stream) == found
    await append(log, key(), 1, 1)
    await spin(2)
    assert cache.proven(stream) is None, "the log has changed"


async def test_the_number_of_entries_is_bounded_and_the_oldest_go(log: ScriptedEventLog) -> None:
    cache, streams = StateCache(log, fold, max_entries=3), [key() for _ in range(4)]
    for stream in streams:
        await append(log, stream, 1, 1)
    for stream in streams[:3]:
        await total(cache, stream)
    await total(cache, streams[0])
    await total(cache, streams[3])
    assert [cache.peek(stream) is not None for stream in streams] == [True, False, True, True]


async def test_those_who_want_the_same_stream_share_one_load(log: ScriptedEventLog) -> None:
    cache, stream = StateCache(log, fold), key()
    await append(log, stream, 1, 2)
    waiting = [asyncio.create_task(total(cache, stream)) for _ in range(20)]
    await spin(1)
    waiting[0].cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [(2, 2)] * 19
    assert log.stream_reads == 1


async def test_a_long_stream_is_folded_in_parts(log: ScriptedEventLog) -> None:
    cache, stream = StateCache(log, fold), key()
    length = 2 * FOLD_PAGE_EVENTS
    await append(log, stream, 1, length)
    assert await total(cache, stream) == (length, length)
    assert log.stream_reads == 3
    await append(log, stream, length + 1, length + FOLD_PAGE_EVENTS + 1)
    assert await total(cache, stream) == (length + FOLD_PAGE_EVENTS + 1,) * 2


async def test_a_stream_that_is_never_folded_has_a_version_only(log: ScriptedEventLog) -> None:
    cache, stream = StateCache(log, fold), key(kind=StreamKind.ACCESS)
    await append(log, stream, 1, 5)
    assert (await cache.get([stream]))[stream] == Versioned(None, 5)
    await append(log, stream, 6, 6)
    assert (await cache.get([stream]))[stream] == Versioned(None, 6)
    assert log.stream_reads == 0


async def test_an_older_state_never_replaces_a_newer_one(log: ScriptedEventLog) -> None:
    cache, stream = StateCache(log, fold), key()
    cache.put(stream, Versioned(Sum(2), 2))
    cache.put(stream, Versioned(Sum(1), 1))
    assert cache.peek(stream) == Versioned(Sum(2), 2)


async def test_heads_without_events_are_an_error_and_no_endless_loop(log: ScriptedEventLog) -> None:
    cache, stream = StateCache(log, fold), key()
    await log.append([request(advances={stream.id: 0})])
    with pytest.raises(UnavailableError):
        await cache.get([stream])


async def test_a_failing_fold_concerns_those_who_ask_for_its_stream(log: ScriptedEventLog) -> None:
    def refusing(kind: StreamKind, state: object, payload: Event, meta: EventMeta, stream_id: UUID) -> object:
        raise ValueError("no fold")

    cache, stream = StateCache(log, refusing), key()
    await append(log, stream, 1, 1)
    for _ in range(2):
        with pytest.raises(ValueError, match="no fold"):
            await cache.get([stream])
    assert (await cache.get([key()])) != {}


async def test_a_get_sees_all_that_was_acknowledged_before_it_began(tmp_path: Path) -> None:
    async with Bench(tmp_path / "log.db") as here, Bench(tmp_path / "log.db") as there:
        streams, acknowledged = [key() for _ in range(3)], [0, 0, 0]
        is_over = False

        async def write(bench: Bench) -> None:
            for turn in range(40):
                place = turn % 3
                done = await bench.add(streams[place])
                acknowledged[place] = max(acknowledged[place], done.events[-1].envelope.stream_version)

        async def read(bench: Bench) -> int:
            gets = 0
            while not is_over:
                floor = list(acknowledged)
                found = await bench.cache.get(streams)
                for stream, least in zip(streams, floor, strict=True):
                    assert found[stream].version >= least
                    assert (found[stream].state or Sum()).total == found[stream].version
                gets += 1
                await asyncio.sleep(0)
            return gets

        readers = [asyncio.create_task(read(bench)) for bench in (here, there, there)]
        await asyncio.gather(write(here), write(here), write(there))
        is_over = True
        assert min(await asyncio.gather(*readers)) > 0
        assert sum(acknowledged) == 120


async def test_states_are_dropped_when_they_take_too_much_memory(log: ScriptedEventLog) -> None:
    cache, streams = StateCache(log, fold, max_bytes=2 * BASE_BYTES), [key() for _ in range(3)]
    for stream in streams:
        await append(log, stream, 1, 1)
        await total(cache, stream)
    reads = log.stream_reads
    await total(cache, streams[2])
    assert log.stream_reads == reads
    await total(cache, streams[0])
    assert log.stream_reads == reads + 1
