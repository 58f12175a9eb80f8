"""The tokens that an operator hands out at the command line."""

from collections.abc import Mapping, Sequence

from application.token_scopes import ANY, check_workspace
from application.tokens import Claims, Tokens, check_user_id
from domain.actor import WorkspaceRight
from domain.errors import InvalidArgumentError
from domain.permissions import is_anonymous_id
from domain.workspace import RIGHTS, user_workspace


def create_operator_token(
    tokens: Tokens,
    *,
    user: str,
    email: str | None = None,
    workspaces: Sequence[str] = (),
    permission: str = "read_write",
    role: str | None = None,
    expires_in: float = 3_600,
) -> str:
    """Make a login token for a user.

    `permission` (`read`, `read_write`, `admin`) is for `workspaces`, where `*` is all. The user's own workspace is
    always in it and current, with admin rights; with `read`, it is read as well, and the whole token only reads.

    Raises:
        InvalidArgumentError: A name, the permission or the lifetime (seconds) is not possible.
    """
    if permission not in RIGHTS:
        raise InvalidArgumentError(f"Invalid permission '{permission}'. Expected one of: {', '.join(RIGHTS)}.")
    if is_anonymous_id(check_user_id(user)):
        raise InvalidArgumentError(f"User id '{user}' is reserved for callers without a token.")
    own = user_workspace(user)
    given = RIGHTS[permission]
    is_read_only = given is WorkspaceRight.READ
    rights: Mapping[str, WorkspaceRight] = {
        **{name if name == ANY else check_workspace(name): given for name in workspaces},
        own: WorkspaceRight.READ if is_read_only else WorkspaceRight.ADMIN,
    }
    claims = Claims(
        user_id=user,
        email=email,
        roles=(role,) if role else (),
        rights=rights,
        current_workspace=own,
        is_read_only=is_read_only,
    )
    return tokens.mint(claims, expires_in_seconds=expires_in)
