"""Opens the stores of artifacts' own, with the credentials that their secrets hold, and keeps the last ones open."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from application.leased_store import LeasedStore
from application.ports.object_store import ObjectStore
from application.ports.object_stores import Egress, StoreAccess, StoreOpener
from application.state_cache import StateCache
from application.vault import Vault
from domain.artifact.state import Artifact, OwnStore
from domain.artifact.store_secrets import KEY_ID, PUBLIC_ENDPOINT, REGION, SECRET_KEY
from domain.artifact.stores import owner_of
from domain.errors import AddressRefusedError, StoreUnavailableError
from domain.ids import artifact_key

MAX_OPEN_STORES = 32
"""Stores that stay open while nobody uses them; those in use are as many as the requests under way."""
OPEN_SECONDS = 30.0


class _Opened:
    """An open store and how many use it. `source` is what it was opened from; another one makes it outdated."""

    def __init__(self, objects: ObjectStore, source: OwnStore) -> None:
        self.objects = objects
        self.source = source
        self.users = 0
        self.is_outdated = False


class ArtifactStores:
    """Gives the service's own store, and those of artifacts.

    A store is opened with the newest credentials that were set for it, so its files stay readable when the artifact
    goes over to another store. Without an opener, every store but the service's own is unavailable.
    """

    def __init__(
        self, own: ObjectStore, states: StateCache, vault: Vault, opener: StoreOpener | None, egress: Egress
    ) -> None:
        self._own = own
        self._states = states
        self._vault = vault
        self._opener = opener
        self._egress = egress
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        self._opening: dict[str, asyncio.Lock] = {}

    def at(self, store: str | None) -> ObjectStore:
        """Give a store by its id; None is the service's own."""
        return self._own if store is None else LeasedStore(lambda: self._lease(store))

    async def require(self, store: str | None) -> None:
        """Refuse a store that cannot be used.

        Raises:
            StoreUnavailableError: It cannot be used; the text says why.
            SecretsUnreadableError: Its credentials cannot be decrypted.
        """
        if store is not None:
            async with self._lease(store):
                return

    async def close(self) -> None:
        """Close all stores; nobody uses them any more."""
        while self._opened:
            _, opened = self._opened.popitem()
            await opened.objects.close()

    @asynccontextmanager
    async def _lease(self, store: str) -> AsyncIterator[ObjectStore]:
        opened = await self._open(store)
        # Nothing is awaited before this, so nobody closes it in between.
        opened.users += 1
        try:
            if len(self._opened) > MAX_OPEN_STORES:
                await self._retire(self._opened.popitem(last=False)[1])
            yield opened.objects
        finally:
            opened.users -= 1
            if opened.is_outdated and not opened.users:
                await opened.objects.close()

    async def _open(self, store: str) -> _Opened:
        source = await self._source(store)
        opened = self._opened.get(store)
        if opened is None or opened.source != source:
            # One opens it for all who ask at the same time.
            lock = self._opening.setdefault(store, asyncio.Lock())
            try:
                async with lock:
                    opened = self._opened.get(store)
                    if opened is None or opened.source != source:
                        fresh = _Opened(await self._connect(store, source), source)
                        outdated, self._opened[store] = opened, fresh
                        opened = fresh
                        if outdated is not None:
                            await self._retire(outdated)
            finally:
                if not lock.locked():
                    self._opening.pop(store, None)
        if self._opened.get(store) is opened:
            self._opened.move_to_end(store)
        return opened

    async def _retire(self, opened: _Opened) -> None:
        opened.is_outdated = True
        if not opened.users:
            await opened.objects.close()

    async def _source(self, store: str) -> OwnStore:
        key = artifact_key(owner_of(store))
        artifact: Artifact | None = (await self._states.get((key,)))[key].state
        source = artifact.stores.get(store) if artifact is not None else None
        if source is None:
            raise StoreUnavailableError("The store of this file is not known any more.")
        return source

    async def _connect(self, store: str, source: OwnStore) -> ObjectStore:
        if self._opener is None:
            raise StoreUnavailableError(
                "The files of this artifact go to an S3 store of its own (its S3 secrets name it), and this version "
                "of the service cannot reach S3. Remove S3_ACCESS_KEY_ID from its secrets to keep new files here."
            )
        secrets = await self._vault.open(owner_of(store), source.sealed)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                if source.location.endpoint_url is not None:
                    await self._egress.check(source.location.endpoint_url)
                return await self._opener.open(_access(source, secrets))
        except AddressRefusedError as error:
            raise StoreUnavailableError(f"The store of this file cannot be used. {error.detail}") from None
        except TimeoutError:
            raise StoreUnavailableError("The store of this file could not be opened in time.") from None


def _access(source: OwnStore, secrets: Mapping[str, str]) -> StoreAccess:
    return StoreAccess(
        location=source.location,
        access_key_id=secrets[KEY_ID],
        secret_access_key=secrets[SECRET_KEY],
        region_name=secrets.get(REGION) or None,
        public_endpoint_url=secrets.get(PUBLIC_ENDPOINT) or None,
    )
