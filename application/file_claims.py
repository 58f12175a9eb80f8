"""Whether a caller may use one file: what a token that is a claim on files is checked against."""

from application.context import CallContext
from application.services import Services
from application.targets import load
from domain.permissions import Operation, may_access_file


async def may_use_file(
    services: Services, context: CallContext, operation: Operation, artifact_id: str, path: str
) -> bool:
    """Tell whether the caller may `get_file` or `put_file` this path (`*`: any) of an artifact now.

    Raises:
        ArtifactNotFoundError: There is no such artifact.
        InvalidIdError: The text is no id.
    """
    chain = await load(services, context, artifact_id)
    return bool(may_access_file(chain.viewer, operation, chain.nodes, full_id=chain.artifact.full_id, path=path))
