"""What the steps of one run share."""

from dataclasses import dataclass, field
from typing import Any

from api.cli.demo.client import Client
from api.cli.demo.data import DemoFile
from api.cli.demo.report import Report

Record = dict[str, Any]
"""An artifact record as the service answers it."""

MANIFEST: Record = {
    "name": "Planetary positions",
    "description": "Where the eight planets are, day by day",
    "tags": ["astronomy", "ephemeris"],
    "planet_count": 8,
}


@dataclass
class Job:
    """One run. `suffix` keeps its aliases apart from those of other runs; ids are the full ones that came back."""

    client: Client
    anonymous: Client
    report: Report
    files: dict[str, DemoFile]
    suffix: str
    gallery: Record = field(default_factory=dict)
    dataset: Record = field(default_factory=dict)
    old_put_urls: dict[str, str] = field(default_factory=dict)

    @property
    def gallery_id(self) -> str:
        """Full id of the collection."""
        return str(self.gallery["id"])

    @property
    def dataset_id(self) -> str:
        """Full id of the dataset."""
        return str(self.dataset["id"])

    @property
    def dataset_path(self) -> str:
        """Where the REST interface has the dataset."""
        return f"/{self.dataset['workspace']}/artifacts/{self.dataset['alias']}"


def names(entries: list[Record]) -> list[str]:
    """Names of listed files, in order of the alphabet."""
    return sorted(str(entry["name"]) for entry in entries)
