"""Notices that a client has gone away while it is sent an answer: sending to one raises nothing (granian 2.8)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.http.exchange import ClientDisconnectedError, Exchange


class Departure:
    """Tells whether the client is gone."""

    def __init__(self) -> None:
        self.is_gone = False

    def check(self) -> None:
        """Stop what is done for the client alone.

        Raises:
            ClientDisconnectedError: It is gone.
        """
        if self.is_gone:
            raise ClientDisconnectedError


@asynccontextmanager
async def watched(exchange: Exchange) -> AsyncIterator[Departure]:
    """Watch the client of a request whose body is of no interest, until the block ends."""
    departure = Departure()

    async def watch() -> None:
        while (await exchange.receive())["type"] != "http.disconnect":
            pass
        departure.is_gone = True

    task = asyncio.create_task(watch(), name="departure")
    task.add_done_callback(_retrieve)
    try:
        yield departure
    finally:
        task.cancel()


def _retrieve(task: "asyncio.Task[None]") -> None:
    """Look at how the watch ended: a connection that cannot be read any more is no failure of its own."""
    if not task.cancelled():
        task.exception()
