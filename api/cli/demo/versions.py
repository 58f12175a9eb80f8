"""A second version, what stays of the first, and a stage that is thrown away."""

from pathlib import Path

from api.cli.demo.data import DemoFile, describe
from api.cli.demo.job import MANIFEST, Job, names
from api.cli.demo.report import expect, expect_true


def _note(folder: Path, name: str, text: str) -> DemoFile:
    path = folder / name
    path.write_text(text)
    return describe(path)


def release_second_version(job: Job, folder: Path) -> None:
    """Stage a new version, fill it, and commit it under a name."""
    job.report.step("Stage a new version, upload one file, commit it as v2.0")
    manifest = {**MANIFEST, "description": "Where the eight planets are, revised"}
    job.client.call("edit", artifact_id=job.dataset_id, manifest=manifest, stage=True, version="new")
    revised = _note(
        folder, "planets-revised.csv", job.files["planets.csv"].path.read_text().replace("0.387", "0.38710")
    )
    url = job.client.call("put_file", artifact_id=job.dataset_id, file_path="planets.csv")
    job.client.upload(url, revised)
    committed = job.client.call("read", artifact_id=job.dataset_id, silent=True)
    expect("description while the new version is staged", committed["manifest"], MANIFEST)
    record = job.client.call("commit", artifact_id=job.dataset_id, version="v2.0", comment="Revised elements")
    expect("versions", [version["version"] for version in record["versions"]], ["v0", "v2.0"])
    expect("description", record["manifest"], manifest)
    url = job.client.call("get_file", artifact_id=job.dataset_id, file_path="planets.csv", silent=True)
    expect("SHA-256 of planets.csv in v2.0", job.client.digest(url), revised.sha256)
    job.report.result("versions v0 and v2.0; readers saw v0 until the commit")


def check_first_version(job: Job) -> None:
    """Show that the first version is byte for byte what it was."""
    job.report.step("Read the files of v0 again")
    listed = job.client.call("list_files", artifact_id=job.dataset_id, version="v0")
    expect("names in v0", names(listed), sorted(job.files))
    urls = job.client.call("get_file", artifact_id=job.dataset_id, file_path=list(job.files), version="v0", silent=True)
    for name, url in urls.items():
        expect(f"SHA-256 of {name} in v0", job.client.digest(url), job.files[name].sha256)
    job.report.result(f"{len(urls)} files, every byte as it was")


def refuse_late_upload(job: Job) -> None:
    """Send bytes to a URL from before the commit: they must not reach anything."""
    job.report.step("Send other bytes to an upload URL from before the commit")
    late = job.client.put(job.old_put_urls["notes.txt"], job.files["moons.json"])
    expect_true("a late upload is refused", late.is_client_error, f"{late.status_code}: {late.text[:200]}")
    url = job.client.call("get_file", artifact_id=job.dataset_id, file_path="notes.txt", version="v0", silent=True)
    expect("SHA-256 of notes.txt in v0", job.client.digest(url), job.files["notes.txt"].sha256)
    job.report.result(f"{late.status_code}; the committed file is what it was")


def discard_stage(job: Job, folder: Path) -> None:
    """Open a stage, fill it, and throw it away."""
    job.report.step("Open a stage, upload into it, discard it")
    before = job.client.call("list_files", artifact_id=job.dataset_id)
    manifest = job.client.call("read", artifact_id=job.dataset_id, silent=True)["manifest"]
    job.client.call("edit", artifact_id=job.dataset_id, manifest={**MANIFEST, "name": "Never seen"}, stage=True)
    scratch = _note(folder, "scratch.txt", "Not for keeping.\n")
    job.client.upload(job.client.call("put_file", artifact_id=job.dataset_id, file_path="scratch.txt"), scratch)
    job.client.call("remove_file", artifact_id=job.dataset_id, file_path="planets.csv")
    record = job.client.call("discard", artifact_id=job.dataset_id)
    expect("stage after the discard", record["staging"], None)
    expect("manifest after the discard", record["manifest"], manifest)
    expect("files after the discard", job.client.call("list_files", artifact_id=job.dataset_id), before)
    job.report.result("manifest and files are those of v2.0")


def run(job: Job, folder: Path) -> None:
    """Run the steps of this part."""
    release_second_version(job, folder)
    check_first_version(job)
    refuse_late_upload(job)
    discard_stage(job, folder)
