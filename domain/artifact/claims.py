"""What an artifact keeps in the object store: everything that a caller can still reach, or might again."""

from uuid import UUID

import msgspec

from domain.artifact.state import Artifact
from domain.stage.state import Stage
from domain.trees import TreeRoot


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The file trees that an artifact names, its stage under way, and the artifacts that its files were lent to.

    Everything that an open stage has written stays until it ends, because an upload is stored before its event, and a
    tree before the commit that names it.
    """

    trees: frozenset[TreeRoot] = frozenset()
    stage_id: UUID | None = None
    borrowers: frozenset[UUID] = frozenset()


def claims_of(artifact: Artifact | None, stage: Stage | None) -> Claims:
    """Say what an artifact keeps; `stage` is the one that the artifact has open.

    A deleted artifact keeps its versions unless its files were given up with it. What it has lent is kept by those who
    borrowed it, whatever became of itself.
    """
    if artifact is None:
        return Claims()
    trees: set[TreeRoot] = set()
    if not artifact.has_given_up_files:
        trees.update(version.tree for version in artifact.versions if version.tree is not None)
    stage_id = None
    if artifact.stage is not None:
        stage_id = artifact.stage.stage_id
        if stage is not None and stage.base is not None:
            # The version that the stage started from may have been deleted since.
            trees.add(stage.base)
    return Claims(trees=frozenset(trees), stage_id=stage_id, borrowers=artifact.borrowers)
