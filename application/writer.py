"""The group-commit writer: runs decisions and appends what they return."""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog

from application.decider import Decided, Decider, Job
from application.ports.event_log import Appended, AppendResult, Conflicted, EventLog
from application.ports.system import Clock, IdSource
from application.settlement import Settlement
from application.state_cache import StateCache
from application.units import Done, States, Unit
from domain.errors import ConflictError, StorageFullError, UnavailableError
from domain.folds import Fold
from domain.ids import StreamKey

__all__ = ["CommandWriter", "Done", "States", "Unit"]

QUEUE_LIMIT = 4_096
"""So many units may wait; who comes then waits for a place."""
QUEUE_WAIT_SECONDS = 5.0
BATCH_UNITS = 256
"""So many decisions run in one go; at some 50 microseconds each, others wait about 10 milliseconds at most."""
BATCH_BYTES = 8 * 1024 * 1024
"""A batch takes no more decisions once its payloads have this size, so that memory stays bounded."""
MAX_ATTEMPTS = 10

_log = structlog.get_logger()


class CommandWriter:
    """Takes all that waits, decides it in order, and appends everything in one transaction.

    One per process and log. While an append is under way the next batch collects, so no timer is needed. Streams are
    taken from the cache without asking the log: the append compares every version in its transaction, also for a unit
    that records nothing and for a decision that refused, so a state that was old costs one more attempt and is never
    acted upon.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        cache: StateCache,
        clock: Clock,
        ids: IdSource,
        fold: Fold,
        queue_limit: int = QUEUE_LIMIT,
        queue_wait_seconds: float = QUEUE_WAIT_SECONDS,
    ) -> None:
        self._event_log = log
        self._cache = cache
        self._clock = clock
        self._ids = ids
        self._fold = fold
        self._waiting: deque[Job] = deque()
        self._places = asyncio.Semaphore(queue_limit)
        self._queue_wait_seconds = queue_wait_seconds
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._last_recorded_at = 0

    async def execute(self, unit: Unit) -> Done:
        """Run a unit and wait until it is durable.

        When the caller is cancelled before the decision has run, nothing is stored; later, the unit is stored whole.

        Raises:
            ArtifactManagerError: What the decision raised.
            ConflictError: Other processes changed the streams on each of the attempts.
            StorageFullError: The disk is full; nothing was stored.
            UnavailableError: The log cannot be reached, the queue stayed full, or the writer is closed.
        """
        if self._places.locked():
            try:
                async with asyncio.timeout(self._queue_wait_seconds):
                    await self._places.acquire()
            except TimeoutError:
                raise UnavailableError("Too many commands are waiting; try again later.") from None
        else:
            await self._places.acquire()
        if self._is_closing:
            self._places.release()
            raise UnavailableError("The service is shutting down.")
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(self._run(), name="command-writer")
        job = Job(unit, loop.create_future())
        self._waiting.append(job)
        self._arrived.set()
        return await job.answer

    async def close(self) -> None:
        """Take nothing new, and finish what waits."""
        self._is_closing = True
        self._arrived.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            while self._waiting or not self._is_closing:
                await self._arrived.wait()
                self._arrived.clear()
                while self._waiting:
                    await self._run_batch(self._take())
        finally:
            self._is_closing = True
            for job in self._waiting:
                job.answer.cancel()

    def _take(self) -> list[Job]:
        jobs: list[Job] = []
        while self._waiting and len(jobs) < BATCH_UNITS:
            job = self._waiting.popleft()
            if job.has_place:
                job.has_place = False
                self._places.release()
            jobs.append(job)
        return jobs

    async def _run_batch(self, jobs: list[Job]) -> None:
        try:
            decider = Decider(cache=self._cache, fold=self._fold, ids=self._ids)
            await self._load(jobs, decider)
            decided = self._decide(jobs, decider)
            if decided:
                await self._append(decided)
        except Exception:  # noqa: BLE001 - The edge of the writer's task, which must outlive any fault.
            _log.exception("batch_failed", units=len(jobs))
            _fail_all(jobs, UnavailableError("The command could not be carried out."))
        except BaseException:
            for job in jobs:
                job.answer.cancel()
            raise

    async def _load(self, jobs: Sequence[Job], decider: Decider) -> None:
        try:
            missing: dict[StreamKey, None] = {}
            for job in jobs:
                for key in (*job.unit.keys, *job.written):
                    known = None if job.attempts else self._cache.peek(key)
                    if known is None:
                        missing[key] = None
                    else:
                        decider.offer(key, known)
            if missing:
                for key, value in (await self._cache.get(list(missing))).items():
                    decider.offer(key, value)
            counters = {counter for job in jobs for counter in job.unit.counters}
            if counters:
                decider.offer_counters(await self._event_log.heads(list(counters)))
        except Exception as error:  # noqa: BLE001 - The edge of the callers: whose streams cannot be read is told so.
            if len(jobs) == 1:
                jobs[0].fail(error)
                return
            for job in jobs:
                await self._load([job], decider)

    def _decide(self, jobs: list[Job], decider: Decider) -> list[Decided]:
        decided: list[Decided] = []
        size = 0
        for index, job in enumerate(jobs):
            if job.answer.done():
                continue
            if size >= BATCH_BYTES:
                self._put_back(jobs[index:])
                break
            self._last_recorded_at = max(self._clock.now(), self._last_recorded_at)
            one = decider.decide(job, self._last_recorded_at)
            size += one.size_bytes
            decided.append(one)
        return decided

    def _put_back(self, jobs: Sequence[Job]) -> None:
        for job in reversed(jobs):
            self._waiting.appendleft(job)
        self._arrived.set()

    async def _append(self, decided: list[Decided]) -> None:
        jobs = [one.job for one in decided]
        try:
            results = await self._event_log.append([one.request for one in decided])
        except (StorageFullError, UnavailableError) as error:
            _fail_all(jobs, error)
        except Exception as error:  # noqa: BLE001 - Whatever it was, the callers are told what the log says.
            _log.exception("append_outcome_unknown", units=len(jobs))
            await self._settlement().find_out(decided, error)
        else:
            self._settle(decided, results)

    def _settle(self, decided: list[Decided], results: Sequence[AppendResult]) -> None:
        again: list[Job] = []
        settlement = self._settlement()
        for one, result in zip(decided, results, strict=True):
            job = one.job
            if isinstance(result, Appended):
                settlement.settle(one, result)
                if result.envelopes:
                    self._last_recorded_at = max(self._last_recorded_at, result.envelopes[-1].recorded_at)
            elif isinstance(result, Conflicted):
                job.attempts += 1
                job.written = tuple(key for key in one.before if key not in job.unit.keys)
                if job.attempts < MAX_ATTEMPTS:
                    again.append(job)
                else:
                    job.fail(ConflictError("Others kept changing the same thing; nothing was changed. Try again."))
            else:
                job.fail(result.error)
        self._put_back(again)

    def _settlement(self) -> Settlement:
        return Settlement(log=self._event_log, cache=self._cache, fold=self._fold)


def _fail_all(jobs: Sequence[Job], error: StorageFullError | UnavailableError) -> None:
    for job in jobs:
        # Each caller gets an exception of its own: raised in several tasks, one would collect their tracebacks.
        failure = type(error)(error.detail)
        failure.__cause__ = error
        job.fail(failure)
