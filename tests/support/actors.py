"""Callers of every kind, artifacts' nodes and workspaces, for tests of who may do what."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain.actor import ANONYMOUS, Actor, WorkspaceRight
from domain.permissions import Node, Viewer, viewer_of
from domain.workspace import Workspace, WorkspaceDetails, user_workspace

TEAM = "team-lab"
"""The workspace that the artifacts of most tests live in."""


def login(user: str, *, email: str | None = None, rights: Mapping[str, WorkspaceRight] | None = None) -> Actor:
    """Give a user with a login token."""
    own = user_workspace(user)
    return Actor(user_id=user, email=email, rights={own: WorkspaceRight.ADMIN, **(rights or {})}, current_workspace=own)


def agent_of(human: str, right: WorkspaceRight, workspace: str = TEAM, *, email: str | None = None) -> Actor:
    """Give the bearer of a token that `human` generated for one workspace."""
    return Actor(
        user_id=f"agent-of-{human}",
        email=email,
        on_behalf_of=human,
        is_generated=True,
        is_read_only=right is WorkspaceRight.READ,
        rights={workspace: right},
        current_workspace=workspace,
    )


def role_admin() -> Actor:
    """Give the operator."""
    return Actor(user_id="root", roles=("admin",), rights={"*": WorkspaceRight.ADMIN})


def team(
    *, owners: Sequence[str] = ("olivia",), members: Mapping[str, str] | None = None, name: str = TEAM
) -> Workspace:
    """Give a created workspace."""
    details = WorkspaceDetails(title=name, owners=tuple(owners), members=dict(members or {}))
    return Workspace(id=UUID(int=7), version=1, name=name, details=details)


def node(
    permissions: Mapping[str, Any] | None = None,
    *,
    inherit_writes: bool = False,
    is_committed: bool = True,
    takes_parent_level: bool = False,
    number: int = 1,
) -> Node:
    """Give one artifact of a chain, `artifact-<number>`."""
    return Node(
        id=UUID(int=number),
        permissions=permissions or {},
        inherit_writes=inherit_writes,
        is_committed=is_committed,
        takes_parent_level=takes_parent_level,
        alias=f"artifact-{number}",
    )


MEMBERS = {"reba": "read", "walt": "read_write", "adele": "admin"}


def viewers() -> dict[str, Viewer]:
    """Give every kind of caller, as the workspace `TEAM` sees him."""
    state = team(members=MEMBERS)
    actors = {
        "anonymous": ANONYMOUS,
        "user": login("uma"),
        "creator": login("carl", email="carl@example.org"),
        "agent": agent_of("carl", WorkspaceRight.READ_WRITE, "ws-elsewhere"),
        "agent, read": agent_of("carl", WorkspaceRight.READ, "ws-elsewhere"),
        "agent of the owner": agent_of("olivia", WorkspaceRight.READ_WRITE),
        "agent made with admin": agent_of("olivia", WorkspaceRight.ADMIN),
        "member, read": login("reba"),
        "member, read_write": login("walt"),
        "member, admin": login("adele"),
        "owner": login("olivia"),
        "owner, read-only token": agent_of("olivia", WorkspaceRight.READ),
        "owner, own read-only token": replace(login("olivia"), is_read_only=True),
        "role admin": role_admin(),
    }
    return {kind: viewer_of(actor, TEAM, state) for kind, actor in actors.items()}
