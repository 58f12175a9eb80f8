"""An artifact with its parents, as one caller sees them: what every decision and read is checked against."""

from functools import cached_property
from uuid import UUID

import msgspec

from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError
from domain.permissions import MAX_CHAIN, Node, Viewer, node_of


class Chain(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The artifact, then its parent, up to the root; empty for what is about to be created at top level."""

    viewer: Viewer
    artifacts: tuple[Artifact, ...]

    @property
    def artifact(self) -> Artifact:
        """The artifact itself."""
        return self.artifacts[0]

    @property
    def parent(self) -> Artifact | None:
        """The collection that the artifact is in."""
        return self.artifacts[1] if len(self.artifacts) > 1 else None

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The chain as permissions see it."""
        return tuple(node_of(artifact) for artifact in self.artifacts)

    @cached_property
    def versions(self) -> tuple[tuple[UUID, int], ...]:
        """The artifacts by id and version, which is all that the chain shows of them."""
        return tuple((artifact.id, artifact.version) for artifact in self.artifacts)

    @property
    def above(self) -> "Chain":
        """The chain that begins at the parent."""
        return Chain(viewer=self.viewer, artifacts=self.artifacts[1:])


def check_depth(parents: Chain, levels_below: int = 0) -> None:
    """Refuse a child that would be deeper than a chain may be, or what is below it.

    Raises:
        InvalidArgumentError: The chain of parents is full.
    """
    if len(parents.artifacts) + levels_below >= MAX_CHAIN:
        raise InvalidArgumentError(f"Collections can be nested {MAX_CHAIN} levels deep at most.")
