"""The keys of secrets beside the log: a crash between the two, keys that nothing needs, and a log that was copied."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.key_ring import new_ring_key, parse_key_ring
from adapters.key_table import SqliteKeyTable
from adapters.system import SystemClock
from application.chores.unused_keys import UNUSED_AFTER
from application.settings import Settings
from bootstrap import collect_garbage
from domain.errors import AlreadyExistsError, ArtifactNotFoundError
from tests.support.given import uid
from tests.support.life import LocalService

ROOT = Path(__file__).parents[2]


def keys_of(data_dir: Path) -> int:
    async def count() -> int:
        table = SqliteKeyTable(data_dir / "keys.db")
        try:
            return sum((await table.counts()).values())
        finally:
            await table.close()

    return asyncio.run(count())


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LocalService]:
    service = LocalService(tmp_path / "data")
    yield service
    service.close()


def test_a_process_killed_between_key_and_event_leaves_nothing_but_a_key(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    command = [sys.executable, "-m", "tests.support.crashing_creation", str(data_dir)]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert keys_of(data_dir) == 1
    service = LocalService(data_dir)
    try:
        with pytest.raises(ArtifactNotFoundError):
            service.call("read", artifact_id="cut-off")
        service.call("create", alias="cut-off", manifest={}, secrets={"A": "again"})
        assert service.call("get_secret", artifact_id="cut-off") == {"A": "again"}
    finally:
        service.close()
    assert keys_of(data_dir) == 2


def test_a_refused_creation_makes_no_artifact_and_leaves_the_secrets_that_there_are(service: LocalService) -> None:
    service.call("create", alias="a", manifest={}, secrets={"A": "a"})
    with pytest.raises(AlreadyExistsError):
        service.call("create", alias="a", manifest={}, secrets={"A": "b"})
    assert service.call("get_secret", artifact_id="a") == {"A": "a"}


def test_keys_that_no_artifact_needs_are_deleted_once_they_are_old(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    service = LocalService(data_dir)
    service.call("create", alias="kept", manifest={}, secrets={"A": "a"})
    service.close()
    now = SystemClock().now()

    async def add_unused() -> None:
        table = SqliteKeyTable(data_dir / "keys.db")
        ring = parse_key_ring(new_ring_key())
        # The key of the artifact is as old as the others.
        kept = (await table.page(None, 1))[0]
        await table.delete([kept.artifact_id])
        await table.add(kept.artifact_id, kept.key, now - UNUSED_AFTER - 60_000_000)
        for number in range(450):
            artifact_id = uid(f"unused {number}")
            await table.add(artifact_id, ring.make(artifact_id), now - UNUSED_AFTER - 60_000_000)
        await table.add(uid("young"), ring.make(uid("young")), now)
        await table.close()

    asyncio.run(add_unused())
    settings = Settings(data_dir=data_dir)
    for is_dry_run, deleted, left in ((True, 450, 452), (False, 450, 2), (False, 0, 2)):
        done = asyncio.run(collect_garbage(settings, is_dry_run=is_dry_run))["unused-keys"]
        assert sum(tally.items for tally in done.values()) == deleted
        assert keys_of(data_dir) == left
    service = LocalService(data_dir)
    assert service.call("get_secret", artifact_id="kept") == {"A": "a"}
    service.close()
