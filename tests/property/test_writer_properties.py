"""Two writers on one log, faults, and callers that leave: what is stored is always a serial order of whole units.

Each event carries what its decision saw of all streams that it declared. Replaying the log in order then shows whether
every stored decision was made on exactly the states at its place.
"""

import asyncio
import tempfile
from collections import defaultdict
from pathlib import Path

import msgspec
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.units import Done, States
from domain.errors import AlreadyExistsError, ConflictError, StorageFullError, UnavailableError
from domain.events import Outcome, RecordedEvent
from domain.ids import StreamId, StreamKey, children_counter
from tests.support.event_log import Added, Bench, Sum, add, key, spin, unit

STREAMS = [key(number) for number in range(1, 5)]
PARENT = STREAMS[0].id
COUNTER = children_counter(PARENT)
FAULTS = [None, StorageFullError("full"), UnavailableError("gone"), RuntimeError("before"), (RuntimeError("after"),)]


class Command(msgspec.Struct, frozen=True):
    """Writes streams, relies on others, moves or reads the counter; refuses when a sum has reached its limit."""

    writer: int
    writes: tuple[int, ...]
    relies: frozenset[int]
    limit: int
    children: int | None
    reads_counter: bool
    delay: int
    leaves_after: int | None


class Seen(msgspec.Struct):
    """The note of an event: its unit, how many events that has, and what was seen when it was decided."""

    unit: int
    size: int
    versions: dict[str, int]
    children: int | None
    moved: int | None


indexes = st.integers(0, len(STREAMS) - 1)
commands = st.builds(
    Command,
    writer=st.integers(0, 1),
    writes=st.lists(indexes, max_size=3).map(tuple),
    relies=st.frozensets(indexes, max_size=2),
    limit=st.sampled_from([1, 3, 1_000, 1_000]),
    children=st.sampled_from([None, None, 1, -1]),
    reads_counter=st.booleans(),
    delay=st.integers(0, 12),
    leaves_after=st.one_of(st.none(), st.none(), st.integers(0, 40)),
)
Answer = Done | BaseException


async def execute(benches: list[Bench], number: int, command: Command) -> Answer:
    declared = tuple(STREAMS[index] for index in sorted({*command.writes, *command.relies}))
    counters = (COUNTER,) if command.reads_counter else ()

    def decide(states: States) -> Outcome:
        for stream in declared:
            state: Sum | None = states.get(stream)
            if state is not None and state.total >= command.limit:
                raise AlreadyExistsError(str(stream.id.int))
        seen = Seen(
            unit=number,
            size=len(command.writes),
            versions={str(stream.id.int): states.version(stream) for stream in declared},
            children=states.children(PARENT) if counters else None,
            moved=command.children,
        )
        note = msgspec.json.encode(seen).decode()
        advances = {} if command.children is None or not command.writes else {COUNTER: command.children}
        events = tuple(add(STREAMS[index], note=note) for index in command.writes)
        return Outcome(events=events, advances=advances)

    await spin(command.delay)
    running = asyncio.create_task(benches[command.writer].writer.execute(unit(decide, *declared, counters=counters)))
    if command.leaves_after is not None:
        await spin(command.leaves_after)
        running.cancel()
    try:
        return await running
    except (asyncio.CancelledError, Exception) as error:  # noqa: BLE001 - The answer is what is looked at.
        return error


