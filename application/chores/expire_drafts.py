"""The chore that ends drafts and staged edits that nobody has worked on for long."""

from uuid import UUID

from application.chores.turn import Turn
from application.context import CallContext
from application.ports.stages import IdleStage
from application.services import Services
from application.stages import declared_stage
from application.targets import Prepared, execute, find_with_stage, unit_of
from application.units import States
from domain.actor import ANONYMOUS_WORKSPACE, JANITOR
from domain.artifact.events import ArtifactDeleted
from domain.artifact.expiry import decide_expiry
from domain.errors import ArtifactNotFoundError
from domain.events import Outcome
from domain.ids import alias_key, children_counter

PAGE = 100
COMMENT = "Nobody worked on the draft for so long that it has expired."
_MICROSECONDS = 1_000_000
_PLACE = "place"


async def expire_drafts(services: Services, turn: Turn) -> None:
    """End the stages that are idle for longer than their collection allows; a first draft goes as a whole.

    Candidates come from a read model that knows when each open stage was last changed; the decision itself is made on
    the current states, so whoever uploads just before wins.
    """
    default = services.settings.draft_ttl_seconds
    shortest = await services.stages.shortest_ttl_seconds()
    if shortest is None or 0 < default < shortest:
        shortest = default
    if shortest == 0:
        return
    while await turn.goes_on():
        before = services.clock.now() - shortest * _MICROSECONDS
        place: IdleStage | None = turn.memory.get(_PLACE)
        page = await services.stages.idle(before, after=place, limit=PAGE)
        for candidate in page:
            if not await turn.goes_on():
                return
            await _expire(services, turn, candidate.artifact_id)
            turn.memory[_PLACE] = candidate
        if len(page) < PAGE:
            turn.memory.pop(_PLACE, None)
            return


async def _expire(services: Services, turn: Turn, artifact_id: UUID) -> None:
    context = CallContext(actor=JANITOR, workspace=ANONYMOUS_WORKSPACE, correlation_id=str(services.ids.uuid7()))
    found = Outcome()

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, str(artifact_id))
        target, artifact = loaded.target, loaded.chain.artifact
        keys = (*loaded.keys, alias_key(artifact.workspace, artifact.alias))
        now = services.clock.now()

        def decide(states: States) -> Outcome:
            nonlocal found
            chain = target.chain(states.get)
            found = decide_expiry(
                chain.artifacts,
                declared_stage(chain, keys, states),
                children=states.children(artifact_id),
                now=now,
                default_ttl_seconds=services.settings.draft_ttl_seconds,
            )
            return Outcome() if turn.is_dry_run else found

        unit = unit_of(context, keys, decide, comment=COMMENT, counters=(children_counter(artifact_id),))
        return Prepared(unit, target)

    try:
        await execute(services, prepare)
    except ArtifactNotFoundError:
        # It is gone since the read model was asked, or one of its collections is.
        return
    if found.events:
        is_whole = isinstance(found.events[0].event, ArtifactDeleted)
        turn.count("drafts expired" if is_whole else "staged edits expired")
