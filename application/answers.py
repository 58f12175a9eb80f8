"""The answer to a command that leaves a record: the record as the command itself left it."""

from application.context import Reply
from application.manifests import kept_manifest
from application.ports.statistics import Counts
from application.queries.counters import child_count, counts_of
from application.records import note_unindexed, render
from application.services import Services
from application.targets import Executed
from domain.artifact.chain import Chain
from domain.events import JsonObject
from domain.permissions import Operation, may_read_stage, may_read_version


async def answer(services: Services, executed: Executed, *, is_new: bool = False) -> Reply:
    """Render the record from the states of the command, the stage included if one is open.

    Who may command, but not read, is told the names alone. Of a new artifact nothing has been counted yet.
    """
    chain = executed.chain
    artifact = chain.artifact
    stage = executed.stage
    if not _may_read(chain, is_staged=stage is not None):
        return Reply(_names(chain), executed.done.position)
    record = render(
        chain,
        Counts() if is_new else await counts_of(services, artifact.id),
        children=0 if is_new else await child_count(services, artifact),
        manifest=await kept_manifest(services.log, artifact),
        staged=stage is not None,
        shows_staging=stage is not None,
        stage=stage,
    )
    return Reply(note_unindexed(record, artifact), executed.done.position)


def _may_read(chain: Chain, *, is_staged: bool) -> bool:
    rule = may_read_stage if is_staged else may_read_version
    return bool(rule(chain.viewer, Operation.READ, chain.nodes))


def _names(chain: Chain) -> JsonObject:
    artifact = chain.artifact
    return {
        "id": artifact.full_id,
        "_id": str(artifact.id),
        "workspace": artifact.workspace,
        "alias": artifact.alias,
        "versions": [{"version": entry.name} for entry in artifact.versions],
    }
