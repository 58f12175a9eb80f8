"""Whatever happens in whatever order, an answer is what the log says plus what this process has pending."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from domain.access import ArtifactViewed, Counts, FilesDownloaded, StatsReset
from domain.errors import StorageFullError
from domain.ids import Position
from projections.statistics.handler import StatisticsHandler
from tests.support.accesses import Process
from tests.support.memory_event_log import MemoryEventLog

ARTIFACTS = [UUID(int=number) for number in range(1, 4)]

artifacts = st.sampled_from(ARTIFACTS)
steps = st.one_of(
    st.tuples(st.just("view"), artifacts),
    st.tuples(st.just("silent"), artifacts),
    st.tuples(st.just("download"), artifacts, st.integers(0, 3_000)),
    st.tuples(st.just("reset"), artifacts),
    st.tuples(st.just("flush")),
    st.tuples(st.just("fail")),
    st.tuples(st.just("project"), st.integers(1, 4)),
    st.tuples(st.just("read")),
    st.tuples(st.just("rebuild")),
    st.tuples(st.just("crash")),
)


class Machine:
    """One process at a time on one log, and a model of what its answers must be.

    The gate of the log is closed but for flushes, so appends are in flight while other steps happen.
    """

    def __init__(self, directory: Path, cache_limit: int) -> None:
        self.directory = directory
        self.cache_limit = cache_limit
        self.log = MemoryEventLog()
        self.path = directory / "0.db"
        self.files = 0
        self.process: Process
        self.pending_views: Counter[UUID] = Counter()
        self.waiting: list[asyncio.Task[Position]] = []
        self.applying: asyncio.Task[None] | None = None
        self.shown: dict[UUID, tuple[int, Counts]] = {}

    async def start(self) -> None:
        self.log.gate.clear()
        self.process = await Process.start(self.log, self.path, cache_limit=self.cache_limit)
        self.pending_views, self.shown = Counter(), {}
        await self.process.project()

    async def stop(self) -> None:
        await self.flush()
        await self.process.stop()

    async def run(self, step: tuple[object, ...]) -> None:
        match step:
            case ("view", UUID() as artifact):
                await self.process.view(artifact)
                self.pending_views[artifact] += 1
            case ("silent", UUID() as artifact):
                await self.process.view(artifact, is_counted=False)
            case ("download", UUID() as artifact, int() as weight):
                await self.begin(self.process.download(artifact, weight))
            case ("reset", UUID() as artifact):
                await self.begin(self.process.reset(artifact))
            case ("flush",):
                await self.flush()
            case ("fail",):
                self.log.faults = [StorageFullError("The disk is full.")]
            case ("project", int() as limit):
                await self.project(limit)
            case ("read",):
                await self.read()
            case ("rebuild",):
                await self.rebuild()
            case ("crash",):
                await self.crash()

    async def begin(self, call: Coroutine[None, None, Position]) -> None:
        """Let a call that waits for the log run until it waits."""
        self.waiting.append(asyncio.create_task(call))
        await asyncio.sleep(0)

    async def flush(self) -> None:
        """Let the log answer until nothing waits."""
        self.log.gate.set()
        await asyncio.gather(*self.waiting, return_exceptions=True)
        # A download with no weight is behind all views that wait. Faults may hit the views before it.
        while True:
            try:
                await self.process.download(ARTIFACTS[0], 0)
                break
            except StorageFullError:
                continue
        self.waiting, self.pending_views = [], Counter()
        if self.applying is not None:
            await self.applying
            self.applying = None
        self.log.gate.clear()

    async def project(self, limit: int) -> None:
        """Apply one batch, which may have to wait until an append in flight has ended."""
        if self.applying is not None and not self.applying.done():
            return
        events = await self.log.read(self.process.handler.position, limit)
        self.applying = asyncio.create_task(self.process.handler.apply(events))
        while not self.applying.done() and not self.log.in_flight:
            await asyncio.wait([self.applying], timeout=0.001)

    async def read(self) -> None:
        reading = asyncio.create_task(self.process.statistics.counts(ARTIFACTS))
        await asyncio.sleep(0)
        if not reading.done():
            await self.flush()
        # All of them are shown, so none of them may go back from here on.
        expected = {one: self.expected(one) for one in ARTIFACTS}
        assert dict(await reading) == expected

    async def rebuild(self) -> None:
        """Build the counters anew beside the live ones, and let them take over."""
        await self.flush()
        await self.process.project()
        self.files += 1
        path = self.directory / f"{self.files}.db"
        builder = await StatisticsHandler.open(path, self.log.epoch(), self.process.statistics)
        while events := await self.log.read(builder.position, 5):
            await builder.apply(events)
        await builder.close()
        old = self.process.handler
        await self.process.follow_into(path)
        await old.close()
        self.path, self.shown = path, {}

    async def crash(self) -> None:
        """Lose all that is not in the log, and start anew."""
        self.log.faults = [StorageFullError("The process is gone.")] * 100
        self.log.gate.set()
        await self.process.recorder.close()
        await asyncio.gather(*self.waiting, return_exceptions=True)
        if self.applying is not None:
            await self.applying
        await self.process.handler.close()
        self.process.statistics.close()
        self.log.faults, self.waiting, self.applying = [], [], None
        await self.start()

    def expected(self, artifact: UUID) -> Counts:
        """Work out the answer from the log, by the plainest of means."""
        views = downloads_milli = resets = 0
        for recorded in self.log.recorded:
            match recorded.payload:
                case ArtifactViewed(artifact_id=found, is_counted=True) if found == artifact:
                    views += 1
                case FilesDownloaded(artifact_id=found, weight_milli=weight, is_counted=True) if found == artifact:
                    downloads_milli += weight
                case StatsReset(artifact_id=found) if found == artifact:
                    views, downloads_milli, resets = 0, 0, resets + 1
                case _:
                    pass
        views += self.pending_views[artifact]
        shown_resets, shown = self.shown.get(artifact, (resets, Counts()))
        if shown_resets == resets:
            views, downloads_milli = max(views, shown.views), max(downloads_milli, shown.downloads_milli)
        answer = Counts(views, downloads_milli)
        self.shown[artifact] = resets, answer
        return answer


async def play(script: list[tuple[object, ...]], cache_limit: int) -> None:
    with tempfile.TemporaryDirectory() as directory, capture_logs():
        machine = Machine(Path(directory), cache_limit)
        await machine.start()
        for step in script:
            await machine.run(step)
        await machine.read()
        await machine.stop()
        await machine.log.close()


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=5, max_size=40))
def test_an_answer_is_the_log_and_what_is_pending(script: list[tuple[object, ...]]) -> None:
    asyncio.run(play(script, cache_limit=100))


@settings(max_examples=75, deadline=None)
@given(st.lists(steps.filter(lambda step: step != ("fail",)), min_size=5, max_size=40))
def test_it_is_so_with_a_cache_that_forgets_too(script: list[tuple[object, ...]]) -> None:
    asyncio.run(play(script, cache_limit=1))
