"""The queries `list` and `search`: answered by the catalog, which shows exactly what the caller may list."""

from collections.abc import Sequence
from uuid import UUID

from application.context import CallContext, Reply
from application.parameters import List, Search
from application.ports.catalog import CatalogQuery, CatalogRow
from application.ports.statistics import Counts
from application.queries.counters import child_count
from application.queries.freshness import asks_counters, wait_for_catalog, wait_for_counters
from application.records import pick_fields, render
from application.services import Services
from application.stages import current_stage
from application.targets import current_viewer, load
from domain.artifact.chain import Chain
from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError, PermissionDeniedError
from domain.events import JsonObject
from domain.filters import ParsedFilters, StageScope, parse_filters, parse_order, resolve_stage
from domain.permissions import Operation, may, may_list, sees_stage


async def list_artifacts(services: Services, context: CallContext, parameters: List) -> Reply:
    """List the children of a collection (needs `list` on it), or what the caller may list at the top of a workspace."""
    parsed = parse_filters(parameters.filters, _keywords(parameters.keywords), parameters.mode)
    parent = await _parent(services, context, parameters, parsed)
    reply = await _search(services, context, parameters, parsed, parent, scope="root")
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
    return reply


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
    order = parse_order(parameters.order_by)
    await wait_for_catalog(services, context)
    if asks_counters(parsed.filter, order):
        await wait_for_counters(services, context)
    viewer = parent.viewer if parent else await current_viewer(services, context, context.workspace)
    query = CatalogQuery(
        viewer=viewer,
        workspace=parent.artifact.workspace if parent else context.workspace,
        parent=parent.artifact.id if parent else "root" if scope == "root" else "any",
        filter=parsed.filter,
        order=order,
        stage=stage,
        offset=parameters.offset,
        limit=parameters.limit,
        after=parameters.cursor,
        needs_total=parameters.pagination,
    )
    page = await services.catalog.search(query)
    fields = _fields(parameters, parent)
    renderer = _Renderer(services, context, parent, stage)
    # The rows hold the counters as of the read model; these include what this process has counted since.
    counts = await services.statistics.counts([row.artifact.id for row in page.rows])
    items = [await renderer.record(row, counts[row.artifact.id]) for row in page.rows]
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
    stage = {"true": True, "false": False}.get(str(parameters.stage), parameters.stage)
    return resolve_stage(None if stage is False else stage, parsed.stage)


def _fields(parameters: List | Search, parent: Chain | None) -> Sequence[str] | None:
    if parameters.list_fields is not None:
        return parameters.list_fields
    configured = parent.artifact.config.get("list_fields") if parent else None
    return configured if isinstance(configured, list) else None


class _Renderer:
    """Renders the rows of one page; parents that they have in common are loaded once."""

    def __init__(self, services: Services, context: CallContext, parent: Chain | None, stage: StageScope) -> None:
        self._services = services
        self._context = context
        self._stage = stage
        self._parents: dict[UUID, tuple[Artifact, ...]] = {}
        if parent is not None:
            self._parents[parent.artifact.id] = parent.artifacts

    async def record(self, row: CatalogRow, counts: Counts) -> JsonObject:
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
            counts,
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
