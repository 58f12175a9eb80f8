"""The counters on SQLite: exact, once each, rebuilt identically, and a process sees its own accesses at once."""

import asyncio
import sqlite3
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from domain.access import CountChange, Counts
from domain.errors import StorageFullError, UnavailableError
from domain.ids import Position
from projections.statistics.handler import StatisticsHandler
from projections.statistics.recent import RecentTails
from projections.statistics.sqlite import SqliteCounters
from tests.support.accesses import Process
from tests.support.memory_event_log import MemoryEventLog


def rows_of(path: Path) -> list[tuple[bytes, int, int]]:
    """Read the tables as another program would."""
    connection = sqlite3.connect(path)
    try:
        rows: list[tuple[bytes, int, int]] = connection.execute(
            "SELECT * FROM counters UNION ALL SELECT x'', value, 0 FROM position ORDER BY 1"
        ).fetchall()
    finally:
        connection.close()
    return rows


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
    await process.stop()
    once = await SqliteCounters.open(tmp_path / "once.db")
    await StatisticsHandler(once).apply(batch)
    await once.close()
    assert rows_of(tmp_path / "counters.db") == rows_of(tmp_path / "once.db")


async def test_a_rebuild_gives_identical_tables_and_takes_over(tmp_path: Path) -> None:
    process = await Process.start(MemoryEventLog(), tmp_path / "live.db")
    artifacts = [uuid4() for _ in range(5)]
    await some_accesses(process, *artifacts)
    await process.reset(artifacts[1])
    await process.view(artifacts[2])
    await process.download(artifacts[2], 250)
    await process.project(limit=3)
    before = await process.statistics.counts(artifacts)
    rebuilt = await SqliteCounters.open(tmp_path / "rebuilt.db")
    with pytest.raises(ValueError, match="cannot follow"):
        process.statistics.use(rebuilt)
    builder = StatisticsHandler(rebuilt)
    while events := await process.log.read(builder.position, 4):
        await builder.apply(events)
    process.statistics.use(rebuilt)
    assert await process.statistics.counts(artifacts) == before
    assert before[artifacts[1]] == Counts(0, 0)
    await process.stop()
    await rebuilt.close()
    assert rows_of(tmp_path / "live.db") == rows_of(tmp_path / "rebuilt.db")


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
    assert await process.counters.wait_until(Position(len(log.recorded)), 5)
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
    process = await Process.start(MemoryEventLog(), tmp_path / "counters.db")
    artifact = uuid4()
    await process.view(artifact)
    await process.download(artifact)
    assert await process.counts(artifact) == Counts(1, 1_000)
    process.recent.begin_append()
    applying = asyncio.create_task(process.handler.apply(await process.log.read(Position(0), 1)))
    applied = await process.counters.wait_until(Position(1), 5)
    assert applied
    applying.cancel()
    await asyncio.wait([applying])
    process.recent.end_append(None)
    assert await process.counts(artifact) == Counts(1, 1_000)
    await process.stop()


async def test_a_locked_file_is_a_refusal_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "counters.db"
    process = await Process.start(MemoryEventLog(), path)
    artifact = uuid4()
    await process.download(artifact)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA max_page_count = 1")
    other.execute("BEGIN EXCLUSIVE")
    applying = asyncio.create_task(process.project())
    assert await process.counts(uuid4()) == Counts(0, 0) if process.counters.position else True
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
    recent.confirm(reset, Position(5))
    tail = recent.tail(artifact, Position(1))
    assert tail is not None
    assert tail.change == CountChange(is_reset=True)
    assert recent.tail(artifact, Position(5)) is None
    assert len(recent) == 0
