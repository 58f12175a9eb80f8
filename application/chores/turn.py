"""One turn of a chore: how long it may work, what it remembers, and the account of what it did."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

TURN_SECONDS = 30.0
"""How long one turn lasts at most, its pauses included; what is left comes in the next one."""
WORKING_SHARE = 0.2
"""The part of a turn in which a chore works; the rest of the time belongs to commands and queries."""
LONGEST_PAUSE_SECONDS = 1.0
SLICE_SECONDS = 0.005
"""Work inside one piece goes on for so long before others get their turn."""


class TurnStoppedError(Exception):
    """The janitor was told to stop in the middle of a piece of work."""


class Tally(msgspec.Struct):
    """How many things a chore dealt with, and the bytes of those that have any; problems are for the operator."""

    items: int = 0
    size_bytes: int = 0
    is_problem: bool = False


class Turn:
    """What a chore gets for one turn.

    With `is_dry_run` it counts what it would do, and changes nothing. `memory` is what the chore wants to know in its
    next turn, such as where it stopped; it is lost with the process, so it may only save work.
    """

    def __init__(
        self,
        stop: asyncio.Event,
        *,
        is_dry_run: bool = False,
        seconds: float | None = TURN_SECONDS,
        working_share: float = WORKING_SHARE,
        memory: dict[str, Any] | None = None,
    ) -> None:
        self.is_dry_run = is_dry_run
        self.memory: dict[str, Any] = {} if memory is None else memory
        self._stop = stop
        self._now = asyncio.get_running_loop().time
        self._began = self._resumed = self._now()
        self._seconds = seconds
        self._pause_factor = 1 / working_share - 1
        self._tallies: dict[str, Tally] = {}

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """What was done so far, by name."""
        return self._tallies

    def count(self, what: str, items: int = 1, size_bytes: int = 0, *, is_problem: bool = False) -> None:
        """Note what was done, or would be done in a dry run: things in the plural, such as "drafts expired"."""
        tally = self._tallies.setdefault(what, Tally(is_problem=is_problem))
        tally.items += items
        tally.size_bytes += size_bytes

    async def goes_on(self) -> bool:
        """Let others have their turn, in proportion to the work since the last call; False when this turn is over.

        To be asked before each piece of work, which should take some milliseconds.
        """
        if self._is_over():
            return False
        worked = self._now() - self._resumed
        await pause(self._stop, min(worked * self._pause_factor, LONGEST_PAUSE_SECONDS))
        self._resumed = self._now()
        return not self._is_over()

    async def breathe(self) -> None:
        """Let others have their turn inside a piece of work that has to be done as a whole, however long it takes.

        Raises:
            TurnStoppedError: The janitor was told to stop.
        """
        if self._stop.is_set():
            raise TurnStoppedError
        worked = self._now() - self._resumed
        if worked > SLICE_SECONDS:
            await pause(self._stop, min(worked * self._pause_factor, LONGEST_PAUSE_SECONDS))
            self._resumed = self._now()

    def _is_over(self) -> bool:
        is_late = self._seconds is not None and self._now() - self._began >= self._seconds
        return self._stop.is_set() or is_late


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop; others get their turn in any case."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
