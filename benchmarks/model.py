"""What a benchmark measures with, and what it gives back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.bench import Bench


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the results. `ratio` compares with `floor` as the target does; without a target it only informs."""

    name: str
    measured: str
    floor: str = ""
    ratio: str = ""
    target: str = ""
    is_met: bool | None = None


Measure = Callable[["Bench"], Sequence[Row]]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured. The quick sizes only show that a benchmark works; their rows say so."""

    load_seconds: float
    rounds: int
    clients: int
    calls: int
    batch_paths: int
    uploads: int
    children: tuple[int, ...]
    tree_files: int
    tree_directories: int
    new_files: int
    stream_bytes: int


FULL = Sizes(
    load_seconds=4.0,
    rounds=3,
    clients=32,
    calls=60,
    batch_paths=1_000,
    uploads=10_000,
    children=(10, 1_000, 100_000),
    tree_files=100_000,
    tree_directories=100,
    new_files=100,
    stream_bytes=1024 * 1024 * 1024,
)
QUICK = Sizes(
    load_seconds=1.0,
    rounds=1,
    clients=32,
    calls=10,
    batch_paths=1_000,
    uploads=500,
    children=(10, 100, 2_000),
    tree_files=4_000,
    tree_directories=20,
    new_files=20,
    stream_bytes=64 * 1024 * 1024,
)
