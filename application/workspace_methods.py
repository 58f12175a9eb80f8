"""The methods of the service `ws`: tokens and workspaces."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from application.context import CallContext, Reply
from application.file_claims import may_use_file
from application.issued_tokens import describe_user, generate_token, parse_token, revoke_token
from application.methods import Command, Method
from application.services import Services
from application.tokens import MAX_LIFETIME_SECONDS
from application.workspaces import create_workspace, describe, get_workspace, list_workspaces, view_workspace
from domain.actor import WorkspaceRight
from domain.errors import InvalidTypeError
from domain.ids import workspace_key
from domain.workspace import MAX_MEMBERS, Workspace, WorkspaceDetails

MAX_PRESENTATION_BYTES: Final = 64 * 1024

Permission = Literal["read", "read_write", "admin"]
Subject = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^(?![*@]$)[^/\s\x00-\x1f]+$")]
Token = Annotated[str, Meta(min_length=1, description="The text of a token.")]


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `generate_token` may be asked for."""

    workspace: str | None = None
    permission: Permission | None = None
    expires_in: Annotated[float, Meta(ge=1, le=MAX_LIFETIME_SECONDS)] | None = None
    client_id: str | None = None
    extra_scopes: tuple[str, ...] | None = None
    email: Subject | None = None


class WorkspaceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `create_workspace` may be given: the fields of a workspace's description, as far as they can be chosen.

    `type`, `read_only`, `service_types` and `status` are accepted, so that a description can be sent back.
    """

    id: str | None = None
    name: Annotated[str, Meta(max_length=256)] | None = None
    description: Annotated[str, Meta(max_length=4_096)] | None = None
    persistent: bool | None = None
    owners: Annotated[tuple[Subject, ...], Meta(max_length=MAX_MEMBERS)] | None = None
    members: Annotated[dict[Subject, Permission], Meta(max_length=MAX_MEMBERS)] | None = None
    icon: str | None = None
    covers: list[Any] | None = None
    docs: str | None = None
    config: dict[str, Any] | None = None
    type: Any = None
    read_only: Any = None
    service_types: Any = None
    status: Any = None


class GenerateToken(Command, frozen=True):
    """Make a token for one workspace, on behalf of the caller."""

    config: Annotated[
        dict[str, Any] | None,
        Meta(
            description="`workspace` (default: the current one), `permission` (read, read_write, admin), `expires_in` "
            "seconds, `client_id`, `extra_scopes` (claims on files), `email` (role admin only)."
        ),
    ] = None


class ParseToken(Command, frozen=True):
    """Tell who bears a token and what it gives."""

    token: Token


class RevokeToken(Command, frozen=True):
    """Refuse a token from now on."""

    token: Token


class CreateWorkspace(Command, frozen=True):
    """Create a workspace, owned by the caller; or replace what one says that he rules."""

    config: Annotated[
        dict[str, Any],
        Meta(
            description="`id`, `name`, `description`, `persistent`, `owners`, `members` (id or e-mail address to read, "
            "read_write or admin), `icon`, `covers`, `docs`, `config`."
        ),
    ]
    overwrite: bool = False


class GetWorkspaceInfo(Command, frozen=True):
    """Describe a workspace that the caller belongs to."""

    workspace: Annotated[str | None, Meta(description="Default: the current one.")] = None


class ListWorkspaces(Command, frozen=True):
    """List the workspaces that the caller belongs to."""

    match: Annotated[dict[str, Any] | None, Meta(description="Fields that a workspace must have.")] = None
    offset: Annotated[int, Meta(ge=0, le=100_000)] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 256


class CheckStatus(Command, frozen=True):
    """Tell whether the workspace is ready, and the caller's permission in it."""


class Echo(Command, frozen=True):
    """Give back what was sent."""

    data: Any = None


_T = TypeVar("_T")


def _read(kind: type[_T], config: Mapping[str, Any]) -> _T:
    try:
        return msgspec.convert({name: value for name, value in config.items() if value is not None}, kind)
    except msgspec.ValidationError as error:
        raise InvalidTypeError(f"config: {error}") from None


