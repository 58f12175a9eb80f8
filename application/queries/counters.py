"""The numbers beside an artifact: views, downloads and children."""

from uuid import UUID

from application.ports.statistics import Counts
from application.records import is_collection
from application.services import Services
from domain.artifact.state import Artifact
from domain.ids import children_counter


async def counts_of(services: Services, artifact_id: UUID) -> Counts:
    """Give the counters of one artifact."""
    statistics = services.statistics
    return statistics.known(artifact_id) or (await statistics.counts((artifact_id,)))[artifact_id]


async def child_count(services: Services, artifact: Artifact) -> int | None:
    """Give the number of children of a collection, those staged and hidden included; None for other artifacts."""
    if not is_collection(artifact):
        return None
    counter = children_counter(artifact.id)
    return (await services.log.heads((counter,)))[counter].children
