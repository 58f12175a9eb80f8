"""Who calls, as authenticated: the same value whichever way a token arrived."""

from collections.abc import Mapping
from enum import IntEnum

import msgspec

ANONYMOUS_ID = "anonymouz-http"
ANONYMOUS_WORKSPACE = "ws-anonymous"
SERVICE_PREFIX = "service:"
"""Begins the ids of the service's own workers, as which nobody can call."""


class WorkspaceRight(IntEnum):
    """What a token's scope gives in a workspace; higher includes lower."""

    READ = 1
    READ_WRITE = 2
    ADMIN = 3


class FileScope(msgspec.Struct, frozen=True):
    """A claim on files alone: `get_file` or `put_file`, a UUID or `workspace/alias`, and a path or `*` for all."""

    operation: str
    artifact_id: str
    path: str


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """The caller of a command or query.

    `on_behalf_of` is the human behind a generated token. `rights` maps workspace (or `*`) to what the token gives
    there.
    `is_read_only` marks a token made with `read`: reading operations only, whoever stands behind it.
    `file_scopes` are not empty for a token that is a claim on files alone. `client_id` is the only client that may
    connect with the token. `token_id` names the token for its revocation; `expires_at` is in microseconds since the
    epoch.
    """

    user_id: str
    email: str | None = None
    roles: tuple[str, ...] = ()
    is_anonymous: bool = False
    is_generated: bool = False
    is_read_only: bool = False
    on_behalf_of: str | None = None
    rights: Mapping[str, WorkspaceRight] = msgspec.field(default_factory=dict)
    current_workspace: str = ANONYMOUS_WORKSPACE
    file_scopes: tuple[FileScope, ...] = ()
    client_id: str | None = None
    token_id: str | None = None
    expires_at: int | None = None

    @property
    def effective_id(self) -> str:
        """The human behind the token, or the user: whom attribution and ownership name."""
        return self.on_behalf_of or self.user_id

    def right_in(self, workspace: str) -> WorkspaceRight | None:
        """Give the strongest right of the token in a workspace."""
        exact, anywhere = self.rights.get(workspace), self.rights.get("*")
        return max((right for right in (exact, anywhere) if right is not None), default=None)


ANONYMOUS = Actor(
    user_id=ANONYMOUS_ID,
    roles=("anonymous",),
    is_anonymous=True,
    rights={ANONYMOUS_WORKSPACE: WorkspaceRight.READ},
)

JANITOR = Actor(user_id=f"{SERVICE_PREFIX}janitor")
"""Ends what has expired. Its decisions ask for no rights, and it has none."""
