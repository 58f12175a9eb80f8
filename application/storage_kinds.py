"""Artifacts are stored as files; what belongs to other kinds of storage is refused by name."""

from domain.errors import InvalidArgumentError


def refuse_branch(branch: str | None) -> None:
    """Refuse a git branch: artifacts stored as files have none.

    Raises:
        InvalidArgumentError: A branch was given.
    """
    if branch is not None:
        raise InvalidArgumentError("branch is only for artifacts that are stored in git.")
