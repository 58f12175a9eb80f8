"""What others may do, what the history tells, and what is left of a deleted artifact."""

from api.cli.demo.job import MANIFEST, Job
from api.cli.demo.report import expect, expect_true


def read_anonymously(job: Job) -> None:
    """Read without a token what everybody may read."""
    job.report.step("Read and list without a token")
    record = job.anonymous.call("read", artifact_id=job.dataset_id, silent=True)
    expect("id", record["id"], job.dataset_id)
    children = job.anonymous.get(
        f"/{job.gallery['workspace']}/artifacts/{job.gallery['alias']}/children", params={"silent": "true"}
    ).json()
    expect("children of the gallery", [child["id"] for child in children], [job.dataset_id])
    url = job.anonymous.call("get_file", artifact_id=job.dataset_id, file_path="planets.csv", silent=True)
    job.anonymous.digest(url)
    job.report.result("allowed: the gallery gives '*' the level r")


def refuse_anonymous_writes(job: Job) -> None:
    """Write without a token: every way is refused, and nothing changes."""
    job.report.step("Write without a token")
    details = [
        job.anonymous.refused("edit", 403, artifact_id=job.dataset_id, manifest={"name": "Mine now"}),
        job.anonymous.refused("create", 403, parent_id=job.gallery_id, manifest=MANIFEST, alias=f"x-{job.suffix}"),
        job.anonymous.refused("delete", 403, artifact_id=job.dataset_id),
    ]
    job.report.result(f"403 three times, the first: {details[0]}")


def show_history(job: Job) -> None:
    """Read who did what, when."""
    job.report.step(f"Read the history at {job.dataset_path}/history")
    body = job.client.get(f"{job.dataset_path}/history").json()
    kinds = [event["type"] for event in body["items"]]
    for kind in ("artifact.created", "artifact.committed", "artifact.discarded"):
        expect_true(f"the history tells {kind}", kind in kinds, kinds)
    comments = [event["comment"] for event in body["items"] if event.get("comment")]
    expect_true("the history tells why", "Revised elements" in comments, comments)
    job.report.result(f"{len(kinds)} events, the newest: {', '.join(kinds[:4])}")


def delete_artifact(job: Job) -> None:
    """Create and delete an artifact; it is gone from every read."""
    job.report.step("Create an artifact and delete it")
    extra = job.client.call("create", parent_id=job.gallery_id, alias=f"extra-{job.suffix}", manifest=MANIFEST)
    job.client.call("delete", artifact_id=extra["id"])
    detail = job.client.refused("read", 404, artifact_id=extra["id"])
    left = job.client.call("list", parent_id=job.gallery_id, silent=True)
    expect("datasets in the gallery", [item["id"] for item in left], [job.dataset_id])
    job.report.result(f"404: {detail[:100]}")


def run(job: Job) -> None:
    """Run the steps of this part."""
    for step in (read_anonymously, refuse_anonymous_writes, show_history, delete_artifact):
        step(job)
