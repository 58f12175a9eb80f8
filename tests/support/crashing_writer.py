"""A process that writes as fast as it can and names each acknowledged event on stdout, until it is killed.

Each command writes three events on three streams: one of its own and two that all commands share.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.support.event_log import Bench, key

CLIENTS = 24


async def client(bench: Bench) -> None:
    """Run commands one after the other. The acknowledgement goes out in one write, which is whole or not at all."""
    while True:
        done = await bench.add(key(), key(1), key(2), note="x" * 200)
        ids = " ".join(str(event.envelope.event_id) for event in done.events)
        os.write(sys.stdout.fileno(), f"{ids}\n".encode())


async def main(path: Path) -> None:
    """Write until the end of the process."""
    async with Bench(path) as bench:
        await asyncio.gather(*(client(bench) for _ in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
