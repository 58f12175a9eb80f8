"""Moving an artifact into another collection."""

from collections.abc import Sequence
from typing import Any

import pytest

from domain.artifact.chain import Chain
from domain.artifact.events import ArtifactCreated, MarkedAsCollection, ParentSet
from domain.artifact.lineage import decide_set_parent
from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError, PermissionDeniedError, SchemaViolationError
from domain.events import Outcome
from domain.ids import children_counter
from domain.permissions import MAX_CHAIN, Viewer
from tests.support.given import ADMIN, artifact_of, chain, events_of, refused, uid, user

SCHEMA = {"type": "object", "required": ["license"]}


def made(
    name: str, parent: str | None = None, *, workspace: str = "ws", draft: bool = False, **config: Any
) -> Artifact:
    created = ArtifactCreated(
        workspace=workspace,
        alias=name,
        parent_id=uid(parent) if parent else None,
        manifest={"name": name},
        config=config,
        version_name=None if draft else "v0",
        stage_id=uid(f"{name}-stage") if draft else None,
    )
    return artifact_of([created], name=name)


def below(*names: str, viewer: Viewer = ADMIN, **config: Any) -> Chain:
    """A chain of the named artifacts, from the lowest to the root."""
    pairs = zip(names, [*names[1:], None], strict=True)
    return chain(*(made(name, parent, is_collection=True, **config) for name, parent in pairs), viewer=viewer)


NOWHERE = Chain(viewer=ADMIN, artifacts=())
EVERYTHING: Any = {"permissions": {"bob": "*"}}


def moved(moving: Chain, parents: Chain, levels: int = 0) -> Outcome:
    return decide_set_parent(moving, parents, levels_below=levels)


def test_it_goes_from_one_collection_into_another() -> None:
    outcome = moved(below("data", "old"), below("new"))
    assert events_of(outcome) == [ParentSet(parent_id=uid("new"))]
    assert outcome.advances == {children_counter(uid("old")): -1, children_counter(uid("new")): 1}


def test_it_leaves_the_top_level_and_goes_back_there() -> None:
    outcome = moved(below("data"), below("new"))
    assert outcome.advances == {children_counter(uid("new")): 1}
    outcome = moved(below("data", "old"), NOWHERE)
    assert events_of(outcome) == [ParentSet(parent_id=None)]
    assert outcome.advances == {children_counter(uid("old")): -1}


def test_its_first_child_makes_an_artifact_a_collection() -> None:
    outcome = moved(below("data"), chain(made("plain")))
    assert events_of(outcome) == [ParentSet(parent_id=uid("plain")), MarkedAsCollection()]


@pytest.mark.parametrize(("moving", "parents"), [(("data", "old"), ("old",)), (("data",), ())])
def test_where_it_is_already_nothing_happens(moving: Sequence[str], parents: Sequence[str]) -> None:
    assert moved(below(*moving), below(*parents) if parents else NOWHERE) == Outcome()


def test_the_fold_moves_it() -> None:
    created = ArtifactCreated(workspace="ws", alias="a", parent_id=uid("old"), manifest={}, config={})
    assert artifact_of([created, ParentSet(parent_id=uid("new"))]).parent_id == uid("new")
    assert artifact_of([created, ParentSet(parent_id=None)]).parent_id is None


def test_no_circle_is_made() -> None:
    refused(InvalidArgumentError, lambda: moved(below("data"), below("data")), "cannot be its own parent")
    circle = "this would create a circular dependency"
    refused(InvalidArgumentError, lambda: moved(below("data"), below("child", "data")), circle)
    refused(InvalidArgumentError, lambda: moved(below("data"), below("grandchild", "child", "data")), circle)


def test_the_chain_stays_as_short_as_chains_are() -> None:
    parents = below(*(f"level-{number}" for number in range(MAX_CHAIN - 2)))
    assert events_of(moved(below("data"), parents, 1))
    refused(InvalidArgumentError, lambda: moved(below("data"), parents, 2), f"{MAX_CHAIN} levels deep")
    full = below(*(f"level-{number}" for number in range(MAX_CHAIN)))
    refused(InvalidArgumentError, lambda: moved(below("data"), full), f"{MAX_CHAIN} levels deep")


def test_it_stays_in_its_workspace() -> None:
    other = chain(made("other", workspace="elsewhere"))
    refused(
        InvalidArgumentError, lambda: moved(below("data"), other), "Artifact is in 'ws' but parent is in 'elsewhere'"
    )


def test_what_is_committed_must_conform_to_the_schema_there() -> None:
    strict = chain(made("strict", collection_schema=SCHEMA))
    refused(SchemaViolationError, lambda: moved(below("data"), strict), "license")
    assert events_of(moved(chain(made("draft", draft=True)), strict))


def test_both_collections_are_asked() -> None:
    bob = user("bob")

    def between(old: Any, new: Any) -> Outcome:
        moving = chain(made("data", "old", **EVERYTHING), made("old", **old), viewer=bob)
        return moved(moving, chain(made("new", **new), viewer=bob))

    assert events_of(between(EVERYTHING, EVERYTHING))
    refused(PermissionDeniedError, lambda: between({}, EVERYTHING), "detach artifact from the collection 'old'")
    refused(PermissionDeniedError, lambda: between(EVERYTHING, {}), "attach artifact to the collection 'new'")


def test_it_must_be_readable_itself() -> None:
    moving = chain(made("data", "old"), made("old", permissions={"bob": ["detach"]}), viewer=user("bob"))
    refused(PermissionDeniedError, lambda: moved(moving, below("new", **EVERYTHING, viewer=user("bob"))), "read")


def test_the_top_level_belongs_to_the_workspace() -> None:
    moving = below("data", "old", viewer=user("bob"), **EVERYTHING)
    nowhere = Chain(viewer=user("bob"), artifacts=())
    refused(PermissionDeniedError, lambda: moved(moving, nowhere), "orphan artifact in the workspace 'ws'")


def test_who_lets_writers_from_above_in_must_manage_it() -> None:
    bob = user("bob")
    open_to_writers = chain(made("new", permissions={"bob": "*"}, inherit_writes=True), viewer=bob)
    reader = chain(made("data", "old", permissions={"bob": "r"}), made("old", **EVERYTHING), viewer=bob)
    refused(PermissionDeniedError, lambda: moved(reader, open_to_writers), "needs the level '\\*'")
    owner = chain(made("data", "old", **EVERYTHING), made("old", **EVERYTHING), viewer=bob)
    assert events_of(moved(owner, open_to_writers))
