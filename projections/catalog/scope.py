"""Which containers a list is about, and what the chains above them let the viewer see."""

import sqlite3
import time
from typing import Final

import msgspec

from application.ports.catalog import CatalogQuery
from domain.errors import UnavailableError
from projections.catalog.sql import FALSE, Binder, Source
from projections.catalog.visibility import FIELDS, Chains, Halves

MAX_GIVING: Final = 50
"""Containers that show more than own entries do, and are still named one by one in a statement."""

_CREATE: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS scope (container INTEGER PRIMARY KEY, "
    + ", ".join(f"{name} INTEGER NOT NULL" for name in FIELDS)
    + ") STRICT"
)
_INSERT: Final = f"INSERT INTO temp.scope VALUES ({', '.join('?' for _ in range(len(FIELDS) + 1))})"  # noqa: S608 - Constants.
# Jumps from one container to the next in an index, whatever number of documents each has.
_IN_WORKSPACE: Final = """
WITH RECURSIVE found (container) AS (
    SELECT (SELECT min(d.container) FROM main.documents d WHERE d.is_deleted = 0 AND d.workspace = :workspace)
    UNION ALL
    SELECT (SELECT min(d.container) FROM main.documents d
            WHERE d.is_deleted = 0 AND d.workspace = :workspace AND d.container > found.container)
    FROM found WHERE found.container IS NOT NULL
)
SELECT container FROM found WHERE container IS NOT NULL
"""
_ANYWHERE: Final = """
WITH RECURSIVE found (container) AS (
    SELECT (SELECT min(d.container) FROM main.documents d WHERE d.is_deleted = 0)
    UNION ALL
    SELECT (SELECT min(d.container) FROM main.documents d
            WHERE d.is_deleted = 0 AND d.container > found.container)
    FROM found WHERE found.container IS NOT NULL
)
SELECT container FROM found WHERE container IS NOT NULL
"""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The containers of a query: one, or those in `temp.scope`.

    `containers` ends a comparison of a container; `workspace` is its number, where one was asked for. `source` finds
    the documents that the viewer can see by own entries, where those alone can show something.
    """

    container: int | None
    workspace: int | None
    containers: str
    halves: Halves
    sources: tuple[Source, ...]


def resolve_scope(connection: sqlite3.Connection, binder: Binder, query: CatalogQuery, deadline: float) -> Scope | None:
    """Find the containers of a query; None when there is nothing in them for anybody.

    Raises:
        UnavailableError: There are so many collections that the time was over.
    """
    workspace: int | None = None
    if query.workspace is not None:
        row = connection.execute("SELECT id FROM main.workspaces WHERE name = ?", (query.workspace,)).fetchone()
        if row is None:
            return None
        workspace = int(row[0])
    chains = Chains(connection, query.viewer)
    container: int | None = None
    if not isinstance(query.parent, str):
        row = connection.execute(
            "SELECT doc FROM main.documents WHERE artifact_id = ?", (query.parent.bytes,)
        ).fetchone()
        if row is None:
            return None
        container = int(row[0])
    elif query.parent == "root" and workspace is not None:
        container = -workspace
    if container is not None:
        return _one(binder, chains, container, workspace)
    return _many(connection, chains, workspace, is_root_only=query.parent == "root", deadline=deadline)


def _one(binder: Binder, chains: Chains, container: int, workspace: int | None) -> Scope | None:
    halves = chains.halves(container)
    if halves.is_open == FALSE:
        return None
    place = f"= {binder.bind(container)}"
    own = _own_entries(place)
    return Scope(
        container=container,
        workspace=workspace,
        containers=place,
        halves=halves,
        sources=() if halves.gives_something else (Source((own,)),),
    )


def _many(
    connection: sqlite3.Connection, chains: Chains, workspace: int | None, *, is_root_only: bool, deadline: float
) -> Scope | None:
    connection.execute(_CREATE)
    connection.execute("DELETE FROM temp.scope")
    rows = connection.execute(*((_ANYWHERE,) if workspace is None else (_IN_WORKSPACE, {"workspace": workspace})))
    found: list[tuple[int, Halves]] = []
    for (container,) in rows.fetchall():
        if time.monotonic() > deadline:
            raise UnavailableError("The search takes too long; name a collection or a workspace.")
        if is_root_only and container > 0:
            break
        halves = chains.halves(container)
        if halves.is_open != FALSE:
            found.append((container, halves))
    if not found:
        return None
    connection.executemany(
        _INSERT, [(container, *(int(getattr(halves, name)) for name in FIELDS)) for container, halves in found]
    )
    # A column that is the same everywhere is a constant, so that simple questions stay simple statements.
    columns = {
        name: values.pop() if len(values := {getattr(halves, name) for _, halves in found}) == 1 else f"s.{name}"
        for name in FIELDS
    }
    giving = [container for container, halves in found if halves.gives_something]
    # Where a few containers show everything and many show a little, the little is found by its entries.
    visible = Source(
        (
            _own_entries("IN (SELECT container FROM temp.scope)"),
            *(
                f"SELECT d.doc FROM main.documents d WHERE d.is_deleted = 0 AND d.container = {int(one)}"  # noqa: S608
                for one in giving
            ),
        )
    )
    return Scope(
        container=None,
        workspace=workspace,
        containers="IN (SELECT container FROM temp.scope)",
        halves=Halves(**columns),
        sources=(visible,) if len(giving) < len(found) and len(giving) < MAX_GIVING else (),
    )


def _own_entries(place: str) -> str:
    return (
        "SELECT g.doc FROM temp.viewer v CROSS JOIN main.grants g ON g.subject = v.subject "  # noqa: S608 - Bound.
        f"AND g.container {place}"
    )