async def _generate_token(services: Services, context: CallContext, parameters: GenerateToken) -> Reply:
    """Needs ownership or admin rights of the workspace."""
    request = _read(TokenRequest, parameters.config or {})
    token = await generate_token(
        services,
        context,
        workspace=request.workspace or context.workspace,
        permission=request.permission or "read_write",
        expires_in_seconds=request.expires_in or 3_600,
        client_id=request.client_id,
        extra_scopes=request.extra_scopes or (),
        email=request.email,
        may_use_file=partial(may_use_file, services, context),
    )
    return Reply(token)


async def _parse_token(services: Services, _context: CallContext, parameters: ParseToken) -> Reply:
    """Needs nothing but the token."""
    return Reply(describe_user(await parse_token(services, parameters.token)))


async def _revoke_token(services: Services, context: CallContext, parameters: RevokeToken) -> Reply:
    """Needs to be its bearer, the human behind it, or an admin of its workspace."""
    done = await revoke_token(services, context, parameters.token)
    return Reply({"status": "revoked", "message": "Token revoked successfully"}, done.position)


async def _create_workspace(services: Services, context: CallContext, parameters: CreateWorkspace) -> Reply:
    """Needs a registered user; replacing one needs ownership or admin rights of it."""
    request = _read(WorkspaceRequest, parameters.config)
    name = request.id or request.name
    if not name:
        raise InvalidTypeError("config: 'id' is required.")
    presentation = {
        field: value for field in ("icon", "covers", "docs", "config") if (value := getattr(request, field)) is not None
    }
    if len(msgspec.json.encode(presentation)) > MAX_PRESENTATION_BYTES:
        raise InvalidTypeError(f"config: icon, covers, docs and config exceed {MAX_PRESENTATION_BYTES} bytes.")
    details = WorkspaceDetails(
        title=request.name or name,
        description=request.description or "",
        is_persistent=request.persistent is not False,
        owners=request.owners or (),
        members=dict(request.members or {}),
        presentation=presentation,
    )
    done = await create_workspace(services, context, name, details, overwrite=parameters.overwrite)
    state: Workspace = done.states[workspace_key(name)]
    return Reply(describe(name, state.details or details), done.position)


async def _get_workspace_info(services: Services, context: CallContext, parameters: GetWorkspaceInfo) -> Reply:
    """Needs membership; `public` is everybody's."""
    view = await get_workspace(services, context.actor, parameters.workspace or context.workspace)
    return Reply(describe(view.name, view.details) if view.details is not None else None)


async def _list_workspaces(services: Services, context: CallContext, parameters: ListWorkspaces) -> Reply:
    """Shows what the caller belongs to."""
    found = await list_workspaces(
        services, context.actor, parameters.match or {}, offset=parameters.offset, limit=parameters.limit
    )
    return Reply(found)


_LETTERS: Final[Mapping[WorkspaceRight, str]] = {
    WorkspaceRight.READ: "r",
    WorkspaceRight.READ_WRITE: "rw",
    WorkspaceRight.ADMIN: "a",
}


async def _check_status(services: Services, context: CallContext, _parameters: CheckStatus) -> Reply:
    """Needs nothing; the permission is null for who does not belong to the workspace."""
    viewer = (await view_workspace(services, context.actor, context.workspace)).viewer
    right = WorkspaceRight.READ if viewer.is_read_only and viewer.workspace_right else viewer.workspace_right
    return Reply({"status": "ready", "errors": None, "user_permission": _LETTERS.get(right) if right else None})


async def _echo(_services: Services, _context: CallContext, parameters: Echo) -> Reply:
    """Needs nothing."""
    return Reply(parameters.data)


METHODS: Final[Mapping[str, Method]] = {
    method.name: method
    for method in (
        Method(name="generate_token", parameters=GenerateToken, handler=_generate_token, changes_state=False),
        Method(name="parse_token", parameters=ParseToken, handler=_parse_token, changes_state=False),
        Method(name="revoke_token", parameters=RevokeToken, handler=_revoke_token, changes_state=True),
        Method(name="create_workspace", parameters=CreateWorkspace, handler=_create_workspace, changes_state=True),
        Method(
            name="get_workspace_info", parameters=GetWorkspaceInfo, handler=_get_workspace_info, changes_state=False
        ),
        Method(name="list_workspaces", parameters=ListWorkspaces, handler=_list_workspaces, changes_state=False),
        Method(name="check_status", parameters=CheckStatus, handler=_check_status, changes_state=False),
        Method(name="echo", parameters=Echo, handler=_echo, changes_state=False, keep_null=("data",)),
    )
}
