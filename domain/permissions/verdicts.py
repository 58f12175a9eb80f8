"""The one decision: what one artifact says to a viewer, and what its chain of collections makes of it."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec

from domain.actor import ANONYMOUS_ID, FileScope, WorkspaceRight
from domain.artifact.state import Artifact
from domain.permissions.levels import (
    DENY,
    NOTHING,
    OPERATIONS_OF,
    PARENT_OPERATIONS,
    READING,
    Operation,
    Operations,
    expand,
)

MAX_CHAIN: Final = 16
"""The deepest chain from an artifact to its root, itself included."""

EVERYBODY: Final = "*"
AUTHENTICATED: Final = "@"


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """A caller as one workspace sees him.

    `levels` holds the subjects that match him, most specific first: his ids and e-mail address; `workspace/user`;
    `workspace/@`; `workspace/*`; `@`; `*`. `is_workspace_admin` is an owner or admin, who is asked first and whom no
    `n` stops. `workspace_right` is what membership gives on artifacts without a parent. `is_read_only` limits him to
    reading operations. With `file_scopes` he may do nothing but what `may_access_file` says.
    """

    levels: tuple[tuple[str, ...], ...]
    is_workspace_admin: bool = False
    workspace_right: WorkspaceRight | None = None
    is_read_only: bool = False
    is_anonymous: bool = False
    file_scopes: tuple[FileScope, ...] = ()


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What permissions need to know of one artifact of a chain. `permissions` is `config.permissions` as written.

    `takes_parent_level` marks what an anonymous caller made: it has no entry of a creator, so the whole level of its
    parent reaches it, as under `inherit_writes`. `alias` is for the texts of refusals.
    """

    id: UUID
    permissions: Mapping[str, Any]
    inherit_writes: bool = False
    is_committed: bool = True
    takes_parent_level: bool = False
    alias: str = ""


def node_of(artifact: Artifact) -> Node:
    """Take what permissions need from an artifact's committed configuration."""
    entries = artifact.config.get("permissions")
    return Node(
        id=artifact.id,
        permissions=entries if isinstance(entries, Mapping) else {},
        inherit_writes=artifact.config.get("inherit_writes") is True,
        is_committed=artifact.is_committed,
        takes_parent_level=is_anonymous_id(artifact.created_by),
        alias=artifact.alias,
    )


def is_anonymous_id(user_id: str) -> bool:
    """Tell whether an author is nobody: the anonymous HTTP caller, or an anonymous connection."""
    return user_id == ANONYMOUS_ID or user_id.startswith("anonymouz-")


class Own(Enum):
    """What an artifact's own entries say to one question."""

    GRANTS = "grants"
    DENIES = "denies"
    SILENT = "silent"


def own_operations(viewer: Viewer, permissions: Mapping[str, Any]) -> Operations | None:
    """Give what an artifact's own entries grant; None when the entry that matches is `n`.

    The most specific level with a matching entry decides, and the operations of `*` come on top, because everybody
    could get those by dropping the token. Several entries can match on one level (an id and an e-mail address, two
    workspaces): one `n` among them denies, otherwise their operations add up.
    """
    for level in viewer.levels if permissions else ():
        granted: Operations | None = None
        for subject in level:
            if subject in permissions:
                entry = permissions[subject]
                if isinstance(entry, str) and entry == DENY:
                    return None
                granted = expand(entry) if granted is None else granted | expand(entry)
        if granted is not None:
            return granted | expand(permissions[EVERYBODY]) if EVERYBODY in permissions else granted
    return NOTHING


def own_verdict(viewer: Viewer, operation: Operation, permissions: Mapping[str, Any]) -> Own:
    """Answer one question from an artifact's own entries alone."""
    granted = own_operations(viewer, permissions)
    if granted is None:
        return Own.DENIES
    return Own.GRANTS if operation in granted else Own.SILENT


def reaching(chain: Sequence[Node]) -> list[bool]:
    """Tell for each node of a chain whether its whole level reaches the first one, and not its reading alone.

    A collection's does where it says `inherit_writes`, and where the node below it, whose own whole level does, takes
    the level of its parent.
    """
    found: list[bool] = []
    is_passed_on = True
    for node in chain:
        found.append(is_passed_on or node.inherit_writes)
        is_passed_on = found[-1] and node.takes_parent_level
    return found


def _is_granted_along(viewer: Viewer, operation: Operation, chain: Sequence[Node]) -> bool | None:
    """Ask the artifact, then its collections up to the root; None when none of them decides."""
    is_reading = operation in READING
    is_passed_on = True
    for node in chain:
        granted = own_operations(viewer, node.permissions)
        if granted is None:
            return False
        reaches = is_passed_on or node.inherit_writes
        if operation in granted and (is_reading or reaches):
            return True
        is_passed_on = reaches and node.takes_parent_level
    return None


def _first_answer(viewer: Viewer, operation: Operation) -> bool | None:
    """Answer what no entry can change: file scopes, read-only tokens, and owners and admins of the workspace."""
    if viewer.file_scopes or (viewer.is_read_only and operation not in READING):
        return False
    return True if viewer.is_workspace_admin else None


def workspace_operations(viewer: Viewer) -> Operations:
    """Give what membership alone grants on an artifact that has no parent."""
    match viewer.workspace_right:
        case None:
            return NOTHING
        case WorkspaceRight.READ:
            return READING
        case _:
            return OPERATIONS_OF["rw"]


def is_allowed(viewer: Viewer, operation: Operation, chain: Sequence[Node]) -> bool:
    """Decide one question about an artifact: `chain[0]`, then its collections from the parent up to the root.

    1. An owner or admin of the workspace may do everything; a read-only token reads at most.
    2. The artifact decides if it grants the operation, or if its matching entry is `n`.
    3. Otherwise its collections are asked, nearest first, until one grants or says `n`. A collection's grant reaches
       the artifact if it is a reading operation; of others, only as `reaching` tells. Anything else it grants is
       about itself, and the question goes on upward.
    4. If nobody decided and the artifact has no parent, membership of the workspace answers, for it alone, and not
       for the operations that are questions about children.
    5. Otherwise the answer is no.
    """
    first = _first_answer(viewer, operation)
    if first is not None:
        return first
    decided = _is_granted_along(viewer, operation, chain)
    if decided is not None:
        return decided
    return len(chain) == 1 and operation in workspace_operations(viewer) - PARENT_OPERATIONS


def may_in_collection(viewer: Viewer, operation: Operation, parent_chain: Sequence[Node]) -> bool:
    """Decide `draft`, `attach`, `detach` or `mutate`: a question about children, put to their collection.

    `parent_chain[0]` is the collection, then its own parents. The child is never asked, so its own `*` answers
    nothing. The collection decides by its own entries; where these are silent, only a collection above it whose whole
    level reaches it (`inherit_writes`) can grant, because these operations are not reading ones. Membership of the
    workspace counts for nothing here: a member who is not named has no more than any other user.
    An empty chain means that there is no parent: then the question is not asked, and nothing stands in the way.
    """
    if not parent_chain:
        return True
    first = _first_answer(viewer, operation)
    if first is not None:
        return first
    return _is_granted_along(viewer, operation, parent_chain) is True


def is_refused(viewer: Viewer, node: Node) -> bool:
    """Tell whether an artifact's own matching entry is `n`, for somebody whom it stops."""
    return not viewer.is_workspace_admin and own_operations(viewer, node.permissions) is None
