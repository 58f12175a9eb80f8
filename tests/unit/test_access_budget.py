"""The disk that the log of accesses may take: what happens beyond it, and how seldom it is measured."""

import pytest
from structlog.testing import capture_logs

from application.access_budget import ALARM_INTERVAL_MICROSECONDS, MEASURED_MICROSECONDS, AccessBudget
from application.accesses import AccessRecorder
from domain.access import AccessKind, ArtifactViewed, FilesDownloaded, StatsReset
from domain.errors import StorageFullError, UnavailableError
from projections.statistics.recent import RecentTails
from tests.support.accesses import ALICE, RandomIds, SetClock
from tests.support.memory_event_log import EVENT_BYTES, MemoryEventLog

ARTIFACT = RandomIds().uuid7()
ROOM_FOR = 3


class MeasuredLog(MemoryEventLog):
    """Counts how often it is measured; `fault` is raised instead."""

    def __init__(self) -> None:
        super().__init__()
        self.measured = 0
        self.fault: Exception | None = None

    async def size_bytes(self) -> int:
        self.measured += 1
        if self.fault is not None:
            raise self.fault
        return await super().size_bytes()


class Recording:
    """A recorder whose log may hold `ROOM_FOR` events."""

    def __init__(self) -> None:
        self.log = MeasuredLog()
        self.clock = SetClock()
        self.recent = RecentTails()
        self.recorder = AccessRecorder(
            self.log,
            self.clock,
            RandomIds(),
            self.recent,
            view_delay_seconds=0.001,
            budget=AccessBudget(self.log, self.clock, ROOM_FOR * EVENT_BYTES),
        )

    async def view(self) -> None:
        await self.recorder.record_view(
            ALICE, ARTIFACT, workspace="ws", version="v0", is_counted=True, correlation_id="request"
        )
        await self.recorder.flush()

    async def download(self, kind: AccessKind = AccessKind.FILE) -> None:
        await self.recorder.record_download(
            ALICE,
            ARTIFACT,
            workspace="ws",
            kind=kind,
            version="v0",
            files=(),
            weight_milli=1,
            is_counted=True,
            correlation_id="request",
        )

    async def spend(self) -> None:
        for _ in range(ROOM_FOR):
            await self.download()
        self.clock.microseconds += MEASURED_MICROSECONDS


@pytest.fixture
def recording() -> Recording:
    return Recording()


async def test_up_to_the_budget_everything_is_recorded(recording: Recording) -> None:
    for _ in range(ROOM_FOR):
        recording.clock.microseconds += MEASURED_MICROSECONDS
        await recording.download()
    assert len(recording.log.recorded) == ROOM_FOR
    await recording.recorder.close()


@pytest.mark.parametrize("kind", [kind for kind in AccessKind if kind is not AccessKind.ZIP])
async def test_beyond_it_downloads_are_refused(recording: Recording, kind: AccessKind) -> None:
    await recording.spend()
    with capture_logs() as logs, pytest.raises(StorageFullError, match="log of accesses"):
        await recording.download(kind)
    assert [(line["event"], line["size_bytes"], line["limit_bytes"]) for line in logs] == [
        ("access_log_budget_spent", 3000, 3000)
    ]
    assert len(recording.log.recorded) == ROOM_FOR
    await recording.recorder.close()


async def test_an_archive_asks_before_its_first_byte_and_is_recorded_at_its_end(recording: Recording) -> None:
    await recording.recorder.require_room()
    await recording.spend()
    with capture_logs(), pytest.raises(StorageFullError):
        await recording.recorder.require_room()
    await recording.download(AccessKind.ZIP)
    assert isinstance(recording.log.recorded[-1].payload, FilesDownloaded)
    await recording.recorder.close()


async def test_beyond_it_views_are_lost_with_an_alarm_and_a_reset_goes_on(recording: Recording) -> None:
    await recording.spend()
    with capture_logs() as logs:
        for _ in range(3):
            await recording.view()
        await recording.recorder.reset(ALICE, ARTIFACT, workspace="ws", correlation_id="request")
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("access_log_budget_spent", "error"),
        ("views_dropped", "error"),
    ]
    assert isinstance(recording.log.recorded[-1].payload, StatsReset)
    assert not any(isinstance(recorded.payload, ArtifactViewed) for recorded in recording.log.recorded)
    await recording.recorder.close()


async def test_with_room_again_everything_goes_on(recording: Recording) -> None:
    await recording.spend()
    with capture_logs():
        await recording.view()
    recording.log.recorded.clear()
    recording.clock.microseconds += MEASURED_MICROSECONDS
    await recording.view()
    await recording.download()
    assert [type(recorded.payload) for recorded in recording.log.recorded] == [ArtifactViewed, FilesDownloaded]
    await recording.recorder.close()


async def test_it_is_measured_once_a_second_and_the_alarm_comes_once_a_minute(recording: Recording) -> None:
    await recording.spend()
    measured = recording.log.measured
    with capture_logs() as logs:
        for _ in range(100):
            await recording.view()
        assert recording.log.measured == measured + 1
        recording.clock.microseconds += ALARM_INTERVAL_MICROSECONDS - 1
        await recording.view()
        assert [line["event"] for line in logs] == ["access_log_budget_spent", "views_dropped"]
        recording.clock.microseconds += MEASURED_MICROSECONDS
        await recording.view()
    assert [line["event"] for line in logs] == ["access_log_budget_spent", "views_dropped"] * 2
    assert logs[-1]["views"] == 101
    await recording.recorder.close()


async def test_a_log_that_cannot_be_measured_costs_views_and_no_reads(recording: Recording) -> None:
    recording.log.fault = UnavailableError("away")
    with capture_logs() as logs:
        await recording.view()
    assert [line["event"] for line in logs] == ["views_dropped"]
    recording.clock.microseconds += MEASURED_MICROSECONDS
    with pytest.raises(UnavailableError):
        await recording.download()
    assert recording.log.recorded == []
    await recording.recorder.close()
