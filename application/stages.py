"""Finds the open stage of an artifact, for reads and for decisions."""

from collections.abc import Collection

from application.services import Services
from application.units import States
from domain.artifact.chain import Chain
from domain.errors import StaleFactsError
from domain.ids import StreamKey, stage_key
from domain.stage.state import Stage


async def current_stage(services: Services, chain: Chain) -> Stage | None:
    """Give the current state of the open stage of an artifact; None when it has none."""
    if chain.artifact.stage is None:
        return None
    key = stage_key(chain.artifact.stage.stage_id)
    stage: Stage | None = (await services.states.get((key,)))[key].state
    return stage


def declared_stage(chain: Chain, keys: Collection[StreamKey], states: States) -> Stage | None:
    """Give the open stage as a decision sees it; None when the artifact has none.

    Raises:
        StaleFactsError: Another stage is open than the one whose stream was declared.
    """
    if chain.artifact.stage is None:
        return None
    key = stage_key(chain.artifact.stage.stage_id)
    if key not in keys:
        raise StaleFactsError
    stage: Stage | None = states.get(key)
    return stage
