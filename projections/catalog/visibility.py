"""Who may list what, inside the query: the verdict of a parent chain, joined with each document's own entries.

The answers are those of `domain.permissions.may_list` and `sees_stage`, artifact by artifact; a property test compares
them. Below a deleted collection nothing is listed, whoever asks.
"""

import sqlite3
from typing import Final
from uuid import UUID

import msgspec

from domain.filters.tree import StageScope
from domain.permissions import MAX_CHAIN, Node, Operation, Viewer, chain_verdict, is_allowed
from domain.permissions.verdicts import AUTHENTICATED, EVERYBODY
from projections.catalog.document import decode_node
from projections.catalog.sql import FALSE, TRUE, both, constant, either, negated

NODE_CACHE: Final = 10_000
"""Collections of one search whose permissions are kept in memory while it lasts."""

_NOBODY: Final = UUID(int=0)
_SUBJECTS: Final = """
CREATE TEMP TABLE IF NOT EXISTS viewer (subject TEXT PRIMARY KEY, level INTEGER NOT NULL) STRICT, WITHOUT ROWID
"""
_GET_NODE: Final = """
SELECT d.container, d.is_deleted, s.node FROM documents d JOIN states s ON s.doc = d.doc WHERE d.doc = ?
"""
# The most specific level at which an entry of the document matches the viewer decides.
_LEVEL: Final = """(
SELECT min(w.level) FROM main.grants h CROSS JOIN temp.viewer w ON w.subject = h.subject WHERE h.doc = d.doc
)"""
_DENIED: Final = f"""EXISTS (
SELECT 1 FROM main.grants g CROSS JOIN temp.viewer v ON v.subject = g.subject
WHERE g.doc = d.doc AND g.is_denied AND v.level = {_LEVEL}
)"""  # noqa: S608 - Constants alone.
_GRANTED: Final = {
    bit: f"""EXISTS (
SELECT 1 FROM main.grants g CROSS JOIN temp.viewer v ON v.subject = g.subject
WHERE g.doc = d.doc AND g.{bit} AND (g.subject = '*' OR v.level = {_LEVEL})
)"""  # noqa: S608 - As above.
    for bit in ("may_list", "may_edit", "may_manage")
}


class Halves(msgspec.Struct, frozen=True, kw_only=True):
    """The chain's half of visibility, as constants of one container or as columns of `temp.scope`."""

    is_open: str = TRUE
    sees_all_committed: str
    sees_all_staged: str
    inherits_list: str
    inherits_edit: str
    passes_edit: str
    is_reviewer: str
    manages_all: str
    inherits_manage: str
    passes_manage: str

    @property
    def gives_something(self) -> bool:
        """Whether a document is visible that has no entry for the viewer."""
        return any(getattr(self, name) != FALSE for name in FIELDS[1:7])


FIELDS: Final = tuple(Halves.__struct_fields__)
_CLOSED: Final = Halves(**dict.fromkeys(FIELDS, FALSE))


def set_viewer(connection: sqlite3.Connection, viewer: Viewer) -> None:
    """Tell the connection who asks."""
    connection.execute(_SUBJECTS)
    connection.execute("DELETE FROM temp.viewer")
    connection.executemany(
        "INSERT OR IGNORE INTO temp.viewer VALUES (?, ?)",
        [(subject, level) for level, subjects in enumerate(viewer.levels) for subject in subjects],
    )


class Chains:
    """Computes the halves of containers, each collection's permissions read once."""

    def __init__(self, connection: sqlite3.Connection, viewer: Viewer) -> None:
        self._connection = connection
        self._viewer = viewer
        self._nodes: dict[int, tuple[int, bool, Node] | None] = {}

    def halves(self, container: int) -> Halves:
        """Give what the chain above the documents of a container says."""
        chain: list[Node] = []
        while container > 0:
            found = self._node(container)
            if found is None or found[1] or len(chain) == MAX_CHAIN:
                return _CLOSED
            container = found[0]
            chain.append(found[2])
        return _halves(self._viewer, chain)

    def _node(self, doc: int) -> tuple[int, bool, Node] | None:
        if doc not in self._nodes:
            row = self._connection.execute(_GET_NODE, (doc,)).fetchone()
            if len(self._nodes) >= NODE_CACHE:
                self._nodes.clear()
            self._nodes[doc] = (row[0], bool(row[1]), decode_node(row[2])) if row else None
        return self._nodes[doc]


def _halves(viewer: Viewer, chain: list[Node]) -> Halves:
    verdict = chain_verdict(viewer, chain)

    def manages(*, takes_parent_level: bool) -> bool:
        child = Node(id=_NOBODY, permissions={}, takes_parent_level=takes_parent_level)
        return is_allowed(viewer, Operation.MANAGE_PERMISSIONS, [child, *chain])

    return Halves(
        sees_all_committed=constant(verdict.sees_all_committed),
        sees_all_staged=constant(verdict.sees_all_staged),
        inherits_list=constant(verdict.inherits_list),
        inherits_edit=constant(verdict.inherits_edit),
        passes_edit=constant(verdict.passes_edit),
        is_reviewer=constant(verdict.is_reviewer),
        manages_all=constant(viewer.is_workspace_admin and not viewer.is_read_only and not viewer.file_scopes),
        inherits_manage=constant(manages(takes_parent_level=False)),
        passes_manage=constant(manages(takes_parent_level=True)),
    )


class Visibility:
    """The conditions on `documents d`, and on `temp.scope s` where several containers are searched."""

    def __init__(self, viewer: Viewer, halves: Halves) -> None:
        self._viewer = viewer
        self._halves = halves
        writes = FALSE if viewer.is_read_only else TRUE
        # CASE, because AND does not promise to leave out the costly half.
        self._is_silent = f"CASE WHEN d.has_deny THEN NOT {_DENIED} ELSE 1 END"
        self._committed = either(
            halves.sees_all_committed,
            both(self._is_silent, either(halves.inherits_list, _GRANTED["may_list"])),
        )
        self._staged = either(
            halves.sees_all_staged,
            both(
                self._is_silent,
                either(
                    halves.is_reviewer,
                    _inherited(halves.inherits_edit, halves.passes_edit),
                    both(writes, _GRANTED["may_edit"]),
                ),
            ),
        )
        self._manages = either(
            halves.manages_all,
            both(
                self._is_silent,
                either(
                    _inherited(halves.inherits_manage, halves.passes_manage),
                    both(writes, _GRANTED["may_manage"]),
                ),
            ),
        )

    def condition(self, scope: StageScope) -> str:
        """Write which documents of a stage scope the viewer may list."""
        if self._viewer.file_scopes:
            return FALSE
        match scope:
            case StageScope.COMMITTED:
                seen = both("d.is_committed", self._committed)
            case StageScope.STAGED:
                seen = both("d.is_staged", self._staged, either(negated("d.is_committed"), self._committed))
            case StageScope.ALL:
                seen = f"CASE WHEN d.is_committed THEN {self._committed} ELSE {self._staged} END"
        return both(self._halves.is_open, seen)

    def sees_grant(self, subject: str) -> str:
        """Write where the viewer may see the entry of a subject; as `domain.permissions.visible_permissions`."""
        visible = {EVERYBODY, AUTHENTICATED}.union(*self._viewer.levels)
        return TRUE if subject in visible else self._manages


def _inherited(usual: str, passed: str) -> str:
    if usual == passed:
        return usual
    return f"CASE WHEN d.takes_parent_level THEN {passed} ELSE {usual} END"
