"""Work that goes on when its caller is gone, and that those who ask for the same meanwhile wait for together."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import structlog

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")

_log = structlog.get_logger()


class SharedWork(Generic[Key, Result]):
    """Runs one task a key. A client that gave up may ask again: it finds the work under way, or done."""

    def __init__(self) -> None:
        self._tasks: dict[Key, asyncio.Task[Result]] = {}

    def is_under_way(self, is_meant: Callable[[Key], bool]) -> bool:
        """Tell whether work is under way for any key that is meant."""
        return any(map(is_meant, self._tasks))

    async def join(self, key: Key, work: Callable[[], Awaitable[Result]]) -> Result:
        """Wait for the work of a key, which is begun if it is not under way.

        Raises:
            Exception: What the work raises.
        """
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.ensure_future(_run(work))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop what is under way, and wait until it has stopped."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: Key, done: "asyncio.Task[Result]") -> None:
        del self._tasks[key]
        if not done.cancelled() and (error := done.exception()) is not None:
            # Whoever waits is told as well; this is for those whom nobody waits for any more.
            _log.info("shared_work_failed", reason=repr(error))


async def _run(work: Callable[[], Awaitable[Result]]) -> Result:
    return await work()
