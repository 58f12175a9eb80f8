"""The decision to set a download weight, and how weights are written."""

from domain.artifact.chain import Chain
from domain.artifact.events import DownloadWeightSet
from domain.errors import InvalidArgumentError
from domain.events import Emit, Outcome
from domain.ids import artifact_key
from domain.paths import parse_path
from domain.permissions import Operation, may, require

ZIP_WEIGHT_PATH = "create-zip-file"
"""The key under which the weight of a whole archive is kept, among the weights of the paths."""

MAX_WEIGHT = 1_000_000
"""The largest weight of one file."""


def to_milli(weight: float, text: str = "Download weight must be non-negative: {weight}") -> int:
    """Turn a weight into thousandths.

    Raises:
        InvalidArgumentError: It is negative, not a number, or too large.
    """
    if not weight >= 0:
        raise InvalidArgumentError(text.format(weight=weight))
    if weight > MAX_WEIGHT:
        raise InvalidArgumentError(f"Download weight must be at most {MAX_WEIGHT}: {weight}")
    return round(weight * 1000)


def parse_weighted_path(text: str) -> str:
    """Parse the path that a weight is for: of a file, or the special one of archives.

    Raises:
        InvalidPathError: It is none.
    """
    return text if text == ZIP_WEIGHT_PATH else parse_path(text)


def decide_set_download_weight(chain: Chain, path: str, weight_milli: int) -> Outcome:
    """Set the weight of a path, which need not exist yet; 0 removes it.

    Raises:
        PermissionDeniedError: The caller may not set weights here.
    """
    artifact = chain.artifact
    require(may(chain.viewer, Operation.SET_DOWNLOAD_WEIGHT, chain.nodes))
    if artifact.download_weights.get(path, 0) == weight_milli:
        return Outcome()
    changed = DownloadWeightSet(path=path, weight_milli=weight_milli)
    emit = Emit(key=artifact_key(artifact.id), event=changed, workspace=artifact.workspace, artifact_id=artifact.id)
    return Outcome(events=(emit,))
