"""The janitor: chores come in turn, one that fails stops no other, and all stop when told to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from application.chores.registry import CHORES, Chore
from application.chores.turn import Tally, Turn
from application.services import Services
from workers.janitor import Janitor, run, run_once

# These chores look at nothing.
NOTHING: Any = None


def janitor(*chores: Chore) -> Janitor:
    return Janitor(services=NOTHING, interval_seconds=0.001, chores=chores)


def chore(name: str, work: Callable[[Turn], Awaitable[None]]) -> Chore:
    async def do(services: Services, turn: Turn) -> None:
        await work(turn)

    return Chore(name, do)


async def test_chores_come_in_turn_until_told_to_stop() -> None:
    stop, done = asyncio.Event(), list[str]()

    async def first(turn: Turn) -> None:
        done.append("first")

    async def second(turn: Turn) -> None:
        done.append("second")
        if len(done) == 4:
            stop.set()

    await run(janitor(chore("first", first), chore("second", second)), stop)
    assert done == ["first", "second"] * 2


async def test_a_failing_chore_is_told_once_and_stops_no_other() -> None:
    stop, rounds = asyncio.Event(), list[int]()

    async def failing(turn: Turn) -> None:
        if len(rounds) < 3:
            raise OSError("the disk is gone")

    async def counting(turn: Turn) -> None:
        rounds.append(len(rounds))
        if len(rounds) == 5:
            stop.set()

    with capture_logs() as logs:
        await run(janitor(chore("failing", failing), chore("counting", counting)), stop)
    told = [(line["event"], line["chore"]) for line in logs]
    assert told == [("chore_failed", "failing"), ("chore_recovered", "failing")]


async def test_a_chore_remembers_until_it_fails() -> None:
    stop, seen = asyncio.Event(), list[int]()

    async def counting(turn: Turn) -> None:
        turn.memory["rounds"] = turn.memory.get("rounds", 0) + 1
        seen.append(turn.memory["rounds"])
        if len(seen) == 3:
            raise ValueError("forgets")
        if len(seen) == 5:
            stop.set()

    await run(janitor(chore("counting", counting)), stop)
    assert seen == [1, 2, 3, 1, 2]


async def test_a_turn_is_over_when_told_to_stop_or_when_its_time_is() -> None:
    stop = asyncio.Event()
    assert await Turn(stop).goes_on()
    assert not await Turn(stop, seconds=0.0).goes_on()
    assert await Turn(stop, seconds=None).goes_on()
    stop.set()
    assert not await Turn(stop, seconds=None).goes_on()


async def test_what_was_done_is_told() -> None:
    stop = asyncio.Event()

    async def busy(turn: Turn) -> None:
        turn.count("objects removed", size_bytes=3)
        turn.count("objects removed", size_bytes=4)
        stop.set()

    with capture_logs() as logs:
        await run(janitor(chore("busy", busy)), stop)
    account = {"objects removed": {"items": 2, "bytes": 7}}
    assert logs == [{"event": "chore_done", "chore": "busy", "account": account, "log_level": "info"}]


@pytest.mark.parametrize("is_dry_run", [False, True])
async def test_once_does_all_to_the_end_and_tells_failures_last(is_dry_run: bool) -> None:
    async def failing(turn: Turn) -> None:
        raise OSError("the disk is gone")

    async def busy(turn: Turn) -> None:
        while len(turn.tallies) == 0 and await turn.goes_on():
            turn.count("things", 3)
        assert turn.is_dry_run is is_dry_run

    done = await run_once(NOTHING, is_dry_run=is_dry_run, chores=(chore("busy", busy),))
    assert done == {"busy": {"things": Tally(3, 0)}}
    with capture_logs() as logs, pytest.raises(ExceptionGroup):
        await run_once(NOTHING, is_dry_run=is_dry_run, chores=(chore("failing", failing), chore("busy", busy)))
    assert [line["event"] for line in logs] == ["chore_failed"] + ([] if is_dry_run else ["chore_done"])


def test_chores_have_names_of_their_own() -> None:
    names = [chore.name for chore in CHORES]
    assert len(set(names)) == len(names)
