"""Workspaces: made on first use or by hand, described, and listed to those who belong to them."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from application.authentication import StateReader
from application.context import CallContext
from application.ports.system import Clock, IdSource
from application.tokens import Tokens
from application.units import Done, States, Unit
from domain.actor import Actor
from domain.errors import PermissionDeniedError, WorkspaceNotFoundError
from domain.events import Outcome
from domain.ids import StreamKey, workspace_key
from domain.permissions import Viewer, human_names, viewer_of
from domain.workspace import (
    PUBLIC,
    Workspace,
    WorkspaceDetails,
    decide_create,
    decide_create_home,
    decide_replace,
    home_details,
    home_key,
    participants,
    user_workspace,
    validate_name,
    workspace_exists,
)


class UnitWriter(Protocol):
    """Carries out one command."""

    async def execute(self, unit: Unit) -> Done:
        """Run a unit and wait until it is durable."""
        ...


class WorkspaceServices(Protocol):
    """What workspaces and tokens need of the application's services."""

    @property
    def writer(self) -> UnitWriter:
        """The group-commit writer of the artifact log."""
        ...

    @property
    def states(self) -> StateReader:
        """The current states of aggregates."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def ids(self) -> IdSource:
        """Randomness."""
        ...

    @property
    def tokens(self) -> Tokens:
        """The service's tokens."""
        ...


