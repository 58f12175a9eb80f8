"""Accesses are recorded in order, in groups, exactly, and without ever colliding."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from application.accesses import AccessRecorder
from application.ports.event_log import AppendRequest, NewEvent
from domain import events as registry
from domain.access import (
    AccessedFile,
    AccessKind,
    ArtifactViewed,
    CountChange,
    Counts,
    FilesDownloaded,
    StatsReset,
    change_of,
    divide_files,
)
from domain.actor import Actor
from domain.errors import StorageFullError, UnavailableError
from domain.events import Event, EventMeta
from domain.ids import EventId, Position, access_key
from projections.statistics.recent import RecentTails
from tests.support.accesses import ALICE, BOT, DAY, RandomIds, SetClock
from tests.support.memory_event_log import MemoryEventLog

ARTIFACT = uuid4()


class Recording:
    """A recorder on a memory log, with short bounds."""

    def __init__(self, waiting_limit: int = 10_000) -> None:
        self.log = MemoryEventLog()
        self.clock = SetClock()
        self.recent = RecentTails()
        self.recorder = AccessRecorder(
            self.log,
            self.clock,
            RandomIds(),
            self.recent,
            waiting_limit=waiting_limit,
            view_delay_seconds=0.001,
            room_seconds=0.02,
        )

    async def view(self, *, is_counted: bool = True, actor: Actor = ALICE, kind: AccessKind = AccessKind.VIEW) -> None:
        await self.recorder.record_view(
            actor, ARTIFACT, workspace="ws", version="v0", kind=kind, is_counted=is_counted, correlation_id="request"
        )

    async def download(
        self, *paths: str, weight_milli: int = 1_000, is_counted: bool = True, actor: Actor = ALICE
    ) -> Position:
        return await self.recorder.record_download(
            actor,
            ARTIFACT,
            workspace="ws",
            kind=AccessKind.FILE,
            version="v0",
            files=tuple(AccessedFile(path=path, weight_milli=7) for path in paths),
            weight_milli=weight_milli,
            is_counted=is_counted,
            correlation_id="request",
        )

    async def reset(self) -> Position:
        return await self.recorder.reset(BOT, ARTIFACT, workspace="ws", correlation_id="request", comment="why")

    @property
    def payloads(self) -> list[Event]:
        return [recorded.payload for recorded in self.log.recorded]

    @property
    def downloads_milli(self) -> int:
        return sum(payload.weight_milli for payload in self.payloads if isinstance(payload, FilesDownloaded))


@pytest.mark.parametrize(
    ("payload", "change"),
    [
        (ArtifactViewed(artifact_id=ARTIFACT), CountChange(views=1)),
        (ArtifactViewed(artifact_id=ARTIFACT, is_counted=False), None),
        (
            FilesDownloaded(artifact_id=ARTIFACT, kind=AccessKind.ZIP, weight_milli=1_500),
            CountChange(downloads_milli=1_500),
        ),
        (FilesDownloaded(artifact_id=ARTIFACT, kind=AccessKind.ZIP), None),
        (FilesDownloaded(artifact_id=ARTIFACT, kind=AccessKind.ZIP, weight_milli=5, is_counted=False), None),
        (StatsReset(artifact_id=ARTIFACT), CountChange(is_reset=True)),
    ],
)
def test_what_an_access_does_to_the_counts(payload: Event, change: CountChange | None) -> None:
    assert change_of(payload) == (None if change is None else (ARTIFACT, change))


def test_changes_join_and_apply_in_order() -> None:
    change = CountChange(views=2).then(CountChange(is_reset=True)).then(CountChange(1, 500)).then(CountChange(views=1))
    assert change.on(Counts(100, 100)) == Counts(2, 500)
    assert CountChange(views=2).then(CountChange(downloads_milli=3)).on(Counts(1, 1)) == Counts(3, 4)


def test_files_are_divided_in_order_so_that_each_part_fits() -> None:
    files = tuple(AccessedFile(path=f"directory/{number}" * 3, weight_milli=number) for number in range(1_000))
    parts = divide_files(files, limit_bytes=5_000)
    assert tuple(file for part in parts for file in part) == files
    assert len(parts) > 1
    assert all(len(registry.encode(_downloaded(part))) < 5_000 + 200 for part in parts)
    assert divide_files(()) == ((),)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - What the log does has no event of its own.
            await asyncio.sleep(0)


def _downloaded(files: tuple[AccessedFile, ...]) -> FilesDownloaded:
    return FilesDownloaded(artifact_id=ARTIFACT, kind=AccessKind.FILE, files=files)


async def test_a_view_does_not_wait_for_the_log_and_is_recorded_soon() -> None:
    recording = Recording()
    recording.log.gate.clear()
    await recording.view()
    assert not recording.log.recorded
    recording.log.gate.set()
    assert await recording.log.wait_for_change(Position(0), 5) == 1
    assert recording.payloads == [ArtifactViewed(artifact_id=ARTIFACT, version="v0")]
    await recording.recorder.close()


async def test_a_download_returns_when_it_is_durable() -> None:
    recording = Recording()
    recording.log.gate.clear()
    download = asyncio.create_task(recording.download("a", "b", weight_milli=14))
    await asyncio.wait([download], timeout=0.02)
    assert not download.done()
    recording.log.gate.set()
    assert await download == 1
    assert recording.payloads == [
        FilesDownloaded(
            artifact_id=ARTIFACT,
            kind=AccessKind.FILE,
            version="v0",
            files=(AccessedFile(path="a", weight_milli=7), AccessedFile(path="b", weight_milli=7)),
            weight_milli=14,
        )
    ]
    await recording.recorder.close()


async def test_a_thousand_concurrent_downloads_of_one_artifact_are_exact_and_grouped() -> None:
    recording = Recording()
    positions = await asyncio.gather(*(recording.download("a") for _ in range(1_000)))
    assert sorted(positions) == list(range(1, 1_001))
    assert recording.downloads_milli == 1_000_000
    assert len(recording.log.appends) <= 3
    versions = [recorded.envelope.stream_version for recorded in recording.log.recorded]
    assert versions == list(range(1, 1_001))
    assert len({recorded.envelope.stream_id for recorded in recording.log.recorded}) == 1
    await recording.recorder.close()


async def test_events_keep_the_order_of_the_calls_and_say_who_and_where() -> None:
    recording = Recording()
    await recording.view(actor=BOT)
    download = asyncio.create_task(recording.download("a", is_counted=False))
    await asyncio.sleep(0)
    await recording.view(is_counted=False, kind=AccessKind.SITE)
    assert await recording.reset() == 4
    assert await download == 2
    assert [recorded.envelope.type for recorded in recording.log.recorded] == [
        "access.viewed",
        "access.downloaded",
        "access.viewed",
        "access.stats_reset",
    ]
    viewed, _, silent, reset = recording.log.recorded
    assert (viewed.envelope.actor, viewed.envelope.on_behalf_of) == ("bot", "alice")
    assert (viewed.envelope.workspace, viewed.envelope.artifact_id) == ("ws", ARTIFACT)
    assert viewed.envelope.correlation_id == "request"
    assert silent.payload == ArtifactViewed(artifact_id=ARTIFACT, version="v0", kind=AccessKind.SITE, is_counted=False)
    assert reset.envelope.comment == "why"
    await recording.recorder.close()


async def test_a_call_with_very_many_files_is_several_events_of_which_the_first_has_the_weight() -> None:
    recording = Recording()
    paths = tuple(f"{'d' * 200}/{number}" for number in range(10_000))
    position = await recording.download(*paths, weight_milli=70_000)
    assert position == len(recording.log.recorded) > 1
    assert all(len(registry.encode(payload)) < 512 * 1024 for payload in recording.payloads)
    downloads = [payload for payload in recording.payloads if isinstance(payload, FilesDownloaded)]
    assert [download.weight_milli for download in downloads] == [70_000] + [0] * (len(downloads) - 1)
    assert tuple(file.path for download in downloads for file in download.files) == paths
    assert {recorded.envelope.correlation_id for recorded in recording.log.recorded} == {"request"}
    await recording.recorder.close()


async def test_each_day_and_each_start_has_a_stream_of_its_own() -> None:
    recording = Recording()
    await recording.download("a")
    await recording.download("a")
    recording.clock.microseconds += DAY
    await recording.download("a")
    restarted = AccessRecorder(recording.log, recording.clock, RandomIds(), RecentTails())
    await restarted.reset(ALICE, ARTIFACT, workspace="ws", correlation_id="request")
    envelopes = [recorded.envelope for recorded in recording.log.recorded]
    assert [envelope.stream_version for envelope in envelopes] == [1, 2, 1, 1]
    assert len({envelope.stream_id for envelope in envelopes}) == 3
    await recording.recorder.close()
    await restarted.close()


@pytest.mark.parametrize("is_lossy", [False, True])
async def test_after_a_failed_append_there_is_a_new_stream(is_lossy: bool) -> None:
    recording = Recording()
    await recording.download("a")
    recording.log.is_lossy = is_lossy
    recording.log.faults = [UnavailableError("The log is away.")]
    with pytest.raises(UnavailableError):
        await recording.download("b")
    assert await recording.download("c") == len(recording.log.recorded)
    first, *_, last = recording.log.recorded
    assert last.envelope.stream_id != first.envelope.stream_id
    assert last.envelope.stream_version == 1
    await recording.recorder.close()


async def test_a_stream_that_somebody_else_has_written_is_left() -> None:
    recording = Recording()
    await recording.download("a")
    (mine,) = recording.log.recorded
    stolen = NewEvent(
        key=access_key(mine.envelope.stream_id),
        payload=StatsReset(artifact_id=uuid4()),
        data=registry.encode(StatsReset(artifact_id=uuid4())),
        meta=EventMeta(event_id=EventId(uuid4()), stream_version=2, actor="other", recorded_at=1),
        correlation_id="other",
    )
    await recording.log.append([AppendRequest(events=(stolen,), expected={mine.envelope.stream_id: 1})])
    assert await recording.download("b") == 3
    assert recording.log.recorded[2].envelope.stream_version == 1
    await recording.recorder.close()


async def test_a_full_disk_fails_downloads_and_drops_views_with_one_alarm_a_minute() -> None:
    recording = Recording()
    with capture_logs() as logs:
        for _ in range(3):
            recording.log.faults = [StorageFullError("The disk is full.")]
            await recording.view()
            await recording.view()
            with pytest.raises(StorageFullError):
                await recording.download("a")
        recording.clock.microseconds += 60_000_000
        recording.log.faults = [StorageFullError("The disk is full.")]
        await recording.view()
        with pytest.raises(StorageFullError):
            await recording.download("a")
    assert [(line["event"], line["views"]) for line in logs] == [("views_dropped", 2), ("views_dropped", 5)]
    assert not recording.log.recorded
    assert len(recording.recent) == 0
    await recording.download("a")
    assert recording.downloads_milli == 1_000
    await recording.recorder.close()


async def test_a_defect_of_the_log_fails_those_who_wait_and_the_recorder_goes_on() -> None:
    recording = Recording()
    recording.log.faults = [ZeroDivisionError()]
    with capture_logs() as logs, pytest.raises(UnavailableError):
        await recording.download("a")
    assert [line["event"] for line in logs] == ["access_append_failed"]
    assert await recording.download("a") == 1
    await recording.recorder.close()


async def test_when_too_many_wait_callers_wait_for_room() -> None:
    recording = Recording(waiting_limit=5)
    recording.log.gate.clear()
    first = asyncio.create_task(recording.download("a"))
    await _until(lambda: recording.log.in_flight == 1)
    for _ in range(5):
        await recording.view()
    late = asyncio.create_task(recording.view())
    await asyncio.sleep(0)
    assert not late.done()
    recording.log.gate.set()
    await asyncio.gather(first, late)
    await recording.recorder.close()
    assert len(recording.log.recorded) == 7


async def test_without_room_in_time_a_view_is_dropped_and_a_download_refused() -> None:
    recording = Recording(waiting_limit=1)
    recording.log.gate.clear()
    first = asyncio.create_task(recording.download("a"))
    await _until(lambda: recording.log.in_flight == 1)
    await recording.view()
    with capture_logs() as logs:
        await recording.view()
        with pytest.raises(UnavailableError):
            await recording.download("b")
    assert [line["event"] for line in logs] == ["views_dropped"]
    recording.log.gate.set()
    await first
    await recording.recorder.close()
    assert len(recording.log.recorded) == 2


async def test_a_caller_that_gives_up_does_not_undo_the_download() -> None:
    recording = Recording()
    recording.log.gate.clear()
    impatient = asyncio.create_task(recording.download("a"))
    patient = asyncio.create_task(recording.download("b"))
    await _until(lambda: recording.log.in_flight == 1)
    impatient.cancel()
    await asyncio.wait([impatient])
    recording.log.gate.set()
    assert await patient == 2
    assert recording.downloads_milli == 2_000
    await recording.recorder.close()


async def test_closing_appends_what_waits_and_refuses_what_comes() -> None:
    recording = Recording()
    for _ in range(2_500):
        await recording.view()
    await recording.recorder.close()
    assert len(recording.log.recorded) == 2_500
    with pytest.raises(UnavailableError):
        await recording.download("a")
    await recording.view()
    assert len(recording.log.recorded) == 2_500


async def test_a_flush_waits_for_all_that_was_recorded_before_it() -> None:
    recording = Recording()
    await recording.recorder.flush()
    for number in range(1, 4):
        await recording.view()
        await recording.view()
        await recording.recorder.flush()
        assert len(recording.payloads) == 2 * number
    await recording.recorder.close()
    await recording.recorder.flush()


async def test_a_flush_ends_when_what_it_waits_for_is_lost() -> None:
    recording = Recording()
    recording.log.faults = [StorageFullError("The disk is full.")]
    with capture_logs():
        await recording.view()
        await recording.recorder.flush()
    assert recording.payloads == []
    await recording.recorder.close()
