"""What is below an artifact, whoever may see it."""

import sqlite3
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from domain.permissions import MAX_CHAIN

# Only what has children is looked at: the containers of a workspace, each found by a jump in an index.
_CONTAINERS: Final = """
WITH RECURSIVE found (container) AS (
    SELECT (SELECT min(d.container) FROM main.documents d
            WHERE d.is_deleted = 0 AND d.workspace = :workspace AND d.container > 0)
    UNION ALL
    SELECT (SELECT min(d.container) FROM main.documents d
            WHERE d.is_deleted = 0 AND d.workspace = :workspace AND d.container > found.container)
    FROM found WHERE found.container IS NOT NULL
)
SELECT f.container, d.container FROM found f JOIN main.documents d ON d.doc = f.container
"""


def levels_below(connection: sqlite3.Connection, artifact_id: UUID) -> int:
    """Count the levels of artifacts below an artifact; 0 for one that has no children or is not known."""
    row = connection.execute(
        "SELECT doc, workspace FROM main.documents WHERE artifact_id = ?", (artifact_id.bytes,)
    ).fetchone()
    if row is None:
        return 0
    top, workspace = row
    above: dict[int, int] = dict(connection.execute(_CONTAINERS, {"workspace": workspace}).fetchall())
    deepest = 0
    for container in above:
        level, place = 1, container
        while place != top and place in above and level <= MAX_CHAIN:
            level, place = level + 1, above[place]
        if place == top:
            deepest = max(deepest, level)
    return deepest


_DELETED_WITH_CHILDREN: Final = """
WITH RECURSIVE found (container) AS (
    SELECT (SELECT min(d.container) FROM main.documents d WHERE d.is_deleted = 0 AND d.container > 0)
    UNION ALL
    SELECT (SELECT min(d.container) FROM main.documents d
            WHERE d.is_deleted = 0 AND d.container > found.container)
    FROM found WHERE found.container IS NOT NULL
)
SELECT d.artifact_id FROM found f JOIN main.documents d ON d.doc = f.container WHERE d.is_deleted = 1 LIMIT :limit
"""
_CHILDREN: Final = """
SELECT d.artifact_id FROM main.documents d
WHERE d.is_deleted = 0 AND d.container = (SELECT p.doc FROM main.documents p WHERE p.artifact_id = :parent)
ORDER BY d.doc LIMIT :limit
"""


def deleted_with_children(connection: sqlite3.Connection, limit: int) -> Sequence[UUID]:
    """Name deleted artifacts that something living is in."""
    rows = connection.execute(_DELETED_WITH_CHILDREN, {"limit": limit})
    return [UUID(bytes=artifact_id) for (artifact_id,) in rows]


def children_of(connection: sqlite3.Connection, parent_id: UUID, limit: int) -> Sequence[UUID]:
    """Name living artifacts that are in another one, living or not."""
    rows = connection.execute(_CHILDREN, {"parent": parent_id.bytes, "limit": limit})
    return [UUID(bytes=artifact_id) for (artifact_id,) in rows]
