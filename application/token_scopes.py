"""The scope text of a token: written from checked values only, and read strictly."""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from domain.actor import FileScope, WorkspaceRight
from domain.errors import InvalidArgumentError, InvalidPathError
from domain.paths import parse_path

ANY: Final = "*"
MAX_FILE_SCOPES: Final = 100
MAX_SCOPE_TEXT: Final = 32 * 1024
MAX_WORKSPACE: Final = 800
"""The own workspace of the longest user id, each of its bytes written as three characters."""

_LETTERS: Final[Mapping[WorkspaceRight, str]] = {
    WorkspaceRight.READ: "r",
    WorkspaceRight.READ_WRITE: "rw",
    WorkspaceRight.ADMIN: "a",
}
_RIGHTS: Final = {letters: right for right, letters in _LETTERS.items()}

_WORKSPACE = re.compile(r"[A-Za-z0-9_|-]+")
_WORKSPACE_SCOPE = re.compile(r"ws:([A-Za-z0-9_|-]+|\*)#(rw|r|a)")
_CLIENT = re.compile(r"[A-Za-z0-9_.@|-]{1,128}")
_ARTIFACT = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[A-Za-z0-9_|-]+/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
)
_FILE_OPERATIONS: Final = frozenset({"get_file", "put_file"})


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a scope text says: rights by workspace (or `*`), the client, the current workspace, claims on files."""

    rights: Mapping[str, WorkspaceRight] = msgspec.field(default_factory=dict)
    client_id: str | None = None
    current_workspace: str | None = None
    file_scopes: tuple[FileScope, ...] = ()


def right_letters(right: WorkspaceRight) -> str:
    """Write a right as scopes do: `r`, `rw` or `a`."""
    return _LETTERS[right]


def check_workspace(name: str) -> str:
    """Check a workspace name before it becomes a part of a scope.

    Raises:
        InvalidArgumentError: It holds other characters than workspace names do.
    """
    if not _WORKSPACE.fullmatch(name) or len(name) > MAX_WORKSPACE:
        raise InvalidArgumentError(f"Invalid workspace name '{name[:64]}'.")
    return name


def parse_file_scope(text: str) -> FileScope:
    """Read `get_file:<artifact>:<percent-encoded path or *>`, or the same with `put_file`.

    The artifact is a UUID or `workspace/alias`.

    Raises:
        InvalidArgumentError: It is anything else. Nothing but claims on files can be asked for in a scope.
    """
    parts = text.split(":", 2)
    if len(parts) != 3 or parts[0] not in _FILE_OPERATIONS or not _ARTIFACT.fullmatch(parts[1]):
        raise InvalidArgumentError(
            f"Scope '{text[:200]}' is not supported: only get_file:<artifact>:<path> and put_file:<artifact>:<path> "
            "are, with a UUID or workspace/alias, and a percent-encoded path or *."
        )
    operation, artifact_id, written = parts
    if written == ANY:
        return FileScope(operation, artifact_id, ANY)
    try:
        path = str(parse_path(unquote(written, errors="strict")))
    except (InvalidPathError, UnicodeDecodeError):
        raise InvalidArgumentError(f"Scope '{text[:200]}' has an invalid path.") from None
    if path == ANY:
        # It would read as all files, in this text or in the structure made from it.
        raise InvalidArgumentError("A scope cannot name a file that is called '*'.")
    return FileScope(operation, artifact_id, path)


def write_scope(scope: Scope) -> str:
    """Write a scope text.

    Raises:
        InvalidArgumentError: A name has characters that it must not have, or there are too many claims.
    """
    words = [
        f"ws:{name if name == ANY else check_workspace(name)}#{right_letters(right)}"
        for name, right in scope.rights.items()
    ]
    if scope.client_id is not None:
        if not _CLIENT.fullmatch(scope.client_id):
            raise InvalidArgumentError("client_id must be 1 to 128 letters, digits, '-', '_', '.', '@' or '|'.")
        words.append(f"cid:{scope.client_id}")
    if scope.current_workspace is not None:
        words.append(f"wid:{check_workspace(scope.current_workspace)}")
    if len(scope.file_scopes) > MAX_FILE_SCOPES:
        raise InvalidArgumentError(f"A token can have at most {MAX_FILE_SCOPES} extra_scopes.")
    words += file_scope_texts(scope.file_scopes)
    text = " ".join(words)
    if len(text) > MAX_SCOPE_TEXT:
        raise InvalidArgumentError(f"The scopes of the token are longer than {MAX_SCOPE_TEXT} characters.")
    return text


def file_scope_texts(scopes: Iterable[FileScope]) -> list[str]:
    """Write claims on files as `extra_scopes` has them."""
    return [
        f"{one.operation}:{one.artifact_id}:{one.path if one.path == ANY else quote(one.path, safe='')}"
        for one in scopes
    ]


def read_scope(text: str) -> Scope:
    """Read a scope text. Words without a colon (`openid`, `profile`) mean nothing here.

    Raises:
        InvalidArgumentError: A word with a colon is not understood, or says twice what can be said once: a token
            whose limits are not understood is not a token without limits.
    """
    rights: dict[str, WorkspaceRight] = {}
    once: dict[str, str] = {}
    files: list[FileScope] = []
    if len(text) > MAX_SCOPE_TEXT:
        raise InvalidArgumentError("The scope is too long.")
    for word in text.split():
        kind, colon, value = word.partition(":")
        if not colon:
            continue
        if kind == "ws":
            match = _WORKSPACE_SCOPE.fullmatch(word)
            if match is None:
                raise InvalidArgumentError(f"Scope '{word[:200]}' is malformed.")
            rights[match[1]] = max(_RIGHTS[match[2]], rights.get(match[1], WorkspaceRight.READ))
        elif kind in ("cid", "wid"):
            if kind in once or not value:
                raise InvalidArgumentError(f"Scope '{word[:200]}' is malformed.")
            once[kind] = check_workspace(value) if kind == "wid" else value
        else:
            files.append(parse_file_scope(word))
    return Scope(rights=rights, client_id=once.get("cid"), current_workspace=once.get("wid"), file_scopes=tuple(files))
