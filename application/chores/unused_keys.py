"""Deletes the keys of artifacts that never came to be."""

from uuid import UUID

from application.chores.turn import Turn
from application.services import Services
from domain.ids import StreamId

UNUSED_AFTER = 24 * 3600 * 1_000_000
"""Microseconds after which a key without an artifact is unused; it is some milliseconds older than its artifact."""
PAGE_KEYS = 200
_PLACE = "after"


async def forget_unused_keys(services: Services, turn: Turn) -> None:
    """Delete the keys that creations left which were refused, or cut off before their event was stored."""
    added_before = services.clock.now() - UNUSED_AFTER
    after: UUID | None = turn.memory.pop(_PLACE, None)
    while await turn.goes_on():
        artifact_ids = await services.vault.artifacts(after, PAGE_KEYS, added_before=added_before)
        if not artifact_ids:
            return
        heads = await services.log.heads([StreamId(artifact_id) for artifact_id in artifact_ids])
        unused = [artifact_id for artifact_id in artifact_ids if not heads[StreamId(artifact_id)].version]
        if unused:
            turn.count("unused keys deleted", len(unused))
            if not turn.is_dry_run:
                await services.vault.forget(unused)
        after = artifact_ids[-1]
    turn.memory[_PLACE] = after
