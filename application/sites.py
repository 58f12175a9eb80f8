"""Opens the pages of sites: files of an artifact, as they are or rendered as templates."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from application.builtin_site import BUILTIN_PAGE
from application.content_types import guess
from application.context import CallContext
from application.file_access import OpenFile
from application.queries.counters import child_count, counts_of
from application.queries.read import record_of
from application.services import Services
from application.targets import load
from application.versions import Files, find_existing, open_files
from domain.access import AccessKind
from domain.artifact.state import Artifact, effective
from domain.artifact.versions import find_version, is_stage_asked
from domain.artifact.view import View, placed_view, view_of
from domain.errors import FileMissingError, TemplateFailedError
from domain.events import JsonObject
from domain.paths import parse_path
from domain.permissions import Operation
from domain.permissions.verdicts import AUTHENTICATED, EVERYBODY
from domain.stage.events import StoredFile

MAX_TEMPLATE_BYTES: Final = 1024 * 1024


class Site(NamedTuple):
    """A site whose pages a caller may see. `address` is the path below which it is shown, with a slash at its end."""

    services: Services
    context: CallContext
    files: Files
    view: View
    is_stage: bool
    address: str
    origin: str


class DirectoryFound(NamedTuple):
    """What is shown is a directory, whose address ends with a slash."""


class RenderedPage(NamedTuple):
    """A page made from a template."""

    path: str
    content_type: str
    body: bytes
    modified_at: int

    @property
    def etag(self) -> str:
        """The bare entity tag, made of what the page says."""
        return hashlib.sha256(self.body).hexdigest()[:32]

    @property
    def size_bytes(self) -> int:
        """The size of the page."""
        return len(self.body)

    async def stream(self, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Give the bytes."""
        yield self.body[start:] if length is None else self.body[start : start + length]


async def open_site(
    services: Services,
    context: CallContext,
    artifact_id: str,
    path: str,
    *,
    version: str | int | None,
    stage: bool,
    address: str,
    origin: str,
) -> Site:
    """Open a site for a caller who may download its page at `path`. Nothing is recorded yet.

    Raises:
        PermissionDeniedError: The caller may not download from the artifact, or not see its stage.
        NotFoundError: There is no such artifact or version, or it is not to be shown.
        InvalidStateError: It is no site.
    """
    is_stage = is_stage_asked(version, stage)
    named = (await load(services, context, artifact_id)).artifact
    placed = placed_view(_config(named, is_stage=is_stage or not named.is_committed))
    wanted = placed.inside(placed.page(path))
    files = await open_files(services, context, artifact_id, version, stage, Operation.GET_FILE, [wanted])
    artifact = files.chain.artifact
    shows_stage = is_stage or not artifact.is_committed
    content = effective(artifact)
    kind = content.type if shows_stage and content.type is not UNSET else artifact.type
    view = view_of(_config(artifact, is_stage=shows_stage), str(kind))
    return Site(services, context, files, view, is_stage, address, origin)


async def _record_visit(site: Site, path: str) -> None:
    """Record that a page was seen, which counts as a view."""
    artifact = site.files.chain.artifact
    await site.services.accesses.record_view(
        site.context.actor,
        artifact.id,
        workspace=artifact.workspace,
        version=site.files.version,
        kind=AccessKind.SITE,
        is_counted=True,
        path=path,
        correlation_id=site.context.correlation_id,
    )


