"""The files of the demo: small real ones that come with the package, and one that is computed from them."""

import csv
import hashlib
import math
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import msgspec

COMPUTED_SIZE_BYTES = 20 * 1024 * 1024
"""Large enough for the progress bar to move, small enough for the demo to end soon."""

_CHUNK_BYTES = 256 * 1024


class DemoFile(msgspec.Struct, frozen=True, kw_only=True):
    """A local file, and what a faithful copy of it must have. `weight` is what one download adds to the count."""

    path: Path
    size_bytes: int
    sha256: str
    weight: float = 0.0

    def chunks(self) -> Iterator[bytes]:
        """Read it piece by piece."""
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk


def prepare(folder: Path, computed_size_bytes: int = COMPUTED_SIZE_BYTES) -> dict[str, DemoFile]:
    """Lay all files into a folder; give them by name. The computed one has about that size."""
    for source in resources.files("api.cli.demo").joinpath("files").iterdir():
        (folder / source.name).write_bytes(source.read_bytes())
    _compute_positions(folder / "planets.csv", folder / "positions.csv", computed_size_bytes)
    weights = {"planets.csv": 0.5, "orbits.png": 0.25, "positions.csv": 1.0}
    return {path.name: describe(path, weights.get(path.name, 0.0)) for path in sorted(folder.iterdir())}


def describe(path: Path, weight: float = 0.0) -> DemoFile:
    """Measure a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return DemoFile(path=path, size_bytes=path.stat().st_size, sha256=digest.hexdigest(), weight=weight)


def _compute_positions(elements: Path, target: Path, size_bytes: int) -> None:
    with elements.open(newline="") as file:
        planets = [
            (
                row["name"],
                float(row["semi_major_axis_au"]),
                float(row["orbital_period_days"]),
                float(row["eccentricity"]),
            )
            for row in csv.DictReader(file)
        ]
    written = 0
    day = 0
    with target.open("wb") as out:
        written += out.write(b"planet,day,x_au,y_au\n")
        while written < size_bytes:
            lines = [
                "{},{},{:.6f},{:.6f}\n".format(name, day, *_position(axis, period, eccentricity, day))
                for name, axis, period, eccentricity in planets
            ]
            written += out.write("".join(lines).encode())
            day += 1


def _position(axis: float, period_days: float, eccentricity: float, day: int) -> tuple[float, float]:
    """Solve Kepler's equation by Newton's method; four rounds are exact to the digits that are written."""
    mean = math.tau * (day % period_days) / period_days
    anomaly = mean
    for _ in range(4):
        anomaly -= (anomaly - eccentricity * math.sin(anomaly) - mean) / (1 - eccentricity * math.cos(anomaly))
    flattened = math.sqrt(1 - eccentricity * eccentricity)
    return axis * (math.cos(anomaly) - eccentricity), axis * flattened * math.sin(anomaly)