def replay(stored: list[RecordedEvent]) -> tuple[dict[int, list[RecordedEvent]], list[dict[StreamId, Sum]], int]:
    """Check each unit against the states at its place; give units, the states after each event, and the children."""
    units: dict[int, list[RecordedEvent]] = defaultdict(list)
    sums: dict[StreamId, Sum] = defaultdict(Sum)
    versions: dict[StreamId, int] = defaultdict(int)
    after: list[dict[StreamId, Sum]] = [{}]
    children = 0
    for place, event in enumerate(stored, 1):
        envelope, payload = event.envelope, event.payload
        assert isinstance(payload, Added)
        seen = msgspec.json.decode(payload.note, type=Seen)
        mine = units[seen.unit]
        if not mine:
            assert seen.versions == {number: versions[key(int(number)).id] for number in seen.versions}
            assert seen.children in {None, children}
        else:
            assert mine[-1].envelope.position == place - 1, "a unit's events follow each other"
        mine.append(event)
        assert envelope.position == place
        assert envelope.stream_version == versions[envelope.stream_id] + 1
        versions[envelope.stream_id] += 1
        known = sums[envelope.stream_id]
        sums[envelope.stream_id] = Sum(known.total + payload.amount, (*known.notes, payload.note), envelope.recorded_at)
        if len(mine) == seen.size:
            children += seen.moved or 0
        after.append(dict(sums))
    for events in units.values():
        assert isinstance(events[0].payload, Added)
        assert len(events) == msgspec.json.decode(events[0].payload.note, type=Seen).size, "no half unit"
    return units, after, children


def check(command: Command, answer: Answer, events: list[RecordedEvent], after: list[dict[StreamId, Sum]]) -> None:
    match answer:
        case Done():
            assert list(answer.events) == events
            if events:
                assert answer.position == events[-1].envelope.position
        case asyncio.CancelledError():
            assert command.leaves_after is not None
        case AlreadyExistsError():
            assert events == []
            reached = after[-1].get(key(int(answer.detail)).id, Sum()).total
            assert reached >= command.limit, "it was refused because of something that was never stored"
        case _:
            assert isinstance(answer, StorageFullError | UnavailableError | ConflictError)
            assert events == []


def check_states(answer: Done, after: list[dict[StreamId, Sum]]) -> None:
    for stream, state in answer.states.items():
        possible = [sums.get(stream.id) for sums in after[answer.position :]]
        assert state in possible, "states are those after the unit, or later ones when its answer was lost"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(commands, min_size=1, max_size=30),
    st.lists(st.sampled_from(FAULTS), max_size=4),
    st.lists(st.sampled_from(FAULTS), max_size=4),
)
def test_what_is_stored_is_a_serial_order_of_whole_units(
    to_run: list[Command],
    faults_here: list[Exception | tuple[Exception] | None],
    faults_there: list[Exception | tuple[Exception] | None],
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.db"
            async with Bench(path) as here, Bench(path) as there:
                here.log.script, there.log.script = list(faults_here), list(faults_there)
                running = (execute([here, there], number, command) for number, command in enumerate(to_run))
                answers = await asyncio.gather(*running)
                here.log.script, there.log.script = [], []
                await here.writer.close()
                await there.writer.close()
                stored = list(await here.stored())
                units, after, children = replay(stored)
                for number, (command, answer) in enumerate(zip(to_run, answers, strict=True)):
                    check(command, answer, units.get(number, []), after)
                    if isinstance(answer, Done):
                        check_states(answer, after)
                assert (await here.log.heads([COUNTER]))[COUNTER].children == children
                for stream in STREAMS:
                    await here.log.verify_chain(stream.id)
                    await cached_as_stored([here, there], stream, after[-1])

    # The faults are logged with tracebacks, whose rendering would take most of the time.
    with structlog.testing.capture_logs():
        asyncio.run(run())


async def cached_as_stored(benches: list[Bench], stream: StreamKey, sums: dict[StreamId, Sum]) -> None:
    for bench in benches:
        assert (await bench.cache.get([stream]))[stream].state == sums.get(stream.id)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 6)), min_size=2, max_size=60))
def test_parallel_additions_to_few_streams_lose_nothing(additions: list[tuple[int, int, int]]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.db"
            async with Bench(path) as here, Bench(path) as there:

                async def one(writer: int, index: int, delay: int) -> Done:
                    await spin(delay)
                    return await (here, there)[writer].add(STREAMS[index])

                done = await asyncio.gather(*(one(*addition) for addition in additions))
                assert sorted(answer.position for answer in done) == list(range(1, len(additions) + 1))
                for index, stream in enumerate(STREAMS):
                    expected = sum(1 for addition in additions if addition[1] == index)
                    assert (await here.cache.get([stream]))[stream].version == expected

    asyncio.run(run())
