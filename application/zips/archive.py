"""Archives of an artifact's files, for callers who may download them."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from application.context import CallContext
from application.services import Services
from application.versions import Files, open_files
from application.zips.contents import choose, walk_files
from application.zips.writing import ArchiveWriter, Pages, measure
from domain.access import AccessedFile, AccessKind
from domain.artifact.weights import ZIP_WEIGHT_PATH
from domain.paths import parse_path
from domain.permissions import Operation
from domain.tree_chunks import TreeEntry

_EVERY_FILE = "*"
"""What a token that is a claim on files must name to have them all."""


class Archive:
    """An archive that the caller may have, measured; nothing is recorded until `record` is called.

    `end` are its last bytes. `accessed` are all its files, or those with a weight when it is of a whole version.
    """

    def __init__(
        self,
        services: Services,
        files: Files,
        pages: Pages,
        *,
        size_bytes: int,
        end: bytes,
        accessed: Sequence[AccessedFile],
        is_whole: bool,
    ) -> None:
        self._services = services
        self._files = files
        self._pages = pages
        self.size_bytes = size_bytes
        self.end = end
        self._accessed = tuple(accessed)
        self._is_whole = is_whole

    @property
    def name(self) -> str:
        """The file name of the download."""
        return f"{self._files.chain.artifact.alias}.zip"

    def stream(self) -> AsyncGenerator[bytes, None]:
        """Give the archive in chunks of bounded size, but for its last bytes (`end`)."""
        return ArchiveWriter(self._services.stores, self._pages).stream()

    async def require_room(self) -> None:
        """Ask whether the download can be recorded, before its first byte leaves.

        Raises:
            StorageFullError: There is no space for that.
            UnavailableError: The log cannot be reached, or too many accesses wait.
        """
        await self._services.accesses.require_room()

    async def record(self, context: CallContext, *, is_complete: bool, is_counted: bool) -> None:
        """Record the download, durably: with its weight when it was complete, else with none.

        The special weight of archives replaces those of the files.
        """
        artifact = self._files.chain.artifact
        accessed = self._accessed
        weight = artifact.download_weights.get(ZIP_WEIGHT_PATH)
        if weight is None:
            weight = sum(file.weight_milli for file in accessed)
        await self._services.accesses.record_download(
            context.actor,
            artifact.id,
            workspace=artifact.workspace,
            kind=AccessKind.ZIP,
            version=self._files.version,
            files=accessed,
            weight_milli=weight if is_complete and is_counted else 0,
            is_counted=is_counted,
            is_whole=self._is_whole,
            correlation_id=context.correlation_id,
        )


async def open_archive(
    services: Services,
    context: CallContext,
    artifact_id: str,
    *,
    paths: Sequence[str] = (),
    version: str | int | None = None,
    stage: bool = False,
) -> Archive:
    """Measure an archive of chosen files, or of all, that the caller may download. Nothing is recorded yet.

    Raises:
        PermissionDeniedError: The caller may not download from it.
        FileMissingError: A chosen file does not exist; the text names all that do not.
        VersionNotFoundError: There is no such version.
        TooLargeError: There are more than `MAX_FILES` files.
    """
    parsed = [parse_path(path) for path in paths]
    files = await open_files(
        services, context, artifact_id, version, stage, Operation.GET_FILE, parsed or [_EVERY_FILE]
    )
    chosen = await choose(services, files, parsed) if parsed else None

    def pages() -> AsyncIterator[Sequence[TreeEntry]]:
        return walk_files(services.trees, files) if chosen is None else _single(chosen)

    weights = files.chain.artifact.download_weights
    accessed: list[AccessedFile] = []

    def see(entry: TreeEntry) -> None:
        weight = weights.get(entry.path, 0)
        # Of a whole version the event names only what counts: the version says which files these are.
        if weight or chosen is not None:
            accessed.append(AccessedFile(path=entry.path, weight_milli=weight))

    measures = await measure(pages, see)
    return Archive(
        services,
        files,
        pages,
        size_bytes=measures.size_bytes,
        end=measures.end,
        accessed=accessed,
        is_whole=chosen is None,
    )


async def _single(page: Sequence[TreeEntry]) -> AsyncIterator[Sequence[TreeEntry]]:
    yield page
