import asyncio

from domain.ids import Position
from projections.position import Progress

LONG = 30.0


async def test_demand_ends_the_gathering_at_once() -> None:
    progress = Progress()
    gathering = asyncio.create_task(progress.wait_for_demand(LONG))
    await asyncio.sleep(0)
    assert not gathering.done()
    reader = asyncio.create_task(progress.wait_until(Position(3), LONG))
    await gathering
    progress.announce(Position(3))
    assert await reader


async def test_nobody_gathers_while_somebody_waits() -> None:
    progress = Progress()
    reader = asyncio.create_task(progress.wait_until(Position(3), LONG))
    await asyncio.sleep(0)
    await asyncio.wait_for(progress.wait_for_demand(LONG), 5)
    progress.announce(Position(3))
    assert await reader


async def test_gathering_ends_by_itself() -> None:
    progress = Progress()
    await progress.wait_for_demand(0.01)
    assert not await progress.wait_until(Position(1), 0.01)


async def test_who_waits_for_the_beginning_waits_until_something_can_be_read() -> None:
    progress = Progress()
    assert progress.position == 0
    assert not await progress.wait_until(Position(0), 0.01)
    progress.announce(Position(0))
    assert await progress.wait_until(Position(0), LONG)
