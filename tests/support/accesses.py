"""What the tests of accesses and counters share: a clock, ids, callers, and one process with all its parts."""

from pathlib import Path
from uuid import UUID, uuid4

from application.accesses import AccessRecorder
from application.ports.event_log import EventLog
from domain.access import AccessedFile, AccessKind, Counts
from domain.actor import Actor
from domain.ids import Position
from projections.model import Handler
from projections.position import Progress
from projections.statistics.handler import StatisticsHandler
from projections.statistics.query import SqliteStatistics
from projections.statistics.recent import RecentTails

ALICE = Actor(user_id="alice")
BOT = Actor(user_id="bot", on_behalf_of="alice", is_generated=True)
DAY = 86_400_000_000


class SetClock:
    """Tells the time that the test sets."""

    def __init__(self, microseconds: int = 20_000 * DAY) -> None:
        self.microseconds = microseconds

    def now(self) -> int:
        return self.microseconds


class RandomIds:
    """Makes random ids; their order does not matter to accesses."""

    def uuid7(self) -> UUID:
        return uuid4()

    def token(self, length_bytes: int) -> str:
        return uuid4().hex[:length_bytes]

    def choose(self, count: int) -> int:
        return uuid4().int % count


class Process:
    """One process: a recorder, the projection and its readers, on a log and a file that outlive it."""

    def __init__(self, log: EventLog, start: Position, cache_limit: int) -> None:
        self.log = log
        self.clock = SetClock()
        self.recent = RecentTails(recorded_before=start)
        self.recorder = AccessRecorder(log, self.clock, RandomIds(), self.recent, view_delay_seconds=0.001)
        self.progress = Progress()
        self.statistics = SqliteStatistics(self.recent, self.progress, cache_limit=cache_limit, catch_up_seconds=0.5)
        self.handler: Handler

    @classmethod
    async def start(cls, log: EventLog, path: Path, *, cache_limit: int = 1_000) -> "Process":
        process = cls(log, await log.position(), cache_limit)
        await process.follow_into(path)
        return process

    async def follow_into(self, path: Path) -> None:
        """Follow the log into another file from now on, and answer from it."""
        self.handler = await StatisticsHandler.open(path, self.log.epoch(), self.statistics)
        self.statistics.serve(path)
        self.progress.announce(self.handler.position)

    async def project(self, limit: int = 1_000) -> None:
        """Run the projection until it has reached the end of the log."""
        while events := await self.log.read(self.handler.position, limit):
            await self.handler.apply(events)
            self.progress.announce(self.handler.position)

    async def view(self, artifact_id: UUID, *, is_counted: bool = True, actor: Actor = ALICE) -> None:
        await self.recorder.record_view(
            actor,
            artifact_id,
            workspace="ws",
            version="v0",
            kind=AccessKind.VIEW,
            is_counted=is_counted,
            correlation_id="request",
        )

    async def download(
        self, artifact_id: UUID, weight_milli: int = 1_000, *, paths: tuple[str, ...] = ("a",), is_counted: bool = True
    ) -> Position:
        return await self.recorder.record_download(
            ALICE,
            artifact_id,
            workspace="ws",
            kind=AccessKind.FILE,
            version="v0",
            files=tuple(AccessedFile(path=path) for path in paths),
            weight_milli=weight_milli,
            is_counted=is_counted,
            correlation_id="request",
        )

    async def reset(self, artifact_id: UUID) -> Position:
        return await self.recorder.reset(ALICE, artifact_id, workspace="ws", correlation_id="request", comment="why")

    async def counts(self, artifact_id: UUID) -> Counts:
        return (await self.statistics.counts([artifact_id]))[artifact_id]

    async def stop(self) -> None:
        await self.recorder.close()
        await self.handler.close()
        self.statistics.close()
