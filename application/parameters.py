"""The parameters of the methods of `artifact-manager`, in the positional order of the RPC protocol; ours come last."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from application.methods import Command

Id = Annotated[str, Meta(min_length=1, max_length=1024, description="UUID, `workspace/alias`, or an alias.")]
Version = Annotated[
    str | int | None,
    Meta(description='A version\'s name or stable index, "latest", or "stage". Default: the latest version.'),
]
Weight = Annotated[float, Meta(description="What one download adds to the download count.")]
ExpiresIn = Annotated[float, Meta(ge=60, le=604800, description="Seconds for which the URLs are valid.")]
UseProxy = Annotated[bool | None, Meta(description="Stream through the service. Default: as the server is set up.")]
UseLocalUrl = Annotated[
    bool | str, Meta(description="Make URLs for use inside the cluster, or under the given address.")
]
Type = Annotated[
    Annotated[str, Meta(max_length=64)] | None,
    Meta(description="Free; `generic` and `collection` are checked as cards."),
]
Comment = Annotated[Annotated[str, Meta(max_length=4096)] | None, Meta(description="Why; kept in the history.")]
Paths = Annotated[
    str | Annotated[list[str], Meta(max_length=10_000)], Meta(description="A path, or a list of paths for a batch.")
]
Secrets = Annotated[
    dict[str, Any] | None,
    Meta(description="Secrets by name, as text; encrypted, shown by `get_secret` alone. On an edit: instead of all."),
]
Branch = Annotated[str | None, Meta(description="A git branch; artifacts stored as files have none.")]
StageChoice = Annotated[
    bool | Literal["all", "true", "false"],
    Meta(description='True: those with an open stage. False: those with a version. "all": both.'),
]
MAX_OFFSET = 10_000_000


def _without_secrets(command: Command) -> str:
    """Write a command without its secrets, however it comes to be written."""
    given = {name: getattr(command, name) for name in command.__struct_fields__ if name != "secrets"}
    return f"{type(command).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"


class Create(Command, frozen=True, forbid_unknown_fields=True):
    """Create an artifact or a collection, committed at once or as a draft."""

    alias: Annotated[str | None, Meta(description="Name, `workspace/name` or pattern. Default: random words.")] = None
    artifact_id: Annotated[str | None, Meta(description="`workspace/alias`, instead of both.")] = None
    workspace: str | None = None
    parent_id: Id | None = None
    manifest: dict[str, Any] | None = None
    type: Type = "generic"
    config: dict[str, Any] | None = None
    secrets: Secrets = None
    version: Annotated[str | None, Meta(description='Name of the first version, "new", or "stage" for a draft.')] = None
    comment: Comment = None
    overwrite: bool = False
    stage: bool = False
    permissions: Annotated[dict[str, Any] | None, Meta(description="Same as `config.permissions`.")] = None

    __repr__ = _without_secrets


class Edit(Command, frozen=True, forbid_unknown_fields=True):
    """Edit an artifact: in its stage, or in place."""

    artifact_id: Id
    manifest: dict[str, Any] | None = None
    type: Type = None
    config: dict[str, Any] | None = None
    secrets: Secrets = None
    version: Annotated[str | None, Meta(description='"new", "stage", or an existing version.')] = None
    comment: Comment = None
    stage: Annotated[
        bool | None, Meta(description="True: in a stage. False: at once, committing what is staged. Default: as it is.")
    ] = None
    branch: Branch = None
    permissions: Annotated[dict[str, Any] | None, Meta(description="Same as `config.permissions`.")] = None
    copy_files: Annotated[bool, Meta(description='With version="new": start from the latest files.')] = False

    __repr__ = _without_secrets


class Commit(Command, frozen=True, forbid_unknown_fields=True):
    """Make the stage a version."""

    artifact_id: Id
    version: Annotated[str | None, Meta(description="Name of the new version, if this makes one.")] = None
    comment: Comment = None
    branch: Branch = None


class Discard(Command, frozen=True, forbid_unknown_fields=True):
    """Throw the stage away."""

    artifact_id: Id


class Delete(Command, frozen=True, forbid_unknown_fields=True):
    """Delete an artifact, or one of its versions."""

    artifact_id: Id
    delete_files: Annotated[bool, Meta(description="Give up the files too, for ever.")] = False
    recursive: Annotated[bool, Meta(description="Delete all that is below it as well.")] = False
    version: Annotated[Version, Meta(description='Name, index or "latest". Default: the whole artifact.')] = None
    comment: Comment = None


class Read(Command, frozen=True, forbid_unknown_fields=True):
    """Read an artifact's record."""

    artifact_id: Id
    silent: Annotated[bool, Meta(description="Do not count a view.")] = False
    version: Version = None
    stage: Annotated[bool, Meta(description='Same as version="stage".')] = False
    include_metadata: Annotated[
        bool, Meta(description='Add the statistics to the manifest, in fields with a "." before.')
    ] = False


