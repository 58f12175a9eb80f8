"""How far a read model has come, and who waits for it."""

import asyncio

from domain.ids import Position


class Progress:
    """The newest position that a read model of this process holds. Used from one event loop alone.

    Until the first one is announced nothing can be read, not even of an empty log.
    """

    def __init__(self, position: Position | None = None) -> None:
        self._position = position
        self._waiting: list[tuple[Position, asyncio.Future[None]]] = []
        self._demanded = asyncio.Event()

    @property
    def position(self) -> Position:
        """The position up to which the read model holds all events."""
        return Position(0) if self._position is None else self._position

    def announce(self, position: Position) -> None:
        """Say that everything up to a position can be read; it never goes back."""
        if self._position is not None and position <= self._position:
            return
        self._position = position
        still: list[tuple[Position, asyncio.Future[None]]] = []
        for wanted, future in self._waiting:
            if wanted > position:
                still.append((wanted, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = still

    async def wait_until(self, position: Position, timeout_seconds: float) -> bool:
        """Wait until everything up to a position can be read; False when the time is over."""
        if self._position is not None and self._position >= position:
            return True
        entry = (position, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        self._demanded.set()
        try:
            async with asyncio.timeout(timeout_seconds):
                await entry[1]
        except TimeoutError:
            return False
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
        return True

    async def wait_for_demand(self, seconds: float) -> None:
        """Wait until somebody waits for a position, at most so long."""
        self._demanded.clear()
        if self._waiting:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._demanded.wait()
        except TimeoutError:
            return
