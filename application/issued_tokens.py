"""Tokens that callers make for others, look into, and revoke."""

from collections.abc import Awaitable, Callable
from typing import Any

from application.authentication import Authenticator
from application.context import CallContext
from application.token_scopes import file_scope_texts, parse_file_scope, right_letters
from application.tokens import ADMIN_ROLE, Claims
from application.units import Done
from application.workspaces import WorkspaceServices, unit_for, view_workspace
from domain.actor import Actor
from domain.artifact.words import random_alias
from domain.errors import InvalidArgumentError, PermissionDeniedError, UnauthenticatedError, WorkspaceNotFoundError
from domain.permissions import Operation
from domain.workspace import RIGHTS, decide_revoke, home_key

_RANDOM_BYTES = 9

MayUseFile = Callable[[Operation, str, str], Awaitable[bool]]
"""Tells whether the caller may `get_file` or `put_file` a path (`*`: any) of an artifact, by its id."""


async def generate_token(
    services: WorkspaceServices,
    context: CallContext,
    *,
    workspace: str,
    permission: str,
    expires_in_seconds: float,
    client_id: str | None,
    extra_scopes: tuple[str, ...],
    email: str | None,
    may_use_file: MayUseFile,
) -> str:
    """Make a token for one workspace, on behalf of the human who calls.

    It has a user id of its own; its creator must own the workspace or be its admin. With `extra_scopes` it is a claim
    on those files alone, and its creator must have the right to each.

    Raises:
        InvalidArgumentError: A name, scope or lifetime is not possible.
        PermissionDeniedError: The caller may not give this away.
        WorkspaceNotFoundError: There is no such workspace.
    """
    actor = context.actor
    if actor.is_anonymous:
        raise PermissionDeniedError("Only registered users can generate tokens.")
    view = await view_workspace(services, actor, workspace)
    if view.details is None:
        raise WorkspaceNotFoundError(workspace)
    if not view.viewer.is_workspace_admin or actor.is_read_only or actor.file_scopes:
        raise PermissionDeniedError(
            f"User does not have permission to generate tokens for the workspace '{workspace}': "
            "only its owners and admins can."
        )
    if email is not None and (ADMIN_ROLE not in actor.roles or actor.is_generated):
        raise PermissionDeniedError("Only the role admin can generate a token with another e-mail address.")
    scopes = tuple(parse_file_scope(text) for text in extra_scopes)
    for scope in scopes:
        if not await may_use_file(Operation(scope.operation), scope.artifact_id, scope.path):
            raise PermissionDeniedError(f"User does not have permission '{scope.operation}' on the artifact.")
    claims = Claims(
        user_id=f"{random_alias(services.ids.choose)}-{services.ids.token(_RANDOM_BYTES)}",
        email=email or actor.email,
        # A generated token has what it was made with; the operator's role is not something to be handed on.
        roles=tuple(role for role in actor.roles if role != ADMIN_ROLE),
        on_behalf_of=actor.effective_id,
        rights={workspace: RIGHTS[permission]},
        current_workspace=workspace,
        client_id=client_id,
        file_scopes=scopes,
    )
    return services.tokens.mint(claims, expires_in_seconds=expires_in_seconds)


async def parse_token(services: WorkspaceServices, token: str) -> Actor:
    """Look into a token that somebody holds.

    Raises:
        InvalidArgumentError: It is not valid; the caller's own one was.
    """
    try:
        return await Authenticator(services.tokens, services.states).verify(token)
    except UnauthenticatedError as error:
        raise InvalidArgumentError(error.detail) from None


async def revoke_token(services: WorkspaceServices, context: CallContext, token: str) -> Done:
    """Refuse a token from now on.

    Its own bearer may do so, the human behind it when he is logged in, and the admins of its workspace.

    Raises:
        InvalidArgumentError: It is not valid, or revoked already.
        PermissionDeniedError: The caller is none of these.
    """
    actor = context.actor
    revoked = await parse_token(services, token)
    is_own = actor.token_id == revoked.token_id
    is_human = not actor.is_generated and not actor.is_anonymous and actor.effective_id == revoked.effective_id
    view = await view_workspace(services, actor, revoked.current_workspace)
    may_write = not actor.is_read_only and not actor.file_scopes
    if not is_own and not (may_write and (is_human or view.viewer.is_workspace_admin)):
        raise PermissionDeniedError("User does not have permission to revoke this token.")
    if revoked.token_id is None or revoked.expires_at is None:
        raise InvalidArgumentError("The token cannot be revoked.")
    token_id, expires_at, subject = revoked.token_id, revoked.expires_at, revoked.effective_id
    key = home_key(subject)
    return await services.writer.execute(
        unit_for(context, (key,), lambda states: decide_revoke(states.get(key), subject, token_id, expires_at))
    )


def describe_user(actor: Actor) -> dict[str, Any]:
    """Describe a caller as clients know users; `expires_at` is in seconds since the epoch."""
    return {
        "id": actor.user_id,
        "roles": list(actor.roles),
        "is_anonymous": actor.is_anonymous,
        "email": actor.email,
        "parent": actor.on_behalf_of,
        "expires_at": None if actor.expires_at is None else actor.expires_at // 1_000_000,
        "current_workspace": actor.current_workspace,
        "scope": {
            "current_workspace": actor.current_workspace,
            "workspaces": {name: right_letters(right) for name, right in actor.rights.items()},
            "client_id": actor.client_id,
            "extra_scopes": file_scope_texts(actor.file_scopes),
        },
    }
