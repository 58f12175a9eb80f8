"""What each command and query needs: the questions of one operation put together, with the text of the refusal.

A chain is the artifact, then its collections up to the root; a parent chain begins with the collection and is empty
for an artifact without a parent.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from domain.errors import PermissionDeniedError
from domain.permissions.levels import READING, Operation
from domain.permissions.verdicts import (
    AUTHENTICATED,
    EVERYBODY,
    Node,
    Viewer,
    is_allowed,
    is_refused,
    may_in_collection,
    reaching,
)


class Ruling(msgspec.Struct, frozen=True):
    """The answer to one rule: true when allowed, otherwise `refusal` says what is missing."""

    refusal: str | None = None

    def __bool__(self) -> bool:
        return self.refusal is None


ALLOWED = Ruling()


def require(ruling: Ruling) -> None:
    """Raise PermissionDeniedError with the text of the refusal, unless allowed."""
    if ruling.refusal is not None:
        raise PermissionDeniedError(ruling.refusal)


def may(viewer: Viewer, operation: Operation, chain: Sequence[Node]) -> Ruling:
    """Decide one operation on the artifact alone."""
    return ALLOWED if is_allowed(viewer, operation, chain) else _missing(operation)


def _missing(operation: Operation) -> Ruling:
    return Ruling(f"User does not have permission '{operation.value}' on the artifact.")


def _in_collection(viewer: Viewer, operation: Operation, parent_chain: Sequence[Node], refusal: str) -> Ruling:
    if may_in_collection(viewer, operation, parent_chain):
        return ALLOWED
    return Ruling(refusal.format(alias=parent_chain[0].alias))


_DRAFT = "User does not have permission to create a draft in the collection '{alias}'."
_CREATE_ATTACHED = "User does not have permission to attach an artifact to the collection '{alias}'."
_ATTACH = "User does not have permission to attach artifact to the collection '{alias}'."
_DETACH = "User does not have permission to detach artifact from the collection '{alias}'."
_MUTATE = "Collection '{alias}' does not allow modification of committed versions (no mutate permission)."


def may_create_at_top_level(viewer: Viewer) -> bool:
    """Decide creating an artifact without a parent, or moving one there: `read_write` in the workspace.

    An anonymous caller never may, whatever his connection's workspace gives him.
    """
    if viewer.is_anonymous or viewer.is_read_only or viewer.file_scopes:
        return False
    return viewer.is_workspace_admin or (viewer.workspace_right is not None and viewer.workspace_right > 1)


def may_create(viewer: Viewer, *, is_draft: bool, parent_chain: Sequence[Node], workspace: str = "") -> Ruling:
    """Decide `create`: `draft` or `attach` on the collection, or `read_write` in the workspace at top level."""
    if not parent_chain:
        if may_create_at_top_level(viewer):
            return ALLOWED
        return Ruling(f"User does not have permission to create an orphan artifact in the workspace '{workspace}'.")
    if is_draft:
        return _in_collection(viewer, Operation.DRAFT, parent_chain, _DRAFT)
    return _in_collection(viewer, Operation.ATTACH, parent_chain, _CREATE_ATTACHED)


def is_reviewer(viewer: Viewer, parent_chain: Sequence[Node]) -> bool:
    """Tell whether he holds both `attach` and `commit` on the collection; nobody reviews what has no parent."""
    return (
        bool(parent_chain)
        and may_in_collection(viewer, Operation.ATTACH, parent_chain)
        and may_in_collection(viewer, Operation.COMMIT, parent_chain)
    )


def reviews(viewer: Viewer, chain: Sequence[Node]) -> bool:
    """Tell whether he is a reviewer of this artifact. An `n` of the artifact's own refuses him like anybody else."""
    return not is_refused(viewer, chain[0]) and is_reviewer(viewer, chain[1:])


def sees_stage(viewer: Viewer, chain: Sequence[Node]) -> bool:
    """Decide whether a stage, or an artifact without any committed version, exists for him.

    It does for those who may `edit` the artifact and for reviewers of its collection. A read-only token may edit
    nothing, so it sees no stage.
    """
    return is_allowed(viewer, Operation.EDIT, chain) or reviews(viewer, chain)


