"""The Workspace aggregate: owners, members and revoked tokens; and in a user's own one, where else he belongs."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final
from uuid import UUID

import msgspec
from immutables import Map

from domain.actor import ANONYMOUS_WORKSPACE, WorkspaceRight
from domain.errors import AlreadyExistsError, InvalidArgumentError, PermissionDeniedError, TooLargeError
from domain.events import Emit, Event, EventMeta, JsonObject, Outcome, event
from domain.ids import StreamKey, workspace_key

PUBLIC: Final = "public"
"""The workspace that exists from the beginning; only role admin owns it."""

USER_PREFIX: Final = "ws-user-"
"""Begins the names of users' own workspaces; nobody can create another one of such a name."""

RESERVED_NAMES: Final = frozenset(
    {
        "-", "_", "admin", "api", "apps", "artifacts", "assets", "docs", "favicon", "files", "git", "health", "lfs",
        "login", "metrics", "mcp", "openapi", "robots", "root", "rpc", "s3", "schema", "services", "sites", "static",
        "version", "workspaces", "ws", ANONYMOUS_WORKSPACE,
    }
)  # fmt: skip
"""First segments of the service's own paths, which a workspace of the same name would hide, and its own names."""

MAX_NAME: Final = 64
MAX_MEMBERS: Final = 100
"""Owners and members of one workspace together."""
MAX_CREATED: Final = 100
"""Workspaces that one user may create."""
MAX_MEMBERSHIPS: Final = 1_000
"""Workspaces that one user may belong to."""

_NAME = re.compile(r"[A-Za-z0-9_|-]+")
_PLAIN_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-|")


class WorkspaceDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What its owners say of a workspace. `members` maps ids or e-mail addresses to `read`, `read_write` or `admin`."""

    title: str
    description: str = ""
    is_persistent: bool = True
    owners: tuple[str, ...] = ()
    members: dict[str, str] = msgspec.field(default_factory=dict)
    presentation: JsonObject = msgspec.field(default_factory=dict)
    """Icon, covers, docs and config, kept as given."""


@event("workspace.created")
class WorkspaceCreated(Event, frozen=True, kw_only=True):
    """A workspace began."""

    workspace: str
    details: WorkspaceDetails


@event("workspace.updated")
class WorkspaceUpdated(Event, frozen=True, kw_only=True):
    """Its details, owners or members changed."""

    details: WorkspaceDetails


@event("workspace.membership_changed")
class MembershipChanged(Event, frozen=True, kw_only=True):
    """The user of this own workspace (or the bearer of an e-mail address) joined or left another one.

    `right` is None when he left, or has none. `is_creator` counts against his quota, whatever he left himself.
    """

    subject: str
    workspace: str
    right: str | None
    is_creator: bool = False


@event("workspace.token_revoked")
class TokenRevoked(Event, frozen=True, kw_only=True):
    """A token of the user of this own workspace is refused from now on; after `expires_at` it would be anyway."""

    token_id: str
    expires_at: int


class Membership(msgspec.Struct, frozen=True):
    """What a user is in another workspace; its creator is remembered when he has no right left in it."""

    right: WorkspaceRight | None
    is_creator: bool = False


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as its events left it.

    `memberships` is kept in a user's own workspace, by workspace name. The stream of an own workspace may hold
    memberships and revocations before its user has come for the first time: then `details` is None, and the workspace
    does not exist.
    """

    id: UUID
    version: int
    name: str = ""
    details: WorkspaceDetails | None = None
    created_by: str = ""
    created_at: int = 0
    memberships: "Map[str, Membership]" = msgspec.field(default_factory=Map)
    revoked_tokens: "Map[str, int]" = msgspec.field(default_factory=Map)

    @property
    def joined(self) -> dict[str, WorkspaceRight]:
        """The other workspaces that the user has a right in."""
        return {name: entry.right for name, entry in self.memberships.items() if entry.right is not None}

    @property
    def exists(self) -> bool:
        """Whether the workspace was created."""
        return self.details is not None

    @property
    def is_persistent(self) -> bool:
        """Whether artifacts can be created in it."""
        return self.details is not None and self.details.is_persistent

    @property
    def owners(self) -> tuple[str, ...]:
        """Ids or e-mail addresses of the owners."""
        return self.details.owners if self.details else ()

    def right_of(self, subjects: Iterable[str]) -> WorkspaceRight | None:
        """Give the strongest right of somebody known by these ids and addresses; owners are admins."""
        if self.details is None:
            return None
        named = set(subjects)
        if named.intersection(self.details.owners):
            return WorkspaceRight.ADMIN
        return max(
            (RIGHTS[right] for subject, right in self.details.members.items() if subject in named),
            default=None,
        )


