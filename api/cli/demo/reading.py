"""Finding, reading and downloading what was committed, and what was counted by it."""

import hashlib
from typing import Any

import msgspec

from api.cli.demo.job import MANIFEST, Job, names
from api.cli.demo.report import expect


def list_gallery(job: Job) -> None:
    """List the collection."""
    job.report.step("List the gallery")
    page = job.client.call("list", parent_id=job.gallery_id, pagination=True)
    expect("ids in the gallery", [item["id"] for item in page["items"]], [job.dataset_id])
    expect("total of the page", page["total"], 1)
    job.report.result(f"1 dataset: {page['items'][0]['manifest']['name']}")


def search_gallery(job: Job) -> None:
    """Search by keyword, by filter and by both; look for something that is not there."""
    job.report.step("Search it by keyword and by filter")
    searches: dict[str, dict[str, Any]] = {
        "keyword 'EPHEM'": {"keywords": ["EPHEM"]},
        "filter planet_count = 8": {"filters": {"manifest": {"planet_count": 8}}},
        "both": {"keywords": ["positions"], "filters": {"manifest": {"name": "Planetary*"}}, "mode": "AND"},
    }
    for label, arguments in searches.items():
        found = job.client.call("search", parent_id=job.gallery_id, **arguments)
        expect(f"search by {label}", [item["id"] for item in found], [job.dataset_id])
    nothing = job.client.call("search", parent_id=job.gallery_id, keywords=["comet"])
    expect("search for a word that is not there", nothing, [])
    job.report.result(f"found by {', '.join(searches)}; nothing by keyword 'comet'")


def read_record(job: Job) -> None:
    """Read the record twice, by method and by REST, and once without being counted."""
    job.report.step("Read its record, and one of its files as JSON")
    record = job.client.call("read", artifact_id=job.dataset_id)
    expect("manifest", record["manifest"], MANIFEST)
    job.client.get(job.dataset_path)
    job.client.call("read", artifact_id=job.dataset_id, silent=True)
    moons = job.client.call("read_file", artifact_id=job.dataset_id, file_path="moons.json", format="json")
    expect("content of moons.json", moons["content"], msgspec.json.decode(job.files["moons.json"].path.read_bytes()))
    job.report.result(f"{record['manifest']['name']!r}; moons.json has {len(moons['content'])} planets")


def download_files(job: Job) -> None:
    """Download through presigned URLs, and compare digests."""
    job.report.step("Download through presigned URLs and compare SHA-256")
    urls = {"planets.csv": job.client.call("get_file", artifact_id=job.dataset_id, file_path="planets.csv")}
    batch = ["orbits.png", "positions.csv"]
    urls.update(job.client.call("get_file", artifact_id=job.dataset_id, file_path=batch))
    for name, url in urls.items():
        expect(f"SHA-256 of {name}", job.client.digest(url), job.files[name].sha256)
    job.report.result(f"{', '.join(urls)}: every byte as it was sent")

    job.report.step("Ask for bytes 100 to 199 of positions.csv only")
    part = job.client.download(urls["positions.csv"], "100-199")
    size = job.files["positions.csv"].size_bytes
    expect("status", part.status_code, 206)
    expect("Content-Range", part.headers["Content-Range"], f"bytes 100-199/{size}")
    with job.files["positions.csv"].path.open("rb") as file:
        file.seek(100)
        expect("the bytes", part.content, file.read(100))
    job.report.result(f"206, {part.headers['Content-Range']}")


def use_files_endpoint(job: Job) -> None:
    """List and fetch files by their REST paths."""
    job.report.step(f"List and fetch files at {job.dataset_path}/files/")
    listed = job.client.get(f"{job.dataset_path}/files/").json()
    expect("names", names(listed), sorted(job.files))
    notes = job.client.get(f"{job.dataset_path}/files/notes.txt", params={"use_proxy": "true"})
    expect("SHA-256 of notes.txt", hashlib.sha256(notes.content).hexdigest(), job.files["notes.txt"].sha256)
    job.report.result(f"{len(listed)} entries; notes.txt came as {notes.headers['Content-Type']}")


def check_counts(job: Job) -> None:
    """Compare the counters with what this run has done: two views, and downloads by weight."""
    job.report.step("Look at the counters")
    record = job.client.call("read", artifact_id=job.dataset_id, silent=True)
    expect("view_count after 2 reads that count", record["view_count"], 2)
    expect("download_count of 0.5 + 0.25 + 1 + 0.25", record["download_count"], 2.0)
    job.report.result(f"view_count {record['view_count']:g}, download_count {record['download_count']:g}: exact")


def run(job: Job) -> None:
    """Run the steps of this part."""
    steps = (list_gallery, search_gallery, read_record, download_files, use_files_endpoint, check_counts)
    for step in steps:
        step(job)
