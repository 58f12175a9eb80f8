"""Who may do what: one pure function, and every route and method goes through it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from domain.actor import WorkspaceRight


class Operation(StrEnum):
    """What can be asked of an artifact, of a collection about its children, or of a workspace."""

    LIST = "list"
    READ = "read"
    GET_FILE = "get_file"
    LIST_FILES = "list_files"
    LIST_VECTORS = "list_vectors"
    GET_VECTOR = "get_vector"
    SEARCH_VECTORS = "search_vectors"
    GET_STATUS = "get_status"
    DRAFT = "draft"
    ATTACH = "attach"
    DETACH = "detach"
    MUTATE = "mutate"
    PUT_FILE = "put_file"
    ADD_VECTORS = "add_vectors"
    EDIT = "edit"
    COMMIT = "commit"
    REMOVE_FILE = "remove_file"
    REMOVE_VECTORS = "remove_vectors"
    DISCARD_CHANGES = "discard_changes"
    CREATE = "create"
    RESET_STATS = "reset_stats"
    PUBLISH = "publish"
    DELETE = "delete"
    GET_SECRET = "get_secret"  # noqa: S105 - The name of an operation.
    SET_SECRET = "set_secret"  # noqa: S105 - The name of an operation.
    SET_DOWNLOAD_WEIGHT = "set_download_weight"
    MANAGE_PERMISSIONS = "manage_permissions"


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """A caller as one workspace sees him.

    `levels` holds the subjects that match him, most specific first: his ids and e-mail address; `workspace/user`;
    `workspace/@`; `workspace/*`; `@`; `*`. `is_workspace_admin` is the owner or admin of rule 2. `workspace_right` is
    what membership gives on artifacts without a parent. `is_read_only` limits him to reading operations.
    """

    levels: tuple[tuple[str, ...], ...]
    is_workspace_admin: bool = False
    workspace_right: WorkspaceRight | None = None
    is_read_only: bool = False
    is_anonymous: bool = False


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What permissions need to know of one artifact of a chain. `permissions` is `config.permissions` as written."""

    id: UUID
    permissions: Mapping[str, Any]
    inherit_writes: bool = False
    is_committed: bool = True
