"""Stores of artifacts' own, each a directory, and what a service without any has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.object_store.directory import DirectoryObjectStore
from application.leased_store import LeasedStore
from application.ports.object_store import ObjectStore
from application.ports.object_stores import StoreAccess
from domain.errors import StoreUnavailableError


class OneStore:
    """The service's own store is the only one."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def at(self, store: str | None) -> ObjectStore:
        assert store is None
        return self._objects

    async def require(self, store: str | None) -> None:
        assert store is None


class CountedStore(DirectoryObjectStore):
    """A directory that says whether it was closed, and refuses to be closed twice."""

    is_closed = False

    async def close(self) -> None:
        assert not self.is_closed
        self.is_closed = True
        await super().close()


class DirectoryOpener:
    """Opens a directory a bucket and prefix, for who has its key. `keys` maps an access key id to its secret part."""

    def __init__(self, root: Path, keys: dict[str, str]) -> None:
        self.root = root
        self.keys = keys
        self.opened: list[StoreAccess] = []
        self.stores: list[CountedStore] = []

    async def open(self, access: StoreAccess) -> ObjectStore:
        self.opened.append(access)
        if self.keys.get(access.access_key_id) != access.secret_access_key:
            raise StoreUnavailableError("The store refuses the credentials.")
        location = access.location
        store = CountedStore(self.root / (location.bucket or "default") / location.prefix)
        self.stores.append(store)
        return store

    def files(self, bucket: str) -> list[bytes]:
        """Give what is in a bucket."""
        return sorted(file.read_bytes() for file in (self.root / bucket).rglob("*") if file.is_file())


@asynccontextmanager
async def _lend(objects: ObjectStore) -> AsyncIterator[ObjectStore]:
    yield objects


def leased(objects: ObjectStore) -> LeasedStore:
    """Give a store through a lease, as the stores of artifacts are."""
    return LeasedStore(lambda: _lend(objects))
