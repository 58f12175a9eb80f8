"""The two halves of a list's visibility: what a document's own entries say, and what its parent chain adds.

A query joins them as `own entry grants OR (own entries silent AND the chain grants)`, so that a change of permissions
rewrites one document, whatever hangs below it.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from domain.permissions.levels import DENY, Operation, expand
from domain.permissions.rules import is_reviewer
from domain.permissions.verdicts import Node, Viewer, is_allowed, may_in_collection, workspace_operations


class OwnEntry(msgspec.Struct, frozen=True):
    """One entry of an artifact, as an index keeps it."""

    subject: str
    may_list: bool
    may_edit: bool
    is_denied: bool


def own_entries(permissions: Mapping[str, Any]) -> list[OwnEntry]:
    """Give what an index keeps of an artifact's own entries."""
    return [
        OwnEntry(
            subject=subject,
            may_list=Operation.LIST in expand(entry),
            may_edit=Operation.EDIT in expand(entry),
            is_denied=isinstance(entry, str) and entry == DENY,
        )
        for subject, entry in permissions.items()
    ]


class ChainVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a parent chain (or, for artifacts without a parent, the workspace) gives where own entries are silent.

    `sees_all_committed` and `sees_all_staged` are the owner's or admin's: own entries, an `n` included, do not count.
    `inherits_list` and `inherits_edit` hold for children that do not decide themselves. `passes_edit` takes the place
    of `inherits_edit` for children with `takes_parent_level`. `is_reviewer` shows the stages and drafts of all
    children that do not refuse him.
    """

    sees_all_committed: bool = False
    sees_all_staged: bool = False
    inherits_list: bool = False
    inherits_edit: bool = False
    passes_edit: bool = False
    is_reviewer: bool = False


_SILENT_CHILD = Node(id=UUID(int=0), permissions={})


def chain_verdict(viewer: Viewer, parent_chain: Sequence[Node]) -> ChainVerdict:
    """Compute the parent's half once for all children of a collection; an empty chain is the top level."""
    if viewer.file_scopes:
        return ChainVerdict()
    if viewer.is_workspace_admin:
        return ChainVerdict(sees_all_committed=True, sees_all_staged=not viewer.is_read_only)
    if not parent_chain:
        granted = workspace_operations(viewer)
        edits = Operation.EDIT in granted and not viewer.is_read_only
        return ChainVerdict(inherits_list=Operation.LIST in granted, inherits_edit=edits, passes_edit=edits)
    passes_edit = may_in_collection(viewer, Operation.EDIT, parent_chain)
    return ChainVerdict(
        # The parent chain itself has a parent or not; its workspace right is for itself alone, so it is not asked.
        inherits_list=may_in_collection(viewer, Operation.LIST, parent_chain),
        inherits_edit=is_allowed(viewer, Operation.EDIT, [_SILENT_CHILD, *parent_chain]),
        passes_edit=passes_edit,
        is_reviewer=is_reviewer(viewer, parent_chain),
    )
