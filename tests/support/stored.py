"""Looking at the files of a directory store from outside."""

from pathlib import Path

from adapters.object_store.disk import TRAILER


def objects_of(data_dir: Path, artifact_id: str | None = None) -> dict[str, int]:
    """Give the keys of the stored objects, and the size of each; of one artifact or of all."""
    root = data_dir / "objects" / "objects"
    start = root / artifact_id if artifact_id else root
    return {
        str(path.relative_to(root)): path.stat().st_size - TRAILER.size for path in start.rglob("*") if path.is_file()
    }