RIGHTS: Final[Mapping[str, WorkspaceRight]] = {
    "read": WorkspaceRight.READ,
    "read_write": WorkspaceRight.READ_WRITE,
    "admin": WorkspaceRight.ADMIN,
}
"""Rights by the names that calls and events use."""

_FORGET_EVERY: Final = 64
"""Expired revocations are dropped at every so many events of a stream, so that a fold stays linear."""


def evolve(state: Workspace | None, payload: Event, meta: EventMeta, stream_id: UUID) -> Workspace:
    """Fold one event of a workspace's stream."""
    state = msgspec.structs.replace(state or Workspace(id=stream_id, version=0), version=meta.stream_version)
    match payload:
        case WorkspaceCreated():
            return msgspec.structs.replace(
                state,
                name=payload.workspace,
                details=payload.details,
                created_by=meta.author,
                created_at=meta.recorded_at,
            )
        case WorkspaceUpdated():
            return msgspec.structs.replace(state, details=payload.details)
        case MembershipChanged():
            memberships = state.memberships
            if payload.right is not None or payload.is_creator:
                right = RIGHTS[payload.right] if payload.right is not None else None
                memberships = memberships.set(payload.workspace, Membership(right, is_creator=payload.is_creator))
            elif payload.workspace in memberships:
                memberships = memberships.delete(payload.workspace)
            return msgspec.structs.replace(state, memberships=memberships)
        case TokenRevoked():
            revoked = state.revoked_tokens.set(payload.token_id, payload.expires_at)
            if meta.stream_version % _FORGET_EVERY == 0:
                revoked = Map({token: end for token, end in revoked.items() if end > meta.recorded_at})
            return msgspec.structs.replace(state, revoked_tokens=revoked)
        case _:
            raise ValueError(f"{type(payload).__name__} does not belong to a workspace")


@lru_cache(maxsize=4_096)
def user_workspace(user_id: str) -> str:
    """Name a user's own workspace.

    Every byte outside letters, digits, `-` and `|` becomes `_xx`, so that no two users share one.
    """
    encoded = "".join(chr(byte) if byte in _PLAIN_BYTES else f"_{byte:02x}" for byte in user_id.encode())
    return USER_PREFIX + encoded


@lru_cache(maxsize=4_096)
def home_key(subject: str) -> StreamKey:
    """Name the stream of the own workspace of a user id, or what is kept for an e-mail address."""
    return workspace_key(user_workspace(subject))


def validate_name(name: str) -> str:
    """Check the name of a workspace to be created.

    Raises:
        InvalidArgumentError: It has other characters than letters, digits, `-`, `_` and `|`, is longer than 64, is a
            first path segment of the service, or begins as the names of users' own workspaces do.
    """
    if not _NAME.fullmatch(name):
        raise InvalidArgumentError(
            f"Invalid workspace name '{name[:MAX_NAME]}': only letters, digits, '-', '_' and '|' are allowed."
        )
    if len(name) > MAX_NAME:
        raise InvalidArgumentError(f"Workspace name is too long ({len(name)} characters); the maximum is {MAX_NAME}.")
    if name.lower() in RESERVED_NAMES or name.lower().startswith(USER_PREFIX):
        raise InvalidArgumentError(f"Workspace name '{name}' is reserved.")
    return name


def workspace_exists(name: str, state: Workspace | None) -> bool:
    """Tell whether there is such a workspace; `public` needs no event."""
    return name == PUBLIC or (state is not None and state.exists)


class WorkspaceExistsError(AlreadyExistsError):
    """The name is taken; the type name is the one that clients look for."""

    code = "workspace_exists"
    type_name = "RuntimeError"

    def __init__(self, workspace: str) -> None:
        super().__init__(f"Workspace already exists: {workspace}")


