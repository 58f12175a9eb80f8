"""Calls in order on a pool of threads."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Lane:
    """Runs calls one at a time, in the order in which they were submitted, on threads that it shares with other lanes.

    A cancelled caller cannot stop a call that runs. In a lane the next call comes behind it all the same, so a file is
    never closed under the thread that writes it, and nothing has to be locked.
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._mutex = threading.Lock()
        self._calls: deque[Callable[[], None]] = deque()

    def submit(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> asyncio.Future[Result]:
        """Put a call at the end of the lane; for one event loop.

        Raises:
            RuntimeError: The pool is closed.
        """
        future: Future[Result] = Future()

        def call() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    result = function(*args, **kwargs)
                except Exception as error:  # noqa: BLE001 - The edge of a task: whoever awaits it gets the error.
                    future.set_exception(error)
                else:
                    future.set_result(result)

        with self._mutex:
            self._calls.append(call)
            is_idle = len(self._calls) == 1
        if is_idle:
            try:
                self._pool.submit(self._run_next)
            except RuntimeError:
                self._calls.clear()
                raise
        return asyncio.wrap_future(future)

    def _run_next(self) -> None:
        while True:
            self._calls[0]()
            with self._mutex:
                self._calls.popleft()
                if not self._calls:
                    return
            # Behind the calls of others, so that one fast upload does not keep a thread for itself. A pool that is
            # being closed takes no more, so what is left is done here.
            with suppress(RuntimeError):
                self._pool.submit(self._run_next)
                return
