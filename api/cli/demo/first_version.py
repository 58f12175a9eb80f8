"""From an empty collection to a committed dataset."""

from api.cli.demo.job import MANIFEST, Job
from api.cli.demo.report import MIB, expect, expect_true


def create_gallery(job: Job) -> None:
    """Create a collection that everybody may read and registered users may contribute to."""
    job.report.step("Create a gallery: everybody reads, registered users contribute")
    job.gallery = job.client.call(
        "create",
        alias=f"planet-gallery-{job.suffix}",
        type="collection",
        manifest={"name": "Planet gallery", "description": "Datasets about planets"},
        config={"permissions": {"*": "r", "@": "r+"}},
    )
    expect("type of the gallery", job.gallery["type"], "collection")
    job.report.result(f"id {job.gallery_id}")


def draft_dataset(job: Job) -> None:
    """Create a dataset as a draft: nobody sees it in the gallery before it is committed."""
    job.report.step("Draft a dataset in it")
    job.dataset = job.client.call(
        "create", parent_id=job.gallery_id, alias=f"positions-{job.suffix}", manifest=MANIFEST, stage=True
    )
    expect("versions of a draft", job.dataset["versions"], [])
    expect_true("a draft shows its stage", bool(job.dataset["staging"]), job.dataset["staging"])
    committed = job.client.call("list", parent_id=job.gallery_id, silent=True)
    expect("datasets in the gallery before the commit", committed, [])
    drafts = job.client.call("list", parent_id=job.gallery_id, silent=True, stage=True)
    expect("drafts in the gallery", [draft["id"] for draft in drafts], [job.dataset_id])
    job.report.result(f"id {job.dataset_id}; the gallery lists 0 datasets and 1 draft")


def announce_files(job: Job) -> None:
    """Ask for upload URLs: one alone, the others in one call, each with its weight."""
    first = "planets.csv"
    others = [name for name in job.files if name != first]
    job.report.step(f"Ask for an upload URL for {first}, and in one call for {len(others)} more files")
    url = job.client.call(
        "put_file", artifact_id=job.dataset_id, file_path=first, download_weight=job.files[first].weight
    )
    urls = job.client.call(
        "put_file",
        artifact_id=job.dataset_id,
        file_path=others,
        download_weight=[job.files[name].weight for name in others],
    )
    expect("paths of the batch", sorted(urls), sorted(others))
    job.old_put_urls = {first: url, **urls}
    job.report.result(f"{len(job.old_put_urls)} presigned URLs")


def upload_files(job: Job) -> None:
    """Send the bytes."""
    total = sum(file.size_bytes for file in job.files.values())
    job.report.step(f"Upload {len(job.files)} files, {total / MIB:.1f} MiB")
    with job.report.transfer("uploading", total) as transfer:
        for name, url in job.old_put_urls.items():
            job.client.upload(url, job.files[name], transfer)
    staged = job.client.call("list_files", artifact_id=job.dataset_id, stage=True)
    sizes = {entry["name"]: entry["size"] for entry in staged}
    expect("sizes of the staged files", sizes, {name: file.size_bytes for name, file in job.files.items()})
    job.report.result("the stage has all of them, each with its size")


def commit_dataset(job: Job) -> None:
    """Commit: the draft becomes version v0."""
    job.report.step("Commit the dataset")
    record = job.client.call("commit", artifact_id=job.dataset_id, comment="First release")
    expect("versions after the commit", [version["version"] for version in record["versions"]], ["v0"])
    expect("comment of v0", record["versions"][0]["comment"], "First release")
    expect("number of files", record["file_count"], len(job.files))
    expect("stage after the commit", record["staging"], None)
    job.report.result(f"version v0 with {record['file_count']} files")


def weigh_file(job: Job) -> None:
    """Give a committed file a weight after the fact."""
    job.report.step("Give notes.txt a download weight of 0.25")
    job.client.call("set_download_weight", artifact_id=job.dataset_id, file_path="notes.txt", download_weight=0.25)
    job.report.result("it counts from now on")


def run(job: Job) -> None:
    """Run the steps of this part."""
    for step in (create_gallery, draft_dataset, announce_files, upload_files, commit_dataset, weigh_file):
        step(job)
