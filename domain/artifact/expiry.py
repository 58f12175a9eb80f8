"""When a draft expires, and the decision to let it."""

from collections.abc import Sequence

from domain.artifact.commit import closing_events
from domain.artifact.delete import end_of_life
from domain.artifact.events import StageDiscarded
from domain.artifact.state import Artifact
from domain.artifact.ttl import own_ttl_seconds
from domain.events import Outcome
from domain.ids import StreamId
from domain.stage.events import StageEnded
from domain.stage.state import Stage

EXPIRED = "expired"
_MICROSECONDS = 1_000_000


def ttl_seconds(parents: Sequence[Artifact], default_seconds: int) -> int:
    """Say after how long a draft expires: what the nearest of its collections says that says anything. 0 is never."""
    for parent in parents:
        own = own_ttl_seconds(parent.config)
        if own is not None:
            return own
    return default_seconds


def decide_expiry(
    artifacts: Sequence[Artifact], stage: Stage | None, *, children: int, now: int, default_ttl_seconds: int
) -> Outcome:
    """End a stage that has been idle for too long: a first draft as a whole, of a committed artifact the stage alone.

    `artifacts` are the artifact, then its parents. A change just before, even one in the same batch, keeps the stage.
    A first draft of a collection that has children stays for as long as they do.
    """
    artifact = artifacts[0]
    if artifact.stage is None or stage is None or not stage.is_open:
        return Outcome()
    seconds = ttl_seconds(artifacts[1:], default_ttl_seconds)
    last_activity = max(stage.last_activity, artifact.last_modified)
    if seconds == 0 or now - last_activity < seconds * _MICROSECONDS:
        return Outcome()
    if artifact.is_committed:
        discarded = StageDiscarded(stage_id=stage.id, reason=EXPIRED)
        return closing_events(artifact, stage, discarded, StageEnded(outcome="discarded"))
    if children:
        return Outcome()
    advances: dict[StreamId, int] = {}
    events = end_of_life(artifact, advances, delete_files=True, reason=EXPIRED)
    return Outcome(events=tuple(events), advances=advances)