def decide_create_home(state: Workspace | None, user_id: str) -> Outcome:
    """Make a user's own workspace; nothing to do when it is there."""
    if state is not None and state.exists:
        return Outcome()
    name = user_workspace(user_id)
    created = WorkspaceCreated(workspace=name, details=home_details(user_id))
    return Outcome(events=(Emit(workspace_key(name), created, name),))


def home_details(user_id: str) -> WorkspaceDetails:
    """Give what a user's own workspace begins with."""
    return WorkspaceDetails(title=user_workspace(user_id), owners=(user_id,))


def participants(details: WorkspaceDetails) -> dict[str, str]:
    """Give everybody whom the details name, with the name of his right; owners are admins."""
    return {**details.members, **dict.fromkeys(details.owners, "admin")}


def decide_create(
    name: str,
    state: Workspace | None,
    details: WorkspaceDetails,
    homes: Mapping[str, Workspace | None],
    *,
    creator: str,
) -> Outcome:
    """Create a workspace, and note it with everybody who belongs to it.

    `homes` holds the own-workspace states of the creator and of all participants.

    Raises:
        WorkspaceExistsError: The name is taken.
        PermissionDeniedError: The creator has as many workspaces as one user may create.
        TooLargeError: There are too many participants, or one of them belongs to too many workspaces.
    """
    if workspace_exists(name, state):
        raise WorkspaceExistsError(name)
    home = homes.get(creator)
    if home is not None and sum(entry.is_creator for entry in home.memberships.values()) >= MAX_CREATED:
        raise PermissionDeniedError(f"A user may create at most {MAX_CREATED} workspaces.")
    now = participants(details)
    # The creator is noted even if he gives himself no right, because the workspace counts against his quota.
    rights: dict[str, str | None] = {creator: None, **now}
    # The creator's quota is his own: nobody else can use it up by naming him in theirs.
    _check_participants(name, now, {subject: home for subject, home in homes.items() if subject != creator})
    created = Emit(workspace_key(name), WorkspaceCreated(workspace=name, details=details), name)
    return Outcome(events=(created, *_memberships(name, rights, founder=creator)))


def decide_replace(state: Workspace, details: WorkspaceDetails, homes: Mapping[str, Workspace | None]) -> Outcome:
    """Replace the details of a workspace, and note what changed with those whom it concerns.

    `homes` holds the own-workspace states of all participants of the new details.

    Raises:
        TooLargeError: There are too many participants, or one of them belongs to too many workspaces.
    """
    before = participants(state.details) if state.details is not None else {}
    now = participants(details)
    _check_participants(state.name, now, homes)
    changed = {subject: now.get(subject) for subject in {*before, *now} if now.get(subject) != before.get(subject)}
    updated = Emit(workspace_key(state.name), WorkspaceUpdated(details=details), state.name)
    return Outcome(events=(updated, *_memberships(state.name, changed, founder=state.created_by)))


def _memberships(name: str, rights: Mapping[str, str | None], *, founder: str) -> list[Emit]:
    return [
        Emit(
            home_key(subject),
            MembershipChanged(subject=subject, workspace=name, right=right, is_creator=subject == founder),
            user_workspace(subject),
        )
        for subject, right in sorted(rights.items())
    ]


def _check_participants(name: str, now: Mapping[str, str], homes: Mapping[str, Workspace | None]) -> None:
    if len(now) > MAX_MEMBERS:
        raise TooLargeError(f"A workspace has at most {MAX_MEMBERS} owners and members; {len(now)} were given.")
    for subject in now:
        home = homes.get(subject)
        if home is not None and name not in home.memberships and len(home.memberships) >= MAX_MEMBERSHIPS:
            raise TooLargeError(f"'{subject}' belongs to {MAX_MEMBERSHIPS} workspaces already.")


def decide_revoke(state: Workspace | None, subject: str, token_id: str, expires_at: int) -> Outcome:
    """Refuse a token from now on. Revoking it again changes nothing."""
    if state is not None and token_id in state.revoked_tokens:
        return Outcome()
    revoked = TokenRevoked(token_id=token_id, expires_at=expires_at)
    return Outcome(events=(Emit(home_key(subject), revoked, user_workspace(subject)),))
