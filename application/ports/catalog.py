"""The port of the catalog: which artifacts there are, as far as one caller may list them."""

from collections.abc import Sequence
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from domain.artifact.state import Artifact
from domain.filters import Filter, Order, StageScope
from domain.ids import Position
from domain.permissions import Viewer

__all__ = ["Catalog", "CatalogPage", "CatalogQuery", "CatalogRow", "StageScope"]


class CatalogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One page of one list. Visibility, parent and stage are conditions of their own beside the filter.

    `workspace` None means any; `parent` is a collection, "root" for artifacts without a parent, or "any". The viewer
    is the caller as that workspace, or that of the collection, sees him. `after` is the cursor of an earlier page
    (then `offset` is 0). `limit` and `offset` are not negative.
    """

    viewer: Viewer
    workspace: str | None = None
    parent: UUID | Literal["root", "any"] = "any"
    filter: Filter | None = None
    order: Order | None = None
    stage: StageScope = StageScope.COMMITTED
    offset: int = 0
    limit: int = 100
    after: str | None = None
    needs_total: bool = False


class CatalogRow(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact of a list, as the read model knows it. `created_position` is the order of creation."""

    artifact: Artifact
    created_position: Position
    view_count: int
    download_milli: int


class CatalogPage(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, how many there are in all (when asked), and the cursor of the next page (None: the last)."""

    rows: Sequence[CatalogRow]
    total: int | None = None
    next_cursor: str | None = None


class Catalog(Protocol):
    """Answers lists. Shows exactly what the viewer may list: filtered in the query, not after it."""

    async def search(self, query: CatalogQuery) -> CatalogPage:
        """Answer one page.

        Raises:
            InvalidArgumentError: The cursor is none, or belongs to another order or another log.
            UnavailableError: The search took too long, or too many wait.
        """
        ...

    async def levels_below(self, artifact_id: UUID) -> int:
        """Count the levels of artifacts below an artifact: 0 without children, 1 with children that have none.

        Raises:
            UnavailableError: There are so many collections that it took too long, or too many wait.
        """
        ...

    async def children_of(self, parent_id: UUID, limit: int) -> Sequence[UUID]:
        """Name living artifacts in a collection that is there or was deleted: all of them, drafts included."""
        ...

    async def deleted_with_children(self, limit: int) -> Sequence[UUID]:
        """Name deleted artifacts that something living is in: what a deletion with all below has still to do."""
        ...

    async def wait_until(self, position: Position, timeout_seconds: float) -> bool:
        """Wait until the read model holds all events up to a position; False when the time is over."""
        ...
