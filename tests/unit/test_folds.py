"""Every kind of stream that is loaded has a fold."""

from contextlib import suppress
from uuid import uuid4

import pytest

from domain.artifact.events import ArtifactCreated
from domain.artifact.state import Artifact
from domain.folds import NEVER_FOLDED, fold
from domain.ids import StreamKind
from tests.support.event_log import Added, key, new_event


@pytest.mark.parametrize("kind", sorted(set(StreamKind) - NEVER_FOLDED))
def test_each_kind_has_a_fold(kind: StreamKind) -> None:
    # A fold may refuse an event of another kind; a kind without a fold would be a KeyError.
    stream = key(kind=kind)
    with suppress(ValueError):
        fold(kind, None, Added(amount=1), new_event(stream, 1).meta, stream.id)


def test_a_fold_gives_the_state_of_its_kind() -> None:
    created = ArtifactCreated(workspace="w", alias="a", manifest={}, config={})
    artifact_id = uuid4()
    state = fold(StreamKind.ARTIFACT, None, created, new_event(key(), 1).meta, artifact_id)
    assert isinstance(state, Artifact)
    assert state.id == artifact_id


def test_accesses_are_never_folded() -> None:
    stream = key(kind=StreamKind.ACCESS)
    with pytest.raises(KeyError):
        fold(StreamKind.ACCESS, None, Added(amount=1), new_event(stream, 1).meta, stream.id)
