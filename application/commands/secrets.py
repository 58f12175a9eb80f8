"""The command `set_secret`."""

from application.context import CallContext, Reply
from application.parameters import SetSecret
from application.sealed_secrets import sealed_change
from application.services import Services
from application.targets import Prepared, execute, find_with_stage, unit_of
from application.units import States
from domain.artifact.secrets import check_secret_name, check_secret_value, decide_change_secrets
from domain.events import Outcome
from domain.permissions import Operation, may, require


async def set_secret(services: Services, context: CallContext, parameters: SetSecret) -> Reply:
    """Set a secret, or remove it with a null; needs `set_secret` on the artifact."""
    name, value = check_secret_name(parameters.secret_key), parameters.secret_value
    values = {} if value is None else {name: check_secret_value(name, value)}
    removed = () if values else (name,)

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)
        target = loaded.target
        # Asked before anything is encrypted. The decision asks again.
        require(may(loaded.chain.viewer, Operation.SET_SECRET, loaded.chain.nodes))
        artifact = loaded.chain.artifact
        change = await sealed_change(services, artifact.id, artifact.secrets, values, removed=removed)

        def decide(states: States) -> Outcome:
            return decide_change_secrets(target.chain(states.get), change)

        return Prepared(unit_of(context, target.keys, decide), target)

    executed = await execute(services, prepare)
    return Reply(None, executed.done.position)
