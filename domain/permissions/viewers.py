"""From an authenticated caller to a viewer: which subjects match him, from verified membership only."""

import msgspec

from domain.actor import Actor, WorkspaceRight
from domain.permissions.verdicts import AUTHENTICATED, EVERYBODY, Viewer
from domain.workspace import Workspace, user_workspace

EVERY_WORKSPACE = "*"


def names_of(actor: Actor) -> tuple[str, ...]:
    """Give what entries may call him: his id, the human behind a generated token, his e-mail address.

    Names that would read as another kind of subject (`*`, `@`, anything with a `/`) are left out.
    """
    candidates = (actor.user_id, actor.on_behalf_of, actor.email)
    found = [name for name in candidates if name and name not in (EVERYBODY, AUTHENTICATED) and "/" not in name]
    return tuple(dict.fromkeys(found))


def human_names(actor: Actor) -> tuple[str, ...]:
    """Give the names of the human: what owners, members and own workspaces go by."""
    return tuple(dict.fromkeys(name for name in (actor.effective_id, actor.email) if name))


def _state_right(actor: Actor, workspace: str, state: Workspace | None) -> WorkspaceRight | None:
    if actor.is_anonymous:
        return None
    if workspace == user_workspace(actor.effective_id):
        return WorkspaceRight.ADMIN
    return state.right_of(human_names(actor)) if state is not None else None


def _human_workspaces(actor: Actor, workspace: str, state: Workspace | None, home: Workspace | None) -> set[str]:
    """Name the workspaces that the human belongs to, by what his own workspace notes and this one's state."""
    if actor.is_anonymous:
        return set()
    found = {user_workspace(actor.effective_id)}
    if home is not None:
        found.update(home.joined)
    if _state_right(actor, workspace, state) is not None:
        found.add(workspace)
    elif state is not None:
        # The state of the workspace itself is newer than what another stream notes about it.
        found.discard(workspace)
    return found


def _token_workspaces(actor: Actor, workspace: str) -> set[str]:
    found = set(actor.rights) - {EVERY_WORKSPACE}
    if actor.right_in(workspace) is not None:
        found.add(workspace)
    return found


def subjects_of(
    actor: Actor, workspace: str, state: Workspace | None, home: Workspace | None = None
) -> tuple[tuple[str, ...], ...]:
    """Give the subjects that match a caller, most specific level first.

    Entries that name somebody (`alice`, `team/alice`) count for a token made on his behalf as well. Entries for all
    of a workspace (`team/@`, `team/*`) count for a generated token only where it was made for that workspace. An
    anonymous caller is nobody: only `*` matches him.
    """
    if actor.is_anonymous:
        return ((EVERYBODY,),)
    names = names_of(actor)
    token, human = _token_workspaces(actor, workspace), _human_workspaces(actor, workspace, state, home)
    general = sorted(token if actor.is_generated else token | human)
    levels = (
        names,
        tuple(f"{where}/{name}" for where in sorted(token | human) for name in names),
        tuple(f"{where}/{AUTHENTICATED}" for where in general),
        tuple(f"{where}/{EVERYBODY}" for where in general),
        (AUTHENTICATED,),
        (EVERYBODY,),
    )
    return tuple(level for level in levels if level)


def viewer_of(actor: Actor, workspace: str, state: Workspace | None, home: Workspace | None = None) -> Viewer:
    """See a caller as one workspace does.

    `state` is that workspace's, `home` the caller's own one's (of the human behind a generated token), for entries
    that name members of other workspaces.

    A login token has what the token gives, and what its user is by the workspaces' own word. A generated token has
    only what it was made with, whoever stands behind it. A token that is a claim on files asks what its minter may
    do: the human, as if he were logged in.
    """
    token_right = actor.right_in(workspace)
    counts_as_human = not actor.is_generated or bool(actor.file_scopes)
    state_right = _state_right(actor, workspace, state) if counts_as_human else None
    right = max((one for one in (token_right, state_right) if one is not None), default=None)
    return Viewer(
        levels=subjects_of(actor, workspace, state, home),
        is_workspace_admin=right is WorkspaceRight.ADMIN,
        workspace_right=right,
        is_read_only=actor.is_read_only,
        is_anonymous=actor.is_anonymous,
        file_scopes=actor.file_scopes,
    )


def without_scopes(viewer: Viewer) -> Viewer:
    """See a token that is a claim on files as its minter: for questions about those files alone."""
    return msgspec.structs.replace(viewer, file_scopes=())
