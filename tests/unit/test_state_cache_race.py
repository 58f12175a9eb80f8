"""A load that has ended, and whose callbacks have not run yet, is no load to wait for."""

import asyncio
from collections.abc import Sequence

from application.state_cache import StateCache
from domain.events import RecordedEvent
from domain.ids import StreamId
from tests.support.event_log import fold, key, new_event, request
from tests.support.memory_event_log import MemoryEventLog


class OvertakenLog(MemoryEventLog):
    """Its first read of a stream is overtaken by an append, and wakes somebody before those who wait for the read."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = key()
        self.overtaken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def read_stream(
        self, stream_id: StreamId, *, after_version: int = 0, up_to_version: int | None = None
    ) -> Sequence[RecordedEvent]:
        page = await super().read_stream(stream_id, after_version=after_version, up_to_version=up_to_version)
        if not self.overtaken.done():
            await self.append([request(new_event(self.stream, 2))])
            self.overtaken.set_result(None)
        return page


async def test_whoever_comes_between_the_end_of_a_load_and_its_callbacks_reads_anew() -> None:
    log = OvertakenLog()
    await log.append([request(new_event(log.stream, 1))])
    cache = StateCache(log, fold)

    async def come_between() -> int:
        await log.overtaken
        return (await cache.get([log.stream]))[log.stream].version

    second = asyncio.create_task(come_between())
    await asyncio.sleep(0)
    assert (await cache.get([log.stream]))[log.stream].version >= 1
    assert await second == 2
