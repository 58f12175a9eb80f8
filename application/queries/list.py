"""The queries `list` and `search`: answered by the catalog, which shows exactly what the caller may list."""

from collections.abc import Sequence
from uuid import UUID

from application.context import CallContext, Consistency, Reply
from application.parameters import List, Search
from application.ports.catalog import CatalogQuery, CatalogRow
from application.ports.statistics import Counts
from application.queries.counters import child_count
from application.records import pick_fields, render
from application.services import Services
from application.stages import current_stage
from application.targets import current_viewer, load
from domain.artifact.chain import Chain
from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError, PermissionDeniedError, UnavailableError
from domain.events import JsonObject
from domain.filters import ParsedFilters, StageScope, parse_filters, parse_order, resolve_stage
from domain.permissions import Operation, may, may_list, sees_stage

WAIT_SECONDS = 5.0
"""How long a list waits for its read model."""


async def list_artifacts(services: Services, context: CallContext, parameters: List) -> Reply:
    """List the children of a collection (needs `list` on it), or what the caller may list at the top of a workspace."""
    parsed = parse_filters(parameters.filters, _keywords(parameters.keywords), parameters.mode)
    parent = await _parent(services, context, parameters, parsed)
    if parent is not None and not parameters.silent:
        collection = parent.artifact
        await services.accesses.record_view(
            context.actor,
            collection.id,
            workspace=collection.workspace,
            version=None,
            is_counted=True,
            correlation_id=context.correlation_id,
        )
    return await _search(services, context, parameters, parsed, parent, scope="root")


async def search(services: Services, context: CallContext, parameters: Search) -> Reply:
    """Search the children of a collection (needs `list` on it), or all that the caller may list in a workspace."""
    parsed = parse_filters(parameters.filters, _keywords(parameters.keywords), parameters.mode)
    parent = await _parent(services, context, parameters, parsed)
    is_root = parsed.parent is not None and parsed.parent.parent_id is None
    return await _search(services, context, parameters, parsed, parent, scope="root" if is_root else "any")


def _keywords(keywords: list[str] | str | None) -> list[str] | None:
    return [keywords] if isinstance(keywords, str) else keywords


async def _parent(
    services: Services, context: CallContext, parameters: List | Search, parsed: ParsedFilters
) -> Chain | None:
    """Find the collection that is listed, in whichever way it was named, and check that it may be listed."""
    names = [name for name in (parameters.parent_id, parameters.artifact_id) if name is not None]
    if parsed.parent is not None and parsed.parent.parent_id is not None:
        names.append(str(parsed.parent.parent_id))
    chains = [await load(services, context, name) for name in dict.fromkeys(names)]
    if len({chain.artifact.id for chain in chains}) > 1:
        raise InvalidArgumentError("parent_id, artifact_id and the parent_id filter do not agree.")
    if chains and parsed.parent is not None and parsed.parent.parent_id is None:
        raise InvalidArgumentError("parent_id and the parent_id filter do not agree.")
    if not chains:
        return None
    chain = chains[0]
    if not may_list(chain.viewer, chain.nodes):
        refusal = may(chain.viewer, Operation.LIST, chain.nodes).refusal
        raise PermissionDeniedError(refusal or "User does not have permission 'list' on the artifact.")
    return chain


async def _search(
    services: Services,
    context: CallContext,
    parameters: List | Search,
    parsed: ParsedFilters,
    parent: Chain | None,
    *,
    scope: str,
) -> Reply:
    stage = _scope(parameters, parsed)
    if parameters.cursor is not None and parameters.offset:
        raise InvalidArgumentError("cursor and offset cannot be given together.")
    await wait_for_catalog(services, context)
    viewer = parent.viewer if parent else await current_viewer(services, context, context.workspace)
    query = CatalogQuery(
        viewer=viewer,
        workspace=parent.artifact.workspace if parent else context.workspace,
        parent=parent.artifact.id if parent else "root" if scope == "root" else "any",
        filter=parsed.filter,
        order=parse_order(parameters.order_by),
        stage=stage,
        offset=parameters.offset,
        limit=parameters.limit,
        after=parameters.cursor,
        needs_total=parameters.pagination,
    )
    page = await services.catalog.search(query)
    fields = _fields(parameters, parent)
    renderer = _Renderer(services, context, parent, stage)
    items = [await renderer.record(row) for row in page.rows]
    if fields is not None:
        items = [pick_fields(item, fields) for item in items]
    if not parameters.pagination:
        return Reply(items)
    body: JsonObject = {
        "items": items,
        "total": page.total,
        "offset": parameters.offset,
        "limit": parameters.limit,
        "next_cursor": page.next_cursor,
    }
    return Reply(body)


def _scope(parameters: List | Search, parsed: ParsedFilters) -> StageScope:
    # False is the default of the argument: then a filter on the stage says it alone.
    argument = None if parameters.stage is False or parameters.stage == "false" else parameters.stage
    return resolve_stage(argument, parsed.stage)


def _fields(parameters: List | Search, parent: Chain | None) -> Sequence[str] | None:
    if parameters.list_fields is not None:
        return parameters.list_fields
    configured = parent.artifact.config.get("list_fields") if parent else None
    return configured if isinstance(configured, list) else None


async def wait_for_catalog(services: Services, context: CallContext) -> None:
    """Wait until the catalog is as fresh as the caller asks.

    Raises:
        UnavailableError: It is not within the bound.
    """
    position = context.min_position
    if context.consistency is Consistency.STRONG:
        position = max(await services.log.position(), position or 0)  # type: ignore[assignment]  # Positions are ints.
    if position and not await services.catalog.wait_until(position, WAIT_SECONDS):
        raise UnavailableError("The list is not up to date yet; try again in a moment.")


class _Renderer:
    """Renders the rows of one page; parents that they have in common are loaded once."""

    def __init__(self, services: Services, context: CallContext, parent: Chain | None, stage: StageScope) -> None:
        self._services = services
        self._context = context
        self._stage = stage
        self._parents: dict[UUID, tuple[Artifact, ...]] = {}
        if parent is not None:
            self._parents[parent.artifact.id] = parent.artifacts

    async def record(self, row: CatalogRow) -> JsonObject:
        artifact = row.artifact
        viewer = await current_viewer(self._services, self._context, artifact.workspace)
        chain = Chain(viewer=viewer, artifacts=(artifact, *await self._above(artifact.parent_id)))
        shows_stage = (
            self._stage is not StageScope.COMMITTED
            and artifact.stage is not None
            and sees_stage(chain.viewer, chain.nodes)
        )
        stage = await current_stage(self._services, chain) if shows_stage else None
        return render(
            chain,
            Counts(row.view_count, row.download_milli),
            children=await child_count(self._services, artifact),
            staged=not artifact.is_committed,
            shows_staging=shows_stage,
            stage=stage,
        )

    async def _above(self, parent_id: UUID | None) -> tuple[Artifact, ...]:
        if parent_id is None:
            return ()
        if parent_id not in self._parents:
            loaded = await load(self._services, self._context, str(parent_id))
            self._parents[parent_id] = loaded.artifacts
        return self._parents[parent_id]