async def open_page(site: Site, path: str, *, is_visit: bool) -> OpenFile | RenderedPage | DirectoryFound:
    """Open what a path of a site shows: a file, a rendered template, or the index of a directory.

    A visit is recorded before its page is made, so that the page tells of it.

    Raises:
        FileMissingError: The site has no such page.
        TemplateFailedError: The page cannot be made from its template.
    """
    view = site.view
    page = view.page(path)
    if view.is_builtin and page == view.index:
        if is_visit:
            await _record_visit(site, page)
        return await _rendered(site, page, BUILTIN_PAGE)
    target = parse_path(view.inside(page))
    index = f"{target}/{view.index}"
    found = await find_existing(site.services, site.files, [target, index])
    if target not in found:
        if index in found:
            return DirectoryFound()
        raise FileMissingError(f"There is no page '{page}' in this site.")
    if is_visit:
        await _record_visit(site, target)
    if page not in view.templates:
        return OpenFile(site.services, site.files, target, found[target])
    return await _rendered(site, page, await _source(site, page, found[target]))


async def open_error_page(site: Site) -> OpenFile | RenderedPage | None:
    """Open the page that a site shows where it has none; None when it has no such page either."""
    if site.view.error_page is None:
        return None
    try:
        page = await open_page(site, site.view.error_page, is_visit=False)
    except (FileMissingError, TemplateFailedError):
        return None
    return None if isinstance(page, DirectoryFound) else page


async def _source(site: Site, page: str, file: StoredFile) -> str:
    if file.size_bytes > MAX_TEMPLATE_BYTES:
        raise TemplateFailedError(f"The template '{page}' is larger than {MAX_TEMPLATE_BYTES} bytes.")
    try:
        return (await site.services.stores.at(file.store).get(file.key)).decode()
    except UnicodeDecodeError:
        raise TemplateFailedError(f"The template '{page}' is not UTF-8.") from None


async def _rendered(site: Site, page: str, source: str) -> RenderedPage:
    owner = str(site.files.chain.artifact.id)
    body = await site.services.templates.render(source, await _variables(site), owner)
    return RenderedPage(page, guess(page), body, site.services.clock.now())


async def _variables(site: Site) -> dict[str, Any]:
    """Name what a template may use: by the names that the documentation has, and those of existing templates.

    Nothing but the user depends on who looks: a page could send on what is shown to him alone.
    """
    services, artifact = site.services, site.files.chain.artifact
    shows_stage = site.is_stage or site.files.stage is not None
    entry = None if shows_stage else find_version(artifact, site.files.version)
    record = await record_of(
        services,
        site.files.chain,
        entry,
        is_stage=site.is_stage,
        children=await child_count(services, artifact),
    )
    counts = await counts_of(services, artifact.id)
    record["view_count"], record["download_count"] = counts.views, counts.downloads_milli / 1000
    record["config"] = {**record["config"], "permissions": _for_everybody(record["config"]["permissions"])}
    record["_permissions"] = _for_everybody(record["_permissions"])
    actor = site.context.actor
    # No address to write to: the author of a page is not owed it.
    user = None if actor.is_anonymous else {"id": actor.effective_id, "is_anonymous": False}
    public, local = services.urls.public_base_url, services.urls.local_base_url
    return {
        "MANIFEST": record["manifest"],
        "CONFIG": record["config"],
        "BASE_URL": site.address,
        "PUBLIC_BASE_URL": public,
        "LOCAL_BASE_URL": local,
        "WORKSPACE": artifact.workspace,
        "VIEW_COUNT": counts.views,
        "DOWNLOAD_COUNT": record["download_count"],
        "USER": user,
        "artifact": record,
        "public_base_url": public,
        "local_base_url": local,
        "view_base_url": f"{site.origin}{site.address}".rstrip("/"),
        "artifact_base_url": f"{public}/{artifact.workspace}/artifacts/{artifact.alias}",
        "workspace": artifact.workspace,
        "user": user,
        "metadata": site.view.metadata,
    }


def _for_everybody(grants: Mapping[str, Any]) -> JsonObject:
    return {subject: entry for subject, entry in grants.items() if subject in (EVERYBODY, AUTHENTICATED)}


def _config(artifact: Artifact, *, is_stage: bool) -> JsonObject:
    config = effective(artifact).config if is_stage else artifact.config
    return artifact.config if isinstance(config, msgspec.UnsetType) else config
