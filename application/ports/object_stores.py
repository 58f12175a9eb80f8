"""The ports of the stores in which the files of artifacts lie."""

from typing import Protocol

import msgspec

from application.ports.object_store import ObjectStore
from domain.artifact.events import StoreLocation


class StoreAccess(msgspec.Struct, frozen=True, kw_only=True):
    """A store of an artifact's own, and the credentials for it. Its text form shows no credentials."""

    location: StoreLocation
    access_key_id: str
    secret_access_key: str
    region_name: str | None = None
    public_endpoint_url: str | None = None

    def __repr__(self) -> str:
        """Name the store alone."""
        return f"StoreAccess({self.location.id!r})"


class StoreOpener(Protocol):
    """Opens stores of artifacts' own; an adapter of one technology."""

    async def open(self, access: StoreAccess) -> ObjectStore:
        """Open a store. Objects are below its prefix; keys do not name the prefix.

        Raises:
            StoreUnavailableError: It cannot be opened; the text shows no credentials.
        """
        ...


class ObjectStores(Protocol):
    """Gives the store in which a file lies, or is put."""

    def at(self, store: str | None) -> ObjectStore:
        """Give a store by its id; None is the service's own.

        Nothing is opened yet: the methods of the store raise `StoreUnavailableError` when it cannot be used.
        """
        ...

    async def require(self, store: str | None) -> None:
        """Refuse a store that cannot be used, before anybody relies on it.

        Raises:
            StoreUnavailableError: It cannot be used; the text says why.
        """
        ...


class Egress(Protocol):
    """Decides which addresses that users give the service may connect to."""

    async def check(self, url: str) -> None:
        """Refuse an address of which any resolved address is private, loopback, link-local or otherwise special.

        Raises:
            AddressRefusedError: It is refused, or cannot be resolved.
        """
        ...
