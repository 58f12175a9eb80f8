"""The counters on SQLite: exact, once each, rebuilt identically, and a process sees its own accesses at once."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from adapters.event_log.sqlite import SqliteEventLog
from domain.access import CountChange, Counts
from domain.errors import StorageFullError, UnavailableError
from domain.ids import Position
from projections.registry import Registry, StaleFileError
from projections.runner import ProjectionRunner, rebuild, status
from projections.statistics.handler import statistics_model
from projections.statistics.recent import RecentTails
from projections.statistics.sqlite import CountersFile
from tests.support.accesses import Process
from tests.support.memory_event_log import MemoryEventLog


def rows_of(path: Path) -> list[tuple[bytes, int, int]]:
    """Read the tables as another program would."""
    connection = sqlite3.connect(path)
    try:
        rows: list[tuple[bytes, int, int]] = connection.execute(
            "SELECT * FROM counters UNION ALL SELECT x'', position, 0 FROM meta ORDER BY 1"
        ).fetchall()
    finally:
        connection.close()
    return rows


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - What happens in a thread has no event of its own.
            await asyncio.sleep(0.001)


async def some_accesses(process: Process, *artifacts: UUID) -> None:
    for number, artifact in enumerate(artifacts):
        for _ in range(number + 1):
            await process.view(artifact)
        await process.download(artifact, 500 * number)
        await process.view(artifact, is_counted=False)
        await process.download(artifact, 9_000, is_counted=False)


async def test_own_accesses_show_at_once_and_once(tmp_path: Path) -> None:
    process = await Process.start(MemoryEventLog(), tmp_path / "counters.db")
    artifact, other = uuid4(), uuid4()
    await process.view(artifact)
    assert await process.counts(artifact) == Counts(1, 0)
    await process.view(artifact)
    assert await process.counts(artifact) == Counts(2, 0)
    await process.download(artifact, 1_500)
    assert await process.counts(artifact) == Counts(2, 1_500)
    await process.project()
    assert await process.counts(artifact) == Counts(2, 1_500)
    assert len(process.recent) == 0
    await process.view(artifact, is_counted=False)
    await process.download(artifact, 1_500, is_counted=False)
    assert await process.statistics.counts([artifact, other]) == {artifact: Counts(2, 1_500), other: Counts(0, 0)}
    await process.stop()


async def test_a_thousand_concurrent_downloads_are_exact_in_memory_and_in_the_file(tmp_path: Path) -> None:
    process = await Process.start(MemoryEventLog(), tmp_path / "counters.db")
    artifact = uuid4()
    await asyncio.gather(*(process.download(artifact) for _ in range(1_000)))
    assert await process.counts(artifact) == Counts(0, 1_000_000)
    await process.project(limit=37)
    assert await process.counts(artifact) == Counts(0, 1_000_000)
    await process.stop()
    assert (artifact.bytes, 0, 1_000_000) in rows_of(tmp_path / "counters.db")


async def test_a_batch_that_runs_twice_counts_once(tmp_path: Path) -> None:
    process = await Process.start(MemoryEventLog(), tmp_path / "counters.db")
    await some_accesses(process, uuid4(), uuid4())
    batch = await process.log.read(Position(0), 100)
    await process.handler.apply(batch[:4])
    await process.handler.apply(batch[:4])
    await process.handler.apply(batch[2:])
    await process.handler.apply(batch)
    once = CountersFile.open(tmp_path / "once.db", "memory")
    once.apply(batch)
    once.close()
    assert rows_of(tmp_path / "counters.db") == rows_of(tmp_path / "once.db")
    await process.stop()


async def test_a_rebuild_beside_the_live_file_gives_identical_tables_and_takes_over(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "accesses.db", "accesses")
    process = Process(log, await log.position(), cache_limit=1_000)
    model = statistics_model(log.epoch(), process.statistics)
    registry = Registry(tmp_path / "projections", model.name, model.version, log.epoch())
    stop = asyncio.Event()
    running = asyncio.create_task(ProjectionRunner(model, log, registry, process.progress).run(stop))
    artifacts = [uuid4() for _ in range(5)]
    await some_accesses(process, *artifacts)
    await process.reset(artifacts[1])
    await process.view(artifacts[2])
    newest = await process.download(artifacts[2], 250)
    assert await process.counts(artifacts[2]) == Counts(4, 1_250)
    assert await process.progress.wait_until(newest, 5)
    before = await process.statistics.counts(artifacts)
    live = registry.live()
    assert live is not None
    live_rows = rows_of(live)
    rebuilt = await rebuild(model, log, registry)
    assert rows_of(rebuilt) == live_rows
    async with asyncio.timeout(10):
        while live.exists():
            await process.view(artifacts[0])
            await asyncio.sleep(0.01)
    views = (await process.counts(artifacts[0])).views
    await process.view(artifacts[0])
    after = await process.statistics.counts(artifacts)
    assert after == {**before, artifacts[0]: Counts(views + 1, 0)}
    assert await process.progress.wait_until(await process.download(artifacts[0], 0), 5)
    assert await process.statistics.counts(artifacts) == after
    found = await status(model, log, registry)
    assert (found.lag, found.parked) == (0, 0)
    await process.recorder.close()
    stop.set()
    await running
    process.statistics.close()
    await log.close()


async def test_a_file_that_is_behind_what_was_shown_is_not_served(tmp_path: Path) -> None:
    process = await Process.start(MemoryEventLog(), tmp_path / "counters.db")
    artifact = uuid4()
    await process.download(artifact)
    await process.project()
    CountersFile.open(tmp_path / "empty.db", "memory").close()
    with pytest.raises(ValueError, match="cannot follow"):
        process.statistics.serve(tmp_path / "empty.db")
    assert await process.counts(artifact) == Counts(0, 1_000)
    await process.stop()


async def test_files_of_another_log_or_damaged_ones_are_stale(tmp_path: Path) -> None:
    CountersFile.open(tmp_path / "other.db", "another epoch").close()
    (tmp_path / "damaged.db").write_bytes(b"no database" * 1_000)
    for name in ("other.db", "damaged.db"):
        with pytest.raises(StaleFileError):
            CountersFile.open(tmp_path / name, "memory")


async def test_an_event_that_cannot_be_applied_is_passed_over_and_noted(tmp_path: Path) -> None:
    process = await Process.start(MemoryEventLog(), tmp_path / "counters.db")
    artifact = uuid4()
    await process.download(artifact)
    await process.download(artifact)
    first, second = await process.log.read(Position(0), 2)
    await process.handler.park(first, "TypeError")
    await process.handler.park(first, "TypeError")
    await process.handler.apply((first, second))
    await process.stop()
    found = statistics_model("memory", process.statistics).inspect(tmp_path / "counters.db")
    assert (found.position, found.parked) == (2, 1)
    assert (artifact.bytes, 0, 1_000) in rows_of(tmp_path / "counters.db")


async def test_a_reset_zeroes_both_counters_and_counting_goes_on(tmp_path: Path) -> None:
    process = await Process.start(MemoryEventLog(), tmp_path / "counters.db")
    artifact = uuid4()
    await some_accesses(process, artifact, artifact)
    await process.project()
    await process.view(artifact)
    await process.reset(artifact)
    assert await process.counts(artifact) == Counts(0, 0)
    await process.view(artifact)
    await process.download(artifact, 250)
    assert await process.counts(artifact) == Counts(1, 250)
    await process.project(limit=1)
    assert await process.counts(artifact) == Counts(1, 250)
    await process.stop()


async def test_the_projection_may_be_ahead_of_the_answer_to_the_append(tmp_path: Path) -> None:
    """An event that is in the file already, while its append has not returned, counts once."""
    log = MemoryEventLog()
    process = await Process.start(log, tmp_path / "counters.db")
    artifact, cold = uuid4(), uuid4()
    await process.view(artifact)
    assert await process.counts(artifact) == Counts(1, 0)
    log.answer_gate.clear()
    download = asyncio.create_task(process.download(artifact, 300))
    await process.view(cold)
    await log.wait_for_change(Position(2), 5)
    applying = asyncio.create_task(process.project())
    await until(lambda: process.handler.position == len(log.recorded))
    assert (await process.counts(artifact)).views == 1
    reading = asyncio.create_task(process.counts(cold))
    await asyncio.sleep(0)
    assert not reading.done()
    log.answer_gate.set()
    assert await reading == Counts(1, 0)
    await download
    assert await process.counts(artifact) == Counts(1, 300)
    await applying
    await process.project()
    assert await process.statistics.counts([artifact, cold]) == {artifact: Counts(1, 300), cold: Counts(1, 0)}
    assert len(process.recent) == 0
    await process.stop()


async def test_after_a_restart_the_first_answer_waits_for_what_was_recorded_before(tmp_path: Path) -> None:
    log = MemoryEventLog()
    process = await Process.start(log, tmp_path / "counters.db")
    artifact = uuid4()
    await some_accesses(process, artifact, artifact)
    await process.project(limit=1)
    before = await process.counts(artifact)
    await process.view(artifact)
    await process.stop()
    restarted = await Process.start(log, tmp_path / "counters.db")
    await restarted.view(artifact)
    with pytest.raises(UnavailableError):
        await restarted.counts(artifact)
    answer = asyncio.create_task(restarted.counts(artifact))
    await restarted.project(limit=1)
    assert await answer == Counts(before.views + 2, before.downloads_milli)
    await restarted.stop()


async def test_views_lost_on_a_full_disk_are_not_taken_back_but_caught_up_with(tmp_path: Path) -> None:
    log = MemoryEventLog()
    process = await Process.start(log, tmp_path / "counters.db")
    artifact = uuid4()
    await process.view(artifact)
    with capture_logs() as logs:
        log.faults = [StorageFullError("The disk is full.")]
        for _ in range(3):
            await process.view(artifact)
        assert await process.counts(artifact) == Counts(4, 0)
        with pytest.raises(StorageFullError):
            await process.download(artifact)
    assert [line["event"] for line in logs] == ["views_dropped"]
    for _ in range(4):
        assert await process.counts(artifact) == Counts(4, 0)
        await process.view(artifact)
        await process.project()
    assert await process.counts(artifact) == Counts(4, 0)
    await process.view(artifact)
    assert await process.counts(artifact) == Counts(5, 0)
    await process.reset(artifact)
    assert await process.counts(artifact) == Counts(0, 0)
    await process.stop()


async def test_with_more_artifacts_than_the_cache_holds_answers_stay_exact(tmp_path: Path) -> None:
    process = await Process.start(MemoryEventLog(), tmp_path / "counters.db", cache_limit=2)
    artifacts = [uuid4() for _ in range(250)]
    for turn in (1, 2):
        for artifact in artifacts:
            await process.view(artifact)
        assert await process.statistics.counts(artifacts) == dict.fromkeys(artifacts, Counts(turn, 0))
        await process.project(limit=100)
        assert await process.statistics.counts(artifacts) == dict.fromkeys(artifacts, Counts(turn, 0))
    await process.stop()


async def test_a_batch_whose_publication_failed_is_read_from_the_file(tmp_path: Path) -> None:
    log = MemoryEventLog()
    process = await Process.start(log, tmp_path / "counters.db")
    other = await Process.start(log, tmp_path / "other.db")
    artifact = uuid4()
    await process.download(artifact)
    assert await process.counts(artifact) == Counts(0, 1_000)
    await other.download(artifact, 300)
    process.recent.begin_append()
    applying = asyncio.create_task(process.handler.apply(await log.read(Position(0), 2)))
    await until(lambda: process.handler.position == 2)
    applying.cancel()
    await asyncio.wait([applying])
    process.recent.end_append(None)
    assert await process.counts(artifact) == Counts(0, 1_300)
    await process.stop()
    await other.stop()


async def test_accesses_and_resets_of_other_processes_show_with_the_projection(tmp_path: Path) -> None:
    log = MemoryEventLog()
    process = await Process.start(log, tmp_path / "counters.db")
    other = await Process.start(log, tmp_path / "other.db")
    artifact = uuid4()
    await process.view(artifact)
    await process.download(artifact)
    await other.download(artifact, 300)
    assert await process.counts(artifact) == Counts(1, 1_000)
    await process.project()
    assert await process.counts(artifact) == Counts(1, 1_300)
    await other.reset(artifact)
    await process.view(artifact)
    assert await process.counts(artifact) == Counts(2, 1_300)
    await process.project()
    await process.download(artifact, 0)
    await process.project()
    assert await process.counts(artifact) == Counts(1, 0)
    await process.stop()
    await other.stop()


async def test_what_the_file_holds_is_no_longer_kept_in_memory(tmp_path: Path) -> None:
    process = await Process.start(MemoryEventLog(), tmp_path / "counters.db")
    await some_accesses(process, *(uuid4() for _ in range(3)))
    assert len(process.recent) == 8
    await process.project(limit=2)
    assert len(process.recent) == 0
    await process.stop()


async def test_small_batches_wait_for_each_other(tmp_path: Path) -> None:
    process = await Process.start(MemoryEventLog(), tmp_path / "live.db")
    artifact = uuid4()
    await process.download(artifact)
    await process.download(artifact)
    first, second = await process.log.read(Position(0), 2)
    model = statistics_model("memory", process.statistics, interval_seconds=0.1)
    handler = await model.open(tmp_path / "counters.db")
    await handler.apply([first])
    waiting = asyncio.create_task(handler.apply([second]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert handler.position == 1
    await waiting
    assert handler.position == 2
    await handler.close()
    assert (artifact.bytes, 0, 2_000) in rows_of(tmp_path / "counters.db")
    await process.stop()


async def test_a_batch_that_fails_at_its_end_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "counters.db"
    process = await Process.start(MemoryEventLog(), path)
    artifact = uuid4()
    await process.download(artifact)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TRIGGER broken BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'broken'); END")
    with pytest.raises(sqlite3.IntegrityError):
        await process.project()
    assert rows_of(path) == [(b"", 0, 0)]
    assert await process.counts(artifact) == Counts(0, 1_000)
    other.execute("DROP TRIGGER broken")
    other.close()
    await process.project()
    assert await process.counts(artifact) == Counts(0, 1_000)
    assert (artifact.bytes, 0, 1_000) in rows_of(path)
    await process.stop()


async def test_answers_do_not_wait_for_a_writer_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "counters.db"
    process = await Process.start(MemoryEventLog(), path)
    artifact = uuid4()
    await process.download(artifact)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    applying = asyncio.create_task(process.project())
    assert await process.statistics.counts([artifact, uuid4()])
    assert process.handler.position == 0
    other.execute("ROLLBACK")
    other.close()
    await applying
    assert await process.counts(artifact) == Counts(0, 1_000)
    await process.stop()


def test_beyond_its_bound_recent_accesses_are_not_kept_but_resets_are() -> None:
    recent = RecentTails(limit=2)
    artifact = uuid4()
    with capture_logs() as logs:
        kept = [recent.add(artifact, CountChange(views=1), is_visible=True) for _ in range(2)]
        late = [recent.add(artifact, CountChange(views=1), is_visible=True) for _ in range(2)]
        reset = recent.add(artifact, CountChange(is_reset=True), is_visible=False)
    assert [line["event"] for line in logs] == ["recent_accesses_full"]
    for position, access in enumerate((*kept, *late), start=1):
        recent.confirm(access, Position(position))
    tail = recent.tail(artifact, Position(0))
    assert tail is not None
    assert tail.change == CountChange(views=2)
    recent.drop(late[0])
    recent.drop(kept[1])
    assert tail.change == CountChange(views=1)
    recent.confirm(reset, Position(5))
    tail = recent.tail(artifact, Position(1))
    assert tail is not None
    assert tail.change == CountChange(is_reset=True)
    assert recent.tail(artifact, Position(5)) is None
    assert len(recent) == 0
