"""Every refusal that a caller can meet. One root; a stable `code`; a `detail` that says what the caller did wrong.

`type_name` is the name that clients of the RPC protocol look for in an error's text (KeyError, PermissionError ...).
Only `api/http/problems.py` knows status codes.
"""

from typing import ClassVar


class ArtifactManagerError(Exception):
    """Root of all refusals."""

    code: ClassVar[str] = "error"
    type_name: ClassVar[str] = "RuntimeError"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidArgumentError(ArtifactManagerError):
    """An argument has a value that the operation cannot take."""

    code = "invalid_argument"
    type_name = "ValueError"


class InvalidTypeError(InvalidArgumentError):
    """An argument is missing, unknown or of the wrong type."""

    code = "invalid_type"
    type_name = "TypeError"


class InvalidIdError(InvalidArgumentError):
    """An artifact id is not a UUID, an alias or `workspace/alias`."""

    code = "invalid_id"
    type_name = "AssertionError"


class InvalidPathError(InvalidArgumentError):
    """A file path is absolute, escapes its artifact, is too long or holds control characters."""

    code = "invalid_path"
    type_name = "ValueError"


class UnreadableArchiveError(InvalidArgumentError):
    """A file is no ZIP archive, is damaged, contradicts itself, or is beyond what can be read of one."""

    code = "unreadable_archive"
    type_name = "ValueError"


class UploadSessionError(InvalidArgumentError):
    """The artifact has no open upload in parts of this id: it never had one, or it expired, was replaced or removed."""

    code = "upload_not_found"
    type_name = "ValueError"

    def __init__(self) -> None:
        super().__init__("Upload session expired or not found")


class AddressRefusedError(InvalidArgumentError):
    """An address that a user gave is one that the service does not connect to, or is none."""

    code = "address_refused"


class SchemaViolationError(InvalidArgumentError):
    """A manifest does not conform to the schema of its type or collection."""

    code = "schema_violation"
    type_name = "ValueError"

    def __init__(self, detail: str) -> None:
        super().__init__(f"ValidationError: {detail}")


class InvalidStateError(ArtifactManagerError):
    """The artifact is not in the state that the operation needs."""

    code = "invalid_state"
    type_name = "AssertionError"


class NothingStagedError(InvalidStateError):
    """There are no staged changes."""

    code = "nothing_staged"
    type_name = "ValueError"


class NotEmptyError(InvalidStateError):
    """A collection that has children cannot be deleted or overwritten."""

    code = "not_empty"
    type_name = "ValueError"


class NotFoundError(ArtifactManagerError):
    """What the caller named does not exist."""

    code = "not_found"
    type_name = "KeyError"


class ArtifactNotFoundError(NotFoundError):
    """No artifact has this id."""

    code = "artifact_not_found"

    def __init__(self, artifact_id: str) -> None:
        super().__init__(
            f"Artifact with ID '{artifact_id}' does not exist. "
            "Note: When working with artifacts from other workspaces, "
            "use the full ID (workspace/alias) returned by create(), not just the alias."
        )


class VersionNotFoundError(NotFoundError):
    """The artifact has no such version."""

    code = "version_not_found"
    type_name = "ValueError"


class FileMissingError(NotFoundError):
    """The version has no such file."""

    code = "file_not_found"
    type_name = "FileNotFoundError"


class WorkspaceNotFoundError(NotFoundError):
    """No workspace has this name."""

    code = "workspace_not_found"

    def __init__(self, workspace: str) -> None:
        super().__init__(f"Workspace '{workspace}' does not exist.")


class AlreadyExistsError(ArtifactManagerError):
    """The name is taken."""

    code = "already_exists"
    type_name = "FileExistsError"


class VersionExistsError(AlreadyExistsError):
    """The artifact has a version of this name already."""

    code = "version_exists"
    type_name = "ValueError"


class PermissionDeniedError(ArtifactManagerError):
    """The caller is known, but may not do this."""

    code = "permission_denied"
    type_name = "PermissionError"


class UnauthenticatedError(ArtifactManagerError):
    """The token is malformed, expired, revoked or signed by somebody else."""

    code = "unauthenticated"
    type_name = "PermissionError"


class TooLargeError(ArtifactManagerError):
    """Something exceeds a named limit."""

    code = "too_large"
    type_name = "ValueError"


class RangeNotSatisfiableError(ArtifactManagerError):
    """The requested bytes lie beyond the end of the file."""

    code = "range_not_satisfiable"
    type_name = "ValueError"


class ConflictError(ArtifactManagerError):
    """Other writers changed the same thing on each of the bounded attempts; nothing was changed."""

    code = "conflict"


class UnavailableError(ArtifactManagerError):
    """A part of the service cannot answer now; trying again later is reasonable."""

    code = "unavailable"


class SecretsUnreadableError(UnavailableError):
    """Secrets cannot be decrypted: the service has not the key that theirs is wrapped by, or theirs is gone."""

    code = "secrets_unreadable"


class StoreUnavailableError(UnavailableError):
    """The store in which the files of an artifact lie cannot be reached, or the service may not connect to it."""

    code = "store_unavailable"


class StorageFullError(ArtifactManagerError):
    """The disk, or the part of it that the operator allows, is full; nothing was changed."""

    code = "storage_full"
    type_name = "OSError"


class StaleFactsError(Exception):
    """The facts that a decision was given are older than the states: they have to be fetched again. No refusal."""


class TemplateFailedError(ArtifactManagerError):
    """A page of a site cannot be made: its template has a mistake, or takes more time, memory or room than it may."""

    code = "template_failed"