def may_list(viewer: Viewer, chain: Sequence[Node]) -> bool:
    """Decide whether a list of committed artifacts, or of drafts, shows this one."""
    return is_allowed(viewer, Operation.LIST, chain) if chain[0].is_committed else sees_stage(viewer, chain)


def may_read_version(viewer: Viewer, operation: Operation, chain: Sequence[Node]) -> Ruling:
    """Decide a reading operation on committed data; on an artifact that has none, as on its stage."""
    return may(viewer, operation, chain) if chain[0].is_committed else may_read_stage(viewer, operation, chain)


def may_read_stage(viewer: Viewer, operation: Operation, chain: Sequence[Node]) -> Ruling:
    """Decide a reading operation on staged data.

    Who sees the stage also needs the operation itself; a reviewer has the reading ones by his office.
    """
    if not sees_stage(viewer, chain):
        return _missing(operation)
    if operation in READING and reviews(viewer, chain):
        return ALLOWED
    return may(viewer, operation, chain)


def may_stage(viewer: Viewer, chain: Sequence[Node], operation: Operation = Operation.EDIT) -> Ruling:
    """Decide opening a stage (`edit`) or filling it (`put_file`, `remove_file`): the right on the artifact alone."""
    return may(viewer, operation, chain)


def may_edit_in_place(viewer: Viewer, chain: Sequence[Node]) -> Ruling:
    """Decide an edit of committed data without a stage: `edit` and `commit` on it, `mutate` on its collection.

    `commit` is asked because such an edit is one: a holder of `rd+` drafts, but cannot commit.
    """
    for operation in (Operation.EDIT, Operation.COMMIT):
        if not is_allowed(viewer, operation, chain):
            return _missing(operation)
    return _in_collection(viewer, Operation.MUTATE, chain[1:], _MUTATE)


def may_commit(viewer: Viewer, chain: Sequence[Node], *, is_first_commit: bool) -> Ruling:
    """Decide committing a stage.

    `commit` on the artifact, or being its reviewer; and of its collection `attach` for the first commit, `mutate` for
    any later one.
    """
    if not is_allowed(viewer, Operation.COMMIT, chain) and not reviews(viewer, chain):
        return _missing(Operation.COMMIT)
    if is_first_commit:
        return _in_collection(viewer, Operation.ATTACH, chain[1:], _ATTACH)
    return _in_collection(viewer, Operation.MUTATE, chain[1:], _MUTATE)


def may_discard(viewer: Viewer, chain: Sequence[Node]) -> Ruling:
    """Decide discarding a stage: `edit` on the artifact; or reviewing it, with `mutate` once it is committed."""
    if is_allowed(viewer, Operation.EDIT, chain):
        return ALLOWED
    if not reviews(viewer, chain):
        return _missing(Operation.EDIT)
    return _in_collection(viewer, Operation.MUTATE, chain[1:], _MUTATE) if chain[0].is_committed else ALLOWED


def may_delete(viewer: Viewer, chain: Sequence[Node]) -> Ruling:
    """Decide deleting an artifact, recursively or not: `delete` on it, and `detach` on its collection if committed."""
    if not is_allowed(viewer, Operation.DELETE, chain):
        return _missing(Operation.DELETE)
    return _in_collection(viewer, Operation.DETACH, chain[1:], _DETACH) if chain[0].is_committed else ALLOWED


def may_overwrite(viewer: Viewer, chain: Sequence[Node]) -> Ruling:
    """Decide giving an alias a new life: `delete` on the old artifact and `detach` on its collection, always."""
    if not is_allowed(viewer, Operation.DELETE, chain):
        return _missing(Operation.DELETE)
    return _in_collection(viewer, Operation.DETACH, chain[1:], _DETACH)