class WorkspaceView(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace and one caller in it. `details` are None when it does not exist."""

    name: str
    details: WorkspaceDetails | None
    viewer: Viewer

    @property
    def may_enter(self) -> bool:
        """Whether the caller belongs to it; `public` is everybody's."""
        return self.viewer.workspace_right is not None or self.name == PUBLIC


def unit_for(context: CallContext, keys: tuple[StreamKey, ...], decide: Callable[[States], Outcome]) -> Unit:
    """Make the unit of a command by this caller."""
    return Unit(
        keys=tuple(dict.fromkeys(keys)),
        decide=decide,
        actor=context.actor.user_id,
        on_behalf_of=context.actor.on_behalf_of,
        correlation_id=context.correlation_id,
        causation_id=context.causation_id,
    )


async def ensure_workspace(services: WorkspaceServices, context: CallContext, workspace: str) -> None:
    """Make a workspace if it is the caller's own and he has come for the first time; any other is left as it is.

    An anonymous caller has none that is stored.
    """
    actor = context.actor
    owners = {user_workspace(name): name for name in (actor.user_id, actor.effective_id)}
    owner = owners.get(workspace)
    if owner is None or actor.is_anonymous:
        return
    key = home_key(owner)
    state: Workspace | None = (await services.states.get((key,)))[key].state
    if state is None or not state.exists:
        # Two first calls at once both come here; the second finds it made, and records nothing.
        await services.writer.execute(
            unit_for(context, (key,), lambda states: decide_create_home(states.get(key), owner))
        )


async def ensure_user_workspace(services: WorkspaceServices, context: CallContext) -> str:
    """Make the own workspace of the human who calls, and name it."""
    name = user_workspace(context.actor.effective_id)
    await ensure_workspace(services, context, name)
    return name


async def view_workspace(services: WorkspaceServices, actor: Actor, workspace: str) -> WorkspaceView:
    """See a workspace as a caller does. His own one exists for him before anything was stored in it."""
    states = await services.states.get((workspace_key(workspace), home_key(actor.effective_id)))
    return _view(actor, workspace, states)


def _view(actor: Actor, workspace: str, states: Mapping[StreamKey, Any]) -> WorkspaceView:
    state: Workspace | None = states[workspace_key(workspace)].state
    home: Workspace | None = states[home_key(actor.effective_id)].state
    details = state.details if state is not None else None
    if details is None and workspace == PUBLIC:
        details = WorkspaceDetails(title=PUBLIC, description="Open to everybody; owned by the operator.")
    if details is None and not actor.is_anonymous and workspace == user_workspace(actor.effective_id):
        details = home_details(actor.effective_id)
    return WorkspaceView(name=workspace, details=details, viewer=viewer_of(actor, workspace, state, home))


async def get_workspace(services: WorkspaceServices, actor: Actor, workspace: str) -> WorkspaceView:
    """See a workspace that the caller belongs to.

    Raises:
        WorkspaceNotFoundError: There is none of this name.
        PermissionDeniedError: He does not belong to it.
    """
    view = await view_workspace(services, actor, workspace)
    if view.details is None:
        raise WorkspaceNotFoundError(workspace)
    if not view.may_enter or view.viewer.file_scopes:
        raise PermissionDeniedError(f"Permission denied for workspace: {workspace}")
    return view


async def create_workspace(
    services: WorkspaceServices, context: CallContext, name: str, details: WorkspaceDetails, *, overwrite: bool
) -> Done:
    """Create a workspace, owned by its creator among others; or replace the details of one that he rules.

    Raises:
        InvalidArgumentError: The name is not one that can be created.
        PermissionDeniedError: The caller is not registered, has too many, or does not rule what he wants to replace.
        WorkspaceExistsError: The name is taken, and `overwrite` was not given.
    """
    actor = context.actor
    if actor.is_anonymous or actor.is_read_only or actor.file_scopes:
        raise PermissionDeniedError("Only registered users can create a workspace, with a token that may write.")
    key, creator = workspace_key(name), actor.effective_id
    current: Workspace | None = (await services.states.get((key,)))[key].state
    if not workspace_exists(name, current):
        validate_name(name)
    owned = msgspec.structs.replace(details, owners=tuple(dict.fromkeys((creator, *details.owners))))
    people = {creator, *participants(details)}

    def decide(states: States) -> Outcome:
        state: Workspace | None = states.get(key)
        homes: Mapping[str, Workspace | None] = {subject: states.get(home_key(subject)) for subject in people}
        if state is None or not state.exists or not overwrite:
            return decide_create(name, state, owned, homes, creator=creator)
        if not viewer_of(actor, name, state).is_workspace_admin:
            raise PermissionDeniedError(f"User does not have permission to change the workspace '{name}'.")
        return decide_replace(state, details if details.owners else _keep_owners(details, state), homes)

    keys = (key, *(home_key(subject) for subject in sorted(people)))
    return await services.writer.execute(unit_for(context, keys, decide))


def _keep_owners(details: WorkspaceDetails, state: Workspace) -> WorkspaceDetails:
    return msgspec.structs.replace(details, owners=state.owners)


async def names_of_workspaces(services: WorkspaceServices, actor: Actor) -> list[str]:
    """Name the workspaces that the caller belongs to, in order; a generated token knows those it was made for."""
    if actor.is_anonymous or actor.file_scopes:
        return []
    found = {name for name in actor.rights if name != "*"}
    if not actor.is_generated:
        # Members can be named by an e-mail address, whose notes are kept like those of a user id.
        keys = [home_key(name) for name in human_names(actor)]
        states = await services.states.get(keys)
        found.add(user_workspace(actor.user_id))
        for key in keys:
            home: Workspace | None = states[key].state
            found.update(home.joined if home is not None else ())
    return sorted(found)


async def list_workspaces(
    services: WorkspaceServices, actor: Actor, match: Mapping[str, Any], *, offset: int, limit: int
) -> list[dict[str, Any]]:
    """Describe the workspaces that the caller belongs to and that have all fields of `match`, by name."""
    found: list[dict[str, Any]] = []
    names = await names_of_workspaces(services, actor)
    states = await services.states.get([*(workspace_key(name) for name in names), home_key(actor.effective_id)])
    for name in names:
        view = _view(actor, name, states)
        if view.details is None or not view.may_enter:
            continue
        info = describe(view.name, view.details)
        if all(info.get(field) == value for field, value in match.items()):
            found.append(info)
        if len(found) == offset + limit:
            break
    return found[offset:]


def describe(name: str, details: WorkspaceDetails) -> dict[str, Any]:
    """Describe a workspace as clients know it; `members` is an addition of this service."""
    shown: dict[str, Any] = {"icon": None, "covers": None, "docs": None, "config": {}, **details.presentation}
    return {
        "type": "workspace",
        "id": name,
        "name": details.title,
        "description": details.description,
        "persistent": details.is_persistent,
        "owners": list(details.owners),
        "members": dict(details.members),
        "read_only": False,
        "service_types": {},
        "status": {"ready": True},
        **shown,
    }
