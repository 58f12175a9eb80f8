"""The query `get_secret`."""

from application.context import CallContext, Reply
from application.parameters import GetSecret
from application.services import Services
from application.targets import load
from domain.permissions import Operation, may, require


async def get_secret(services: Services, context: CallContext, parameters: GetSecret) -> Reply:
    """Give the value of a secret (null when there is none), or all secrets by name; needs `get_secret`.

    Raises:
        SecretsUnreadableError: They cannot be decrypted.
    """
    chain = await load(services, context, parameters.artifact_id)
    require(may(chain.viewer, Operation.GET_SECRET, chain.nodes))
    artifact = chain.artifact
    if parameters.secret_key is None:
        return Reply(await services.vault.open(artifact.id, artifact.secrets))
    wanted = {name: value for name, value in artifact.secrets.items() if name == parameters.secret_key}
    return Reply((await services.vault.open(artifact.id, wanted)).get(parameters.secret_key))
