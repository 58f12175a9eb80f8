"""The query `versions`: all versions of an artifact, page by page."""

from application.context import CallContext, Reply
from application.parameters import Versions
from application.records import version_record
from application.services import Services
from application.targets import load
from domain.errors import InvalidArgumentError
from domain.permissions import Operation, may_read_version, require


async def versions(services: Services, context: CallContext, parameters: Versions) -> Reply:
    """List versions, oldest first; needs `read`. The cursor is the index of the last version of the page before."""
    chain = await load(services, context, parameters.artifact_id)
    require(may_read_version(chain.viewer, Operation.READ, chain.nodes))
    after = -1
    if parameters.cursor is not None:
        if not (parameters.cursor.isascii() and parameters.cursor.isdigit() and len(parameters.cursor) < 19):
            raise InvalidArgumentError("The cursor is not one that this service gave.")
        after = int(parameters.cursor)
    left = [entry for entry in chain.artifact.versions if entry.index > after]
    page = left[: parameters.limit]
    return Reply(
        {
            "items": [{**version_record(entry), "index": entry.index} for entry in page],
            "total": len(chain.artifact.versions),
            "next_cursor": str(page[-1].index) if len(left) > len(page) else None,
        }
    )
