"""Killing the process at any moment: what was acknowledged is there, and nothing is there by halves."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import UUID

import pytest

from adapters.event_log.sqlite import SqliteEventLog
from domain.ids import Position, StreamId
from tests.support.event_log import key

ROUNDS = 15
ROOT = Path(__file__).parents[2]


def run_and_kill(path: Path, after_seconds: float) -> list[UUID]:
    """Start a writer, kill it so long after its first acknowledgement, and give all acknowledged event ids."""
    command = [sys.executable, "-m", "tests.support.crashing_writer", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        guard = threading.Timer(30, process.kill)
        guard.start()
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        # The pipe has to be emptied meanwhile: a writer that waits for its reader would not be killed at work.
        reader = threading.Thread(target=lines.extend, args=(process.stdout,))
        reader.start()
        time.sleep(after_seconds)
        process.kill()
        reader.join()
        guard.cancel()
    assert lines[0], "the writer ended before it wrote anything"
    return [UUID(part) for line in lines if line.endswith(b"\n") for part in line.decode().split()]


@pytest.mark.slow
async def test_a_killed_process_loses_nothing_acknowledged_and_leaves_nothing_half(tmp_path: Path) -> None:
    path, chance = tmp_path / "log.db", random.Random(20261125)
    acknowledged: list[UUID] = []
    for _ in range(ROUNDS):
        acknowledged += run_and_kill(path, chance.uniform(0, 0.25))
        log = SqliteEventLog(path, "test")
        try:
            stored = await log.read(Position(0), 10_000_000)
            assert [event.envelope.position for event in stored] == list(range(1, len(stored) + 1))
            ids = {event.envelope.event_id for event in stored}
            assert ids.issuperset(acknowledged), "an acknowledged event is missing"
            # Commands are whole: three events each, in a row, the last two on the shared streams.
            streams = [event.envelope.stream_id for event in stored]
            commands = [streams[start : start + 3] for start in range(0, len(streams), 3)]
            assert {tuple(command[1:]) for command in commands} == {(key(1).id, key(2).id)}
            owned = {command[0] for command in commands}
            assert len(owned) == len(commands)
            for shared in (key(1).id, key(2).id):
                assert await log.verify_chain(shared) == len(commands)
            heads = await log.heads([*owned, key(1).id])
            assert heads[key(1).id].version == len(commands)
            assert {heads[StreamId(stream)].version for stream in owned} == {1}
        finally:
            await log.close()
    assert len(acknowledged) > 3 * ROUNDS
