"""given / when / then for decisions: past events, a decision, and the events or the refusal that come of it."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid5

import pytest

from domain.artifact.chain import Chain
from domain.artifact.state import Artifact
from domain.artifact.state import evolve as evolve_artifact
from domain.errors import ArtifactManagerError
from domain.events import Event, EventMeta, Outcome
from domain.ids import EventId
from domain.permissions import Viewer
from domain.stage.state import Stage
from domain.stage.state import evolve as evolve_stage

_NAMES = UUID("00000000-0000-0000-0000-00000000aaaa")


def uid(name: str) -> UUID:
    return uuid5(_NAMES, name)


def meta(version: int, *, actor: str = "alice", at: int = 0, comment: str | None = None) -> EventMeta:
    return EventMeta(
        event_id=EventId(uid(f"event-{version}-{actor}")),
        stream_version=version,
        actor=actor,
        recorded_at=at or version * 1_000_000,
        comment=comment,
    )


def artifact_of(events: Sequence[Event], *, name: str = "artifact", comment: str | None = None) -> Artifact:
    state: Artifact | None = None
    for version, event in enumerate(events, start=1):
        state = evolve_artifact(state, event, meta(version, comment=comment), uid(name))
    assert state is not None
    return state


def stage_of(events: Sequence[Event], *, name: str = "stage") -> Stage:
    state: Stage | None = None
    for version, event in enumerate(events, start=1):
        state = evolve_stage(state, event, meta(version), uid(name))
    assert state is not None
    return state


def stage_after(state: Stage, *events: Event) -> Stage:
    for event in events:
        state = evolve_stage(state, event, meta(state.version + 1), state.id)
    return state


ADMIN = Viewer(levels=(("alice",), ("@",), ("*",)), is_workspace_admin=True)


def user(name: str) -> Viewer:
    return Viewer(levels=((name,), ("@",), ("*",)))


def chain(*artifacts: Artifact, viewer: Viewer = ADMIN) -> Chain:
    return Chain(viewer=viewer, artifacts=artifacts)


def events_of(outcome: Outcome) -> list[Event]:
    return [emit.event for emit in outcome.events]


def refused(error: type[ArtifactManagerError], decision: Callable[[], Any], text: str) -> None:
    with pytest.raises(error, match=text):
        decision()
