"""A process that creates an artifact with a secret, and dies as by SIGKILL between its key and its event."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from adapters.data_directory import kept_key_ring
from adapters.key_table import SqliteKeyTable
from application.commands.create import create
from application.parameters import Create
from application.ports.secret_keys import WrappedKey
from application.settings import Settings
from application.vault import Vault
from bootstrap import open_gateway
from tests.support.life import context_of_alice


class LastKeyTable(SqliteKeyTable):
    """A table whose process is killed when it has kept a key."""

    async def add(self, artifact_id: UUID, key: WrappedKey, added_at: int) -> WrappedKey:
        await super().add(artifact_id, key, added_at)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("Nothing comes after SIGKILL")


async def main(data_dir: Path) -> None:
    """Create until killed."""
    settings = Settings(data_dir=data_dir)
    async with open_gateway(settings, "http://service.test", lambda: None) as gateway:
        services = gateway.application
        table = LastKeyTable(data_dir / "keys.db")
        dying = replace(services, vault=Vault(table, kept_key_ring(data_dir), services.clock))
        await create(dying, context_of_alice(), Create(alias="cut-off", manifest={}, secrets={"A": "a"}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
