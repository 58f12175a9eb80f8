"""Keeps the read models up to date."""

import asyncio
from collections.abc import Sequence

from projections.runner import ProjectionRunner


async def run(projections: Sequence[ProjectionRunner], stop: asyncio.Event) -> None:
    """Follow the logs into all read models until told to stop.

    Safe to kill: a read model goes on from the position in its file. A second process is refused by the lock of the
    read model.

    Raises:
        BusyError: Another process follows a log into one of them.
    """
    async with asyncio.TaskGroup() as group:
        for projection in projections:
            group.create_task(projection.run(stop), name=f"projector-{projection.name}")
