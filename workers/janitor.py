"""Ends what has expired and removes what nothing names any more, chore by chore."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from application.chores.registry import CHORES, Chore
from application.chores.turn import Tally, Turn, TurnStoppedError, pause
from application.services import Services

CHORE_SECONDS = 3_600.0
"""After so long a turn that does not end by itself is given up, as when a disk does not answer."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Janitor:
    """What the janitor works with."""

    services: Services
    interval_seconds: float
    chores: Sequence[Chore] = CHORES


async def run(janitor: Janitor, stop: asyncio.Event) -> None:
    """Do the chores in turn, with a pause between two rounds, until told to stop.

    Safe to run twice and safe to kill: each chore looks at what is there.
    """
    memories: dict[str, dict[str, Any]] = {chore.name: {} for chore in janitor.chores}
    failing: dict[str, str] = {}
    while not stop.is_set():
        await pause(stop, janitor.interval_seconds)
        for chore in janitor.chores:
            if stop.is_set():
                return
            turn = Turn(stop, memory=memories[chore.name])
            try:
                async with asyncio.timeout(CHORE_SECONDS):
                    await chore.run(janitor.services, turn)
            except TurnStoppedError:
                return
            except Exception as error:  # noqa: BLE001 - The edge of a chore: it must not stop the others.
                # Told once, not at each round; what it remembers may be why, so it begins anew.
                memories[chore.name].clear()
                if failing.get(chore.name) != repr(error):
                    _log.exception("chore_failed", chore=chore.name)
                failing[chore.name] = repr(error)
            else:
                if failing.pop(chore.name, None) is not None:
                    _log.info("chore_recovered", chore=chore.name)
            _tell(chore, turn)


async def run_once(
    services: Services, *, is_dry_run: bool, chores: Sequence[Chore] = CHORES
) -> Mapping[str, Mapping[str, Tally]]:
    """Do every chore to its end, without pauses, and tell what each of them did, or would do.

    Raises:
        ExceptionGroup: Chores failed; the others were done.
    """
    done: dict[str, Mapping[str, Tally]] = {}
    failures: list[Exception] = []
    for chore in chores:
        turn = Turn(asyncio.Event(), is_dry_run=is_dry_run, seconds=None, working_share=1.0)
        try:
            await chore.run(services, turn)
        except Exception as error:  # noqa: BLE001 - As in `run`.
            _log.exception("chore_failed", chore=chore.name)
            failures.append(error)
        done[chore.name] = turn.tallies
        if not is_dry_run:
            _tell(chore, turn)
    if failures:
        raise ExceptionGroup("Chores failed", failures)
    return done


def _tell(chore: Chore, turn: Turn) -> None:
    if turn.tallies:
        account = {what: {"items": tally.items, "bytes": tally.size_bytes} for what, tally in turn.tallies.items()}
        _log.info("chore_done", chore=chore.name, account=account)
