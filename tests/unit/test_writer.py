"""The group-commit writer: who is answered what, and when."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.system import SystemIds
from application.large_payloads import LargePayloadEventLog
from application.ports.event_log import StreamHead
from application.ports.object_store import StoredObject
from application.state_cache import StateCache
from application.units import States
from application.writer import CommandWriter
from domain.errors import (
    AlreadyExistsError,
    ConflictError,
    NotEmptyError,
    StorageFullError,
    UnavailableError,
)
from domain.events import Outcome
from domain.ids import StreamKey, StreamKind, children_counter
from tests.support.event_log import Added, Bench, SetClock, Sum, add, adding, fold, key, request, spin, unit, until
from tests.support.object_store import MemoryObjectStore


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(tmp_path / "log.db") as bench:
        yield bench


@pytest.fixture
async def other(tmp_path: Path, bench: Bench) -> AsyncIterator[Bench]:
    """A second process on the log of `bench`."""
    async with Bench(tmp_path / "log.db") as other:
        yield other


async def test_a_unit_is_answered_with_its_events_states_and_position(bench: Bench) -> None:
    first, second = key(), key()
    await bench.add(first, amount=2, note="a")
    done = await bench.add(first, second, amount=3, note="b", comment="why", on_behalf_of="bob", causation_id="c")
    assert [event.payload for event in done.events] == [Added(amount=3, note="b")] * 2
    assert [event.envelope.stream_version for event in done.events] == [2, 1]
    at = done.events[0].envelope.recorded_at
    assert done.states == {first: Sum(5, ("a", "b"), at), second: Sum(3, ("b",), at)}
    assert done.position == done.events[-1].envelope.position == 3
    envelope = done.events[0].envelope
    assert (envelope.comment, envelope.actor, envelope.on_behalf_of) == ("why", "alice", "bob")
    assert (envelope.correlation_id, envelope.causation_id) == ("test", "c")
    assert await bench.stored() == [*await bench.log.read_stream(first.id)][:1] + list(done.events)


async def test_all_that_waits_is_one_append_and_each_sees_the_one_before(bench: Bench) -> None:
    stream = key()
    seen: list[int] = []

    def decide(states: States) -> Outcome:
        seen.append(states.version(stream))
        return adding(add(stream))

    await asyncio.gather(*(bench.writer.execute(unit(decide, stream)) for _ in range(100)))
    assert seen == list(range(100))
    assert bench.log.appended == [100]


async def test_a_refusal_concerns_its_caller_alone(bench: Bench) -> None:
    stream = key()

    def refuse(_: States) -> Outcome:
        raise AlreadyExistsError("taken")

    def stumble(_: States) -> Outcome:
        raise ZeroDivisionError

    results = await asyncio.gather(
        bench.add(stream),
        bench.writer.execute(unit(refuse, stream)),
        bench.writer.execute(unit(stumble)),
        bench.writer.execute(unit(lambda states: states.get(key()), stream)),
        bench.writer.execute(unit(lambda _: adding(add(stream), add(stream)), stream, comment="\ud800")),
        bench.add(stream),
        return_exceptions=True,
    )
    assert [type(result).__name__ for result in results] == [
        "Done",
        "AlreadyExistsError",
        "ZeroDivisionError",
        "KeyError",
        "UnicodeEncodeError",
        "Done",
    ]
    assert [event.envelope.stream_version for event in await bench.stored()] == [1, 2]


async def test_a_unit_that_emits_nothing_gets_the_position_of_the_log(bench: Bench, other: Bench) -> None:
    stream = key()
    await bench.add(stream)
    await other.add(key())
    done = await bench.writer.execute(unit(lambda _: Outcome(), stream))
    assert (list(done.events), done.position, done.states[stream].total) == ([], 2, 1)


@pytest.mark.parametrize("answer", ["nothing", "refusal"])
async def test_no_answer_rests_on_an_old_state(bench: Bench, other: Bench, answer: str) -> None:
    stream = key()
    await bench.add(stream)
    await other.add(stream)
    seen: list[int] = []

    def decide(states: States) -> Outcome:
        seen.append(states.version(stream))
        if answer == "refusal" and states.version(stream) < 2:
            raise AlreadyExistsError("too early")
        return Outcome()

    done = await bench.writer.execute(unit(decide, stream))
    assert seen == [1, 2]
    assert done.states[stream].total == 2


async def test_a_stream_that_was_only_relied_on_makes_the_decision_run_again(bench: Bench, other: Bench) -> None:
    parent, child = key(), key()
    await bench.add(parent)
    await other.add(parent)
    done = await bench.writer.execute(unit(lambda states: adding(add(child, states.get(parent).total)), parent, child))
    assert done.states[child].total == 2


async def test_an_undeclared_stream_is_taken_as_new_and_looked_up_when_it_is_not(bench: Bench, other: Bench) -> None:
    known, foreign, fresh = key(), key(), key()
    await bench.add(known)
    await other.add(foreign)
    outcome = adding(add(known), add(foreign), add(fresh), add(fresh))
    done = await bench.writer.execute(unit(lambda _: outcome))
    assert [event.envelope.stream_version for event in done.events] == [2, 2, 1, 2]
    assert {stream: state.total for stream, state in done.states.items()} == {known: 2, foreign: 2, fresh: 2}


async def test_children_are_counted_across_units_and_processes(bench: Bench, other: Bench) -> None:
    parent = uuid4()
    counter = children_counter(parent)

    async def create(where: Bench) -> None:
        child = key()
        await where.writer.execute(unit(lambda _: Outcome(events=(add(child),), advances={counter: 1})))

    def delete(states: States) -> Outcome:
        if states.children(parent):
            raise NotEmptyError(str(states.children(parent)))
        return adding(add(key()))

    await asyncio.gather(*(create(bench) for _ in range(3)))
    await create(other)
    with pytest.raises(NotEmptyError, match="4"):
        await bench.writer.execute(unit(delete, counters=(counter,)))
    results = await asyncio.gather(
        create(bench), bench.writer.execute(unit(delete, counters=(counter,))), return_exceptions=True
    )
    assert str(results[1]) == "5"
    assert (await bench.log.heads([counter]))[counter] == StreamHead(5, 5)


async def test_a_child_that_another_process_adds_meanwhile_stops_a_delete(bench: Bench, other: Bench) -> None:
    parent = uuid4()
    counter = children_counter(parent)
    other_create = unit(lambda _: Outcome(events=(add(key()),), advances={counter: 1}))
    seen: list[int] = []

    def delete(states: States) -> Outcome:
        seen.append(states.children(parent))
        if states.children(parent):
            raise NotEmptyError("children")
        return adding(add(key()))

    async def overtake() -> None:
        # The counter has been read; now the other process moves it; then the decision runs. The append must notice.
        if not seen:
            await other.writer.execute(other_create)

    bench.log.after_heads = overtake
    with pytest.raises(NotEmptyError):
        await bench.writer.execute(unit(delete, counters=(counter,)))
    assert seen == [0, 1]


async def test_who_is_always_overtaken_gets_a_conflict_and_nothing_is_stored(bench: Bench, other: Bench) -> None:
    stream = key()
    attempts = 0

    def decide(_: States) -> Outcome:
        nonlocal attempts
        attempts += 1
        return adding(add(stream, note="mine"))

    bench.log.before_append = lambda: other.add(stream)
    with pytest.raises(ConflictError):
        await bench.writer.execute(unit(decide, stream))
    assert attempts == 10
    assert {event.payload for event in await bench.stored()} == {Added(amount=1)}


async def test_a_failing_append_fails_its_batch_and_nothing_of_it_is_remembered(bench: Bench) -> None:
    stream = key()
    await bench.add(stream)
    bench.log.script = [StorageFullError("full"), UnavailableError("gone")]
    for expected in (StorageFullError, UnavailableError):
        results = await asyncio.gather(*(bench.add(stream) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [expected] * 3
        assert len({id(result) for result in results}) == 3
    done = await bench.add(stream)
    assert done.states[stream].total == 2
    assert len(await bench.stored()) == 2


async def test_a_lost_answer_is_looked_up(bench: Bench) -> None:
    stream, other_stream = key(), key()
    bench.log.script = [(RuntimeError("lost after the commit"),), RuntimeError("lost before it")]
    done = await bench.add(stream, other_stream, note="a")
    assert [event.envelope.position for event in done.events] == [1, 2]
    assert done.states[stream].notes == ("a",)
    with pytest.raises(UnavailableError):
        await bench.add(stream, note="b")
    done = await bench.add(stream, note="c")
    assert done.states[stream].notes == ("a", "c")


async def test_a_caller_that_goes_before_its_decision_leaves_nothing(bench: Bench) -> None:
    stream = key()
    decided = False

    def decide(_: States) -> Outcome:
        nonlocal decided
        decided = True
        return adding(add(stream))

    task = asyncio.create_task(bench.writer.execute(unit(decide, stream)))
    await spin(1)
    task.cancel()
    await bench.add(stream)
    assert task.cancelled()
    assert not decided
    assert len(await bench.stored()) == 1


async def test_a_caller_that_goes_during_the_append_leaves_all(bench: Bench) -> None:
    streams = [key(), key()]
    task = asyncio.create_task(bench.add(*streams))
    await until(lambda: bench.log.begun == 1)
    task.cancel()
    await bench.add(key())
    assert task.cancelled()
    stored = [event.envelope.stream_id for event in await bench.stored()]
    assert stored[:2] == [stream.id for stream in streams]
    assert (await bench.add(streams[0])).states[streams[0]].total == 2


async def test_times_never_go_back_and_states_have_the_times_of_the_log(tmp_path: Path) -> None:
    clock = SetClock(100)
    stream, later = key(), key()
    async with (
        Bench(tmp_path / "log.db", clock=clock) as bench,
        Bench(tmp_path / "log.db", clock=SetClock(900)) as ahead,
    ):
        await bench.add(stream)
        clock.time = 50
        assert (await bench.add(stream)).states[stream].changed_at == 100
        await ahead.add(key())
        clock.time = 700
        results = await asyncio.gather(
            bench.add(stream),
            bench.add(stream, later),
            bench.writer.execute(unit(lambda _: Outcome(), stream)),
        )
        assert [done.states[stream].changed_at for done in results] == [900] * 3
        assert results[2].states[stream].total == 4
        peeked = bench.cache.peek(later)
        assert peeked is not None
        assert peeked.state.changed_at == 900
        clock.time = 950
        assert (await bench.add(stream)).states[stream].changed_at == 950
        assert [event.envelope.recorded_at for event in await bench.stored()] == [100, 100, *[900] * 4, 950]


async def test_access_streams_are_counted_and_not_folded(bench: Bench) -> None:
    stream = key(kind=StreamKind.ACCESS)
    for version in (1, 2):
        done = await bench.writer.execute(unit(lambda _: adding(add(stream)), stream))
        assert done.states == {stream: None}
        assert done.events[0].envelope.stream_version == version
    assert bench.log.stream_reads == 0


async def test_a_large_batch_is_cut_and_nothing_is_lost(bench: Bench) -> None:
    stream = key()
    note = "x" * 400_000
    results = await asyncio.gather(*(bench.add(stream, note=note) for _ in range(50)))
    assert [done.position for done in results] == list(range(1, 51))
    assert len(bench.log.appended) > 2
    assert sum(bench.log.appended) == 50


async def test_a_full_queue_answers_after_a_bounded_wait(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with Bench(tmp_path / "log.db", queue_limit=2, queue_wait_seconds=0.01) as bench:
        bench.log.before_append = gate.wait
        tasks = [asyncio.create_task(bench.add(key()))]
        await until(lambda: bench.log.begun == 1)
        tasks += [asyncio.create_task(bench.add(key())) for _ in range(2)]
        await spin(3)
        with pytest.raises(UnavailableError, match="Too many"):
            await bench.add(key())
        gate.set()
        await asyncio.gather(*tasks)
        await bench.add(key())
        assert len(await bench.stored()) == 4


async def test_who_waits_for_a_place_gets_the_next_one(tmp_path: Path) -> None:
    async with Bench(tmp_path / "log.db", queue_limit=1) as bench:
        await asyncio.gather(*(bench.add(key()) for _ in range(20)))
        assert len(await bench.stored()) == 20


async def test_closing_finishes_what_waits_and_takes_nothing_new(bench: Bench) -> None:
    tasks = [asyncio.create_task(bench.add(key())) for _ in range(10)]
    await spin(1)
    closing = asyncio.create_task(bench.writer.close())
    await spin(1)
    with pytest.raises(UnavailableError, match="shutting down"):
        await bench.add(key())
    await closing
    assert all(task.done() for task in tasks)
    assert len(await bench.stored()) == 10


async def test_a_stream_that_cannot_be_loaded_fails_its_own_caller(bench: Bench) -> None:
    broken, sound = key(), key()
    await bench.log.append([request(advances={broken.id: 0})])
    results = await asyncio.gather(
        bench.add(sound), bench.add(broken), bench.add(sound), bench.add(sound, broken), return_exceptions=True
    )
    assert [type(result).__name__ for result in results] == ["Done", "UnavailableError", "Done", "UnavailableError"]


async def test_a_large_payload_that_cannot_be_stored_fails_its_own_caller(bench: Bench) -> None:
    class FullStore(MemoryObjectStore):
        async def put(self, key: str, data: bytes) -> StoredObject:
            raise StorageFullError("full")

    log, stream = LargePayloadEventLog(bench.log, FullStore()), key()
    writer = CommandWriter(log=log, cache=StateCache(log, fold), clock=SetClock(), ids=SystemIds(), fold=fold)
    notes = ("", "x" * 600_000, "")
    units = [unit(partial(_add_note, stream, note), stream) for note in notes]
    results = await asyncio.gather(*(writer.execute(one) for one in units), return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["Done", "StorageFullError", "Done"]
    assert [event.envelope.stream_version for event in await bench.stored()] == [1, 2]
    await writer.close()


def _add_note(stream: StreamKey, note: str, _: States) -> Outcome:
    return adding(add(stream, note=note))
