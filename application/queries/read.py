"""The query `read`: one record, from the aggregate itself, always current."""

from application.context import CallContext, Reply
from application.manifests import kept_manifest, manifest_of
from application.parameters import Read
from application.ports.statistics import Counts
from application.queries.counters import child_count, counts_of
from application.records import render
from application.services import Services
from application.stages import current_stage
from application.targets import load
from domain.artifact.chain import Chain
from domain.artifact.state import VersionEntry
from domain.artifact.versions import find_version, is_stage_asked
from domain.events import JsonObject
from domain.permissions import Operation, may_read_stage, may_read_version, require

METADATA_FIELDS = ("view_count", "download_count", "file_count", "created_at", "last_modified", "created_by")
"""What `include_metadata` adds to the manifest, each with a "." before its name."""


async def read(services: Services, context: CallContext, parameters: Read) -> Reply:
    """Read a record; counts a view unless silent. The stage is for those who may edit, and for reviewers.

    Raises:
        VersionNotFoundError: There is no such version.
    """
    is_stage = is_stage_asked(parameters.version, parameters.stage)
    chain = await load(services, context, parameters.artifact_id)
    if is_stage:
        require(may_read_stage(chain.viewer, Operation.READ, chain.nodes))
    else:
        require(may_read_version(chain.viewer, Operation.READ, chain.nodes))
    artifact = chain.artifact
    entry = None if is_stage else find_version(artifact, parameters.version)
    await services.accesses.record_view(
        context.actor,
        artifact.id,
        workspace=artifact.workspace,
        version=entry.name if entry else "stage",
        is_counted=not parameters.silent,
        correlation_id=context.correlation_id,
    )
    counts = await counts_of(services, artifact.id)
    children = await child_count(services, artifact)
    if is_stage or entry != artifact.latest or not artifact.is_committed or parameters.include_metadata:
        record = await record_of(services, chain, entry, is_stage=is_stage, children=children)
        record["download_count"], record["view_count"] = counts.downloads_milli / 1000, float(counts.views)
        if parameters.include_metadata:
            record["manifest"] = _with_metadata(record)
        return Reply(record)
    # The counters are put in each time; everything else follows from the viewer and the versions of the chain.
    key = (chain.viewer, chain.versions, children)
    return Reply(services.records.get(key, counts, lambda: render(chain, counts, children=children)))


async def record_of(
    services: Services, chain: Chain, entry: VersionEntry | None, *, is_stage: bool, children: int | None
) -> JsonObject:
    """Render the record of a version, or of the stage, without its counters; rights are not asked."""
    artifact = chain.artifact
    if is_stage or not artifact.is_committed:
        return render(
            chain,
            Counts(),
            children=children,
            manifest=await kept_manifest(services.log, artifact),
            staged=True,
            shows_staging=is_stage,
            stage=await current_stage(services, chain),
        )
    manifest = await manifest_of(services.log, artifact, entry) if entry else None
    return render(chain, Counts(), children=children, entry=entry, manifest=manifest)


def _with_metadata(record: JsonObject) -> JsonObject:
    statistics = {f".{name}": record[name] for name in METADATA_FIELDS}
    return {**record["manifest"], **statistics}