class List(Command, frozen=True, forbid_unknown_fields=True):
    """List the children of a collection, or the artifacts of a workspace that have no parent."""

    parent_id: Id | None = None
    keywords: list[str] | str | None = None
    filters: dict[str, Any] | None = None
    mode: Annotated[
        Literal["AND", "OR"] | None,
        Meta(description="Default: any keyword, and every filter. AND: all of them. OR: any of them."),
    ] = None
    offset: Annotated[int, Meta(ge=0, le=MAX_OFFSET)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    order_by: str | None = None
    silent: Annotated[bool, Meta(description="Do not count a view of the collection.")] = False
    pagination: Annotated[bool, Meta(description="Answer a page object with the total.")] = False
    stage: StageChoice = False
    artifact_id: Annotated[Id | None, Meta(description="Another name of `parent_id`.")] = None
    list_fields: Annotated[list[str] | None, Meta(description="Answer only these fields; dots reach inside.")] = None
    cursor: Annotated[str | None, Meta(description="The `next_cursor` of the page before.")] = None


class Search(Command, frozen=True, forbid_unknown_fields=True):
    """Search the children of a collection, or all artifacts of a workspace; counts no view."""

    parent_id: Id | None = None
    keywords: list[str] | str | None = None
    filters: dict[str, Any] | None = None
    mode: Literal["AND", "OR"] | None = None
    offset: Annotated[int, Meta(ge=0, le=MAX_OFFSET)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    order_by: str | None = None
    pagination: bool = False
    stage: StageChoice = False
    artifact_id: Id | None = None
    list_fields: list[str] | None = None
    cursor: str | None = None


class PutFile(Command, frozen=True, forbid_unknown_fields=True):
    """Announce files and get URLs to PUT their bytes to."""

    artifact_id: Id
    file_path: Paths
    download_weight: Weight | list[float] = 0
    use_proxy: UseProxy = None
    use_local_url: UseLocalUrl = False
    expires_in: ExpiresIn = 3600
    branch: Branch = None


PartCount = Annotated[int, Meta(description="Number of parts, 1 to 10,000; each but the last of 5 MiB or more.")]


class PutFileStartMultipart(Command, frozen=True, forbid_unknown_fields=True):
    """Begin to upload a file in parts and get a URL for each of them."""

    artifact_id: Id
    file_path: str
    part_count: PartCount
    download_weight: Weight = 0
    expires_in: ExpiresIn = 3600
    use_proxy: UseProxy = None
    use_local_url: UseLocalUrl = False


class CompletedPart(Struct, frozen=True):
    """A part that was uploaded; what a client adds to it is not read."""

    part_number: int
    etag: Annotated[str, Meta(max_length=64)]


UploadIdText = Annotated[str, Meta(max_length=64, description="As `put_file_start_multipart` gave it.")]


class PutFileCompleteMultipart(Command, frozen=True, forbid_unknown_fields=True):
    """Make the parts of an upload a file of the stage. Completing again with the same parts changes nothing."""

    artifact_id: Id
    upload_id: UploadIdText
    parts: Annotated[
        list[CompletedPart],
        Meta(max_length=10_000, description="All of them: `part_number`, and the `etag` that its PUT answered."),
    ]


class ListMultipartUploads(Command, frozen=True, forbid_unknown_fields=True):
    """List the uploads in parts that are open in the stage."""

    artifact_id: Id


class ListMultipartParts(Command, frozen=True, forbid_unknown_fields=True):
    """List the parts of an upload that are there, and get new URLs for those that are missing."""

    artifact_id: Id
    upload_id: UploadIdText
    expires_in: ExpiresIn = 3600
    use_proxy: UseProxy = None
    use_local_url: UseLocalUrl = False


class GetFile(Command, frozen=True, forbid_unknown_fields=True):
    """Get URLs to download files from."""

    artifact_id: Id
    file_path: Paths
    silent: Annotated[bool, Meta(description="Do not count a download.")] = False
    version: Version = None
    stage: bool = False
    branch: Branch = None
    use_proxy: UseProxy = None
    use_local_url: UseLocalUrl = False
    expires_in: ExpiresIn = 3600


class ListFiles(Command, frozen=True, forbid_unknown_fields=True):
    """List one directory of a version or of the stage."""

    artifact_id: Id
    dir_path: str | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    version: Version = None
    stage: bool = False
    branch: Branch = None
    include_pending: Annotated[bool, Meta(description="With the stage: also files that are not uploaded yet.")] = False
    offset: Annotated[int, Meta(ge=0, le=MAX_OFFSET)] = 0


class RemoveFile(Command, frozen=True, forbid_unknown_fields=True):
    """Take a file out of the stage, or mark a committed one to go at commit.

    The mark is about the version being staged: aiming the stage at another one takes it back.
    """

    artifact_id: Id
    file_path: str
    branch: Branch = None


Format = Annotated[Literal["text", "binary", "base64", "json"], Meta(description="How the content is written.")]


class ReadFile(Command, frozen=True, forbid_unknown_fields=True):
    """Read a part of a file into the answer."""

    artifact_id: Id
    file_path: str
    format: Format = "text"
    encoding: str = "utf-8"
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int | None, Meta(description="Bytes; default 65,536, at most 10,485,760.")] = None
    version: Version = None
    stage: bool = False
    branch: Branch = None


class WriteFile(Command, frozen=True, forbid_unknown_fields=True):
    """Write a file into the stage from the call itself."""

    artifact_id: Id
    file_path: str
    content: Any
    format: Format = "text"
    encoding: str = "utf-8"
    branch: Branch = None


class Duplicate(Command, frozen=True, forbid_unknown_fields=True):
    """Copy an artifact: its latest committed content and files, without its history, children and statistics."""

    source_artifact_id: Id
    target_alias: Annotated[str | None, Meta(description="Alias of the copy, or a pattern. Default: random words.")] = (
        None
    )
    target_workspace: Annotated[str | None, Meta(description="Default: that of the parent, or the current one.")] = None
    target_parent_id: Id | None = None
    overwrite: bool = False
    remove_secrets: Annotated[bool, Meta(description="False copies the secrets too, which needs `get_secret`.")] = True
    stage: Annotated[bool, Meta(description="True makes the copy a draft.")] = False
    comment: Comment = None


class SetParent(Command, frozen=True, forbid_unknown_fields=True):
    """Move an artifact into another collection of its workspace, or to the top level."""

    artifact_id: Id
    new_parent_id: Annotated[Id | None, Meta(description="Default: no collection, the top level.")] = None
    comment: Comment = None


class SetDownloadWeight(Command, frozen=True, forbid_unknown_fields=True):
    """Set what one download of a path adds to the download count."""

    artifact_id: Id
    file_path: str
    download_weight: Weight


class GetSecret(Command, frozen=True, forbid_unknown_fields=True):
    """Read a secret, or all of them by name."""

    artifact_id: Id
    secret_key: Annotated[str | None, Meta(description="Default: all secrets.")] = None


class SetSecret(Command, frozen=True, forbid_unknown_fields=True):
    """Set a secret, or remove it."""

    artifact_id: Id
    secret_key: str
    secret_value: Annotated[str | None, Meta(description="Null removes the secret.")]

    def __repr__(self) -> str:
        """Name what it is about, without the value."""
        return f"SetSecret({self.artifact_id!r}, {self.secret_key!r})"


class ResetStats(Command, frozen=True, forbid_unknown_fields=True):
    """Set both counters of an artifact back to zero."""

    artifact_id: Id


class History(Command, frozen=True, forbid_unknown_fields=True):
    """Read who did what when, newest first."""

    artifact_id: Id
    kinds: Annotated[str | None, Meta(description='"access" adds views and downloads.')] = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: str | None = None


class Versions(Command, frozen=True, forbid_unknown_fields=True):
    """List the versions of an artifact, oldest first."""

    artifact_id: Id
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: str | None = None
