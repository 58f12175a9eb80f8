"""How a version is named by a caller, and what an edit or a commit will do to which version."""

from domain.artifact.events import StageIntent
from domain.artifact.state import Artifact, VersionEntry
from domain.errors import InvalidArgumentError, VersionNotFoundError
from domain.stage.state import Stage
from domain.trees import TreeRoot

_INDEX_DIGITS = 9


def find_version(artifact: Artifact, version: str | int | None) -> VersionEntry | None:
    """Find a committed version by name, stable index, "latest" or None (the latest).

    A text of digits is an index where no version has it as its name, because a query string has no numbers.
    Returns None only for the latest version of an artifact that has none.

    Raises:
        VersionNotFoundError: There is no such version.
    """
    if version is None or version == "latest":
        return artifact.latest
    if isinstance(version, str):
        for entry in artifact.versions:
            if entry.name == version:
                return entry
    if isinstance(version, int) or (version.isascii() and version.isdigit() and len(version) <= _INDEX_DIGITS):
        found = version_at(artifact, int(version))
        if found is not None:
            return found
    raise VersionNotFoundError(f"Artifact version '{version}' does not exist.")


def version_to_delete(artifact: Artifact, version: str | int) -> VersionEntry:
    """Find a version that is to be deleted, as `find_version` does.

    Raises:
        VersionNotFoundError: There is no such version; its text names those that there are.
    """
    try:
        found = find_version(artifact, version)
    except VersionNotFoundError:
        found = None
    if found is not None:
        return found
    if isinstance(version, int):
        indices = ", ".join(str(entry.index) for entry in artifact.versions)
        raise VersionNotFoundError(f"Version index {version} is out of range. Available indices: {indices or 'none'}")
    names = [entry.name for entry in artifact.versions]
    raise VersionNotFoundError(f"Version '{version}' does not exist. Available versions: {names}")


def is_stage_asked(version: str | int | None, stage: bool) -> bool:
    """Tell whether a read asks for the stage.

    Raises:
        InvalidArgumentError: The stage and another version are asked for together.
    """
    if stage and version not in {None, "stage"}:
        raise InvalidArgumentError("You cannot specify a version when using stage mode.")
    return stage or version == "stage"


def intent_after(artifact: Artifact, version: str | None) -> StageIntent:
    """Give the intent that the stage has after an edit with this `version` argument.

    None keeps the intent of an open stage, and aims at the latest version otherwise. "new" aims at a new version,
    "stage" at the latest, a name at that version.

    Raises:
        InvalidArgumentError: The version is none of these.
    """
    if version is None and artifact.stage is not None:
        return artifact.stage.intent
    if version == "new":
        return StageIntent(is_new_version=True, index=artifact.next_index)
    if version is None or version == "stage":
        latest = artifact.latest
        if latest is None:
            return StageIntent(is_new_version=version is None, index=artifact.next_index)
        return StageIntent(is_new_version=False, index=latest.index)
    for entry in artifact.versions:
        if entry.name == version:
            return StageIntent(is_new_version=False, index=entry.index)
    names = [entry.name for entry in artifact.versions]
    raise InvalidArgumentError(
        f"Invalid version '{version}'. Edit operation only supports: None, 'new', 'stage' "
        f"or an existing version {names}. Custom version names can only be given to commit()."
    )


def version_at(artifact: Artifact, index: int) -> VersionEntry | None:
    """Find a version by its stable index."""
    return next((entry for entry in artifact.versions if entry.index == index), None)


def base_tree(artifact: Artifact, intent: StageIntent, *, copy_files: bool) -> TreeRoot | None:
    """Give the tree that a stage with this intent starts from.

    A new version starts empty, or with the files of the latest version when they are copied.
    """
    entry = artifact.latest if intent.is_new_version else version_at(artifact, intent.index)
    if entry is None or (intent.is_new_version and not copy_files):
        return None
    return entry.tree


def keeps_marks(artifact: Artifact, stage: Stage, version: str | None, base: TreeRoot | None) -> bool:
    """Tell whether what was marked for removal stays marked after an edit with this `version` argument.

    A mark is about a file of the version that the stage aims at: aiming at another one, or at other files, drops it.
    """
    return intent_after(artifact, version).index == stage.index and base == stage.base


def staged_base(artifact: Artifact, stage: Stage, version: str | None, *, copy_files: bool) -> TreeRoot | None:
    """Give the tree that an open stage starts from after an edit with this `version` argument.

    It changes only when the stage is aimed at another version, or when the files are to be copied after all.
    """
    intent = intent_after(artifact, version)
    if version is None or (artifact.stage is not None and intent == artifact.stage.intent and not copy_files):
        return stage.base
    return base_tree(artifact, intent, copy_files=copy_files)
