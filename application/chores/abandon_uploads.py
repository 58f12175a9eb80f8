"""The chore that ends uploads in parts whose time is over, and removes the parts of those that ended."""

from uuid import UUID

from application.chores.turn import Turn
from application.ports.object_store import PendingObject
from application.services import Services
from application.units import States, Unit
from domain.actor import JANITOR
from domain.artifact.state import Artifact
from domain.events import Outcome
from domain.ids import artifact_key, stage_key
from domain.stage.multipart import decide_expire_upload
from domain.stage.state import Stage

PAGE = 100
STARTING_SECONDS = 900
"""An upload is begun in the store before its event is appended; one so young may be between the two."""
COMMENT = "Nobody completed the upload in its time."
_MICROSECONDS = 1_000_000


async def abandon_uploads(services: Services, turn: Turn) -> None:
    """Look at every upload in parts that the store holds, and end those that no open stage goes on with.

    What was committed, discarded, replaced or removed needs no event, for it has one; an upload that has expired gets
    its own. One that is being completed is left alone.
    """
    after: PendingObject | None = None
    while True:
        page = await services.objects.list_multipart(after=after, limit=PAGE)
        for pending in page:
            if not await turn.goes_on():
                return
            await _look_at(services, turn, pending)
        if len(page) < PAGE:
            return
        after = page[-1]


async def _look_at(services: Services, turn: Turn, pending: PendingObject) -> None:
    place = _place_of(pending.key)
    if place is None:
        return
    stage_id, upload_id = place
    if services.completions.is_under_way(lambda key: key[1] == upload_id):
        return
    now = services.clock.now()
    key = stage_key(stage_id)
    stage: Stage | None = (await services.states.get((key,)))[key].state
    if stage is not None and upload_id in stage.uploads:
        if not await expire_upload(services, stage, upload_id, now, is_dry_run=turn.is_dry_run):
            return
        turn.count("uploads expired")
    elif now - pending.started_at < STARTING_SECONDS * _MICROSECONDS:
        return
    turn.count("uploads removed")
    if not turn.is_dry_run:
        await services.objects.abort_multipart(pending.key, pending.upload_id)


async def expire_upload(
    services: Services, stage: Stage, upload_id: UUID, now: int, *, is_dry_run: bool = False
) -> bool:
    """Abandon an open upload whose time is over, as an event; tell whether it was."""
    owner_key, key = artifact_key(stage.artifact_id), stage_key(stage.id)
    artifact: Artifact = (await services.states.get((owner_key,)))[owner_key].state
    found = Outcome()

    def decide(states: States) -> Outcome:
        nonlocal found
        found = decide_expire_upload(states.get(key), upload_id, artifact.workspace, now)
        return Outcome() if is_dry_run else found

    unit = Unit(
        keys=(key,),
        decide=decide,
        actor=JANITOR.user_id,
        correlation_id=str(services.ids.uuid7()),
        comment=COMMENT,
    )
    await services.writer.execute(unit)
    return bool(found.events)


def _place_of(key: str) -> tuple[UUID, UUID] | None:
    """Read stage and upload from the key of an object: `{artifact}/v{index}-{stage}/{upload}`."""
    try:
        _, stage, upload = key.split("/")
        return UUID(stage.partition("-")[2]), UUID(upload)
    except ValueError:
        return None