def may_delete_version(viewer: Viewer, chain: Sequence[Node]) -> Ruling:
    """Decide deleting one version: it changes committed data, so `commit` on it and `mutate` on its collection."""
    if not is_allowed(viewer, Operation.COMMIT, chain):
        return _missing(Operation.COMMIT)
    return _in_collection(viewer, Operation.MUTATE, chain[1:], _MUTATE)


def may_manage_permissions(viewer: Viewer, chain: Sequence[Node]) -> Ruling:
    """Decide changing what decides access (`ACCESS_KEYS` of the configuration): only with `*`, staged or not."""
    if is_allowed(viewer, Operation.MANAGE_PERMISSIONS, chain):
        return ALLOWED
    return Ruling(
        f"User does not have permission '{Operation.MANAGE_PERMISSIONS.value}' on the artifact: "
        "changing who has access needs the level '*'."
    )


ACCESS_KEYS = ("permissions", "inherit_writes", "private_children", "recipient_field", "recipient_can_delete")
"""Keys of `config` that decide access. An edit of `config` that does not name them keeps them."""


def may_set_parent(
    viewer: Viewer, chain: Sequence[Node], new_parent_chain: Sequence[Node], workspace: str = ""
) -> Ruling:
    """Decide moving an artifact below another collection, or to the top level with an empty `new_parent_chain`.

    `read` on it, `detach` on the old collection, `attach` on the new one (at top level `read_write` in the workspace);
    and `*` on it where a collection's whole level would reach it that does not reach it now.
    """
    if not is_allowed(viewer, Operation.READ, chain):
        return _missing(Operation.READ)
    leaving = _in_collection(viewer, Operation.DETACH, chain[1:], _DETACH)
    if not leaving:
        return leaving
    entering = (
        _in_collection(viewer, Operation.ATTACH, new_parent_chain, _ATTACH)
        if new_parent_chain
        else may_create(viewer, is_draft=False, parent_chain=(), workspace=workspace)
    )
    if not entering:
        return entering
    gained = _writers_above([chain[0], *new_parent_chain]) - _writers_above(chain)
    return may_manage_permissions(viewer, chain) if gained else ALLOWED


def _writers_above(chain: Sequence[Node]) -> set[UUID]:
    reach = reaching(chain)
    return {node.id for node, reaches in zip(chain[1:], reach[1:], strict=True) if reaches}


def sees_grants(viewer: Viewer, chain: Sequence[Node]) -> bool:
    """Tell holders of `*`: they see all grants, secret names, e-mail addresses and the actors of accesses."""
    return is_allowed(viewer, Operation.MANAGE_PERMISSIONS, chain)


def visible_permissions(viewer: Viewer, chain: Sequence[Node], entries: Any) -> dict[str, Any]:  # noqa: ANN401 - As stored.
    """Give the entries that he may see: all of them to holders of `*`, else `*`, `@` and those that match him.

    `entries` are those of the artifact, committed or staged.
    """
    if not isinstance(entries, Mapping):
        return {}
    if sees_grants(viewer, chain):
        return dict(entries)
    visible = {EVERYBODY, AUTHENTICATED}.union(*viewer.levels)
    return {subject: entry for subject, entry in entries.items() if subject in visible}


def may_access_file(
    viewer: Viewer,
    operation: Operation,
    chain: Sequence[Node],
    *,
    full_id: str,
    path: str,
    is_staged: bool = False,
) -> Ruling:
    """Decide `get_file` or `put_file` of one path, for ordinary callers and for tokens that are a claim on files alone.

    `full_id` is `workspace/alias`. Such a token must name the operation, the artifact (its UUID or full id) and the
    path or `*`; then the question is what its minter may do now.
    """
    if viewer.file_scopes:
        names = {str(chain[0].id), full_id}
        if not any(
            scope.operation == operation.value and scope.artifact_id in names and scope.path in ("*", path)
            for scope in viewer.file_scopes
        ):
            return _missing(operation)
        viewer = msgspec.structs.replace(viewer, file_scopes=())
    if operation not in READING:
        return may(viewer, operation, chain)
    return may_read_stage(viewer, operation, chain) if is_staged else may_read_version(viewer, operation, chain)
