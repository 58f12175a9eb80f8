"""The addresses that are answered over raw ASGI: calls of methods, records, and bodies of files."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from api.http.exchange import Exchange
from api.http.files import FileQuery, UploadQuery, answer_file_request
from api.http.gateway import Gateway
from api.http.multipart import CompletionQuery, StartQuery, answer_multipart_request
from api.http.objects import SIGNATURE, answer_object_request
from api.http.record import RecordQuery, answer_record_request
from api.http.services import BY_METHOD, answer_service_call
from api.http.zip_archives import ArchiveQuery, answer_archive_request
from api.http.zip_files import ZipFileQuery, answer_zip_file_request
from api.sites.route import SiteQuery, answer_site_request
from application.methods import Command
from domain.permissions import Operation

Answer = Callable[[Gateway, Exchange, list[str]], Awaitable[None]]


class RawRoute(msgspec.Struct, frozen=True, kw_only=True):
    """An address, and for each verb the operation that it asks for, its summary and the fields of its query.

    `answer` gets the parts of the path as `str.split("/", 5)` gives them.
    """

    name: str
    path: str
    operations: Mapping[str, Operation | str]
    summaries: Mapping[str, str]
    query: Mapping[str, type[Command]] = msgspec.field(default_factory=dict)
    answer: Answer


SERVICES = RawRoute(
    name="services",
    path="/{workspace}/services/{service}/{method}",
    operations={"GET": BY_METHOD, "POST": BY_METHOD},
    summaries={
        "GET": "Call a method with arguments from the query.",
        "POST": "Call a method with a JSON or msgpack object of arguments.",
    },
    answer=answer_service_call,
)
RECORD = RawRoute(
    name="record",
    path="/{workspace}/artifacts/{alias}",
    operations={"GET": Operation.READ, "HEAD": Operation.READ},
    summaries={"GET": "Read the record of an artifact.", "HEAD": "Ask whether there is such an artifact."},
    query={"GET": RecordQuery, "HEAD": RecordQuery},
    answer=answer_record_request,
)
FILES = RawRoute(
    name="files",
    path="/{workspace}/artifacts/{alias}/files/{path}",
    operations={
        "GET": Operation.GET_FILE,
        "HEAD": Operation.GET_FILE,
        "PUT": Operation.PUT_FILE,
        "DELETE": Operation.REMOVE_FILE,
    },
    summaries={
        "GET": "Download a file, or list a directory (an empty path, or one that ends with a slash).",
        "HEAD": "Ask for the size, type and ETag of a file.",
        "PUT": "Upload a file into the open stage.",
        "DELETE": "Remove a file in the open stage.",
    },
    query={"GET": FileQuery, "HEAD": FileQuery, "PUT": UploadQuery},
    answer=answer_file_request,
)
OBJECTS = RawRoute(
    name="objects",
    path="/s3/{key}",
    operations={"GET": SIGNATURE, "HEAD": SIGNATURE, "PUT": SIGNATURE},
    summaries={
        "GET": "Download what a presigned URL names.",
        "HEAD": "Ask for size, type and ETag of what a presigned URL names.",
        "PUT": "Upload the file, or the part of one, for which a presigned URL was made.",
    },
    answer=answer_object_request,
)
_ARCHIVE_SUMMARIES = {
    "GET": "Download chosen files, or all, as one ZIP archive.",
    "HEAD": "Ask for the size of such an archive.",
}
ARCHIVE = RawRoute(
    name="create_zip_file",
    path="/{workspace}/artifacts/{alias}/create-zip-file",
    operations={"GET": Operation.GET_FILE, "HEAD": Operation.GET_FILE},
    summaries=_ARCHIVE_SUMMARIES,
    query={"GET": ArchiveQuery, "HEAD": ArchiveQuery},
    answer=answer_archive_request,
)
ARCHIVE_SHORT = RawRoute(
    name="create_zip",
    path="/{workspace}/artifacts/{alias}/create-zip",
    operations=ARCHIVE.operations,
    summaries=_ARCHIVE_SUMMARIES,
    query=ARCHIVE.query,
    answer=answer_archive_request,
)
ZIP_FILES = RawRoute(
    name="zip_files",
    path="/{workspace}/artifacts/{alias}/zip-files/{zip_file_path}",
    operations={"GET": Operation.GET_FILE, "HEAD": Operation.GET_FILE},
    summaries={
        "GET": "Download a member of a ZIP archive, or list a directory in it; `/~/{path}` may stand for `?path=`.",
        "HEAD": "Ask for the size, type and ETag of a member.",
    },
    query={"GET": ZipFileQuery, "HEAD": ZipFileQuery},
    answer=answer_zip_file_request,
)
START_MULTIPART = RawRoute(
    name="create_multipart_upload",
    path="/{workspace}/artifacts/{alias}/create-multipart-upload",
    operations={"POST": Operation.PUT_FILE},
    summaries={"POST": "Begin to upload a file in parts, and get a presigned URL for each of them."},
    query={"POST": StartQuery},
    answer=answer_multipart_request,
)
COMPLETE_MULTIPART = RawRoute(
    name="complete_multipart_upload",
    path="/{workspace}/artifacts/{alias}/complete-multipart-upload",
    operations={"POST": Operation.PUT_FILE},
    summaries={"POST": "Make the parts of an upload, named in a JSON body, a file of the stage."},
    query={"POST": CompletionQuery},
    answer=answer_multipart_request,
)
VIEW = RawRoute(
    name="view",
    path="/{workspace}/view/{alias}/{path}",
    operations={"GET": Operation.GET_FILE, "HEAD": Operation.GET_FILE},
    summaries={
        "GET": "Show a page of the site that an artifact is; an empty path, or one that ends with a slash, its index.",
        "HEAD": "Ask for the size, type and ETag of a page.",
    },
    query={"GET": SiteQuery, "HEAD": SiteQuery},
    answer=answer_site_request,
)
RAW_ROUTES = (
    SERVICES,
    RECORD,
    FILES,
    OBJECTS,
    ARCHIVE,
    ARCHIVE_SHORT,
    ZIP_FILES,
    START_MULTIPART,
    COMPLETE_MULTIPART,
    VIEW,
)


def find_raw_route(parts: list[str]) -> RawRoute | None:
    """Find the route of a path by its parts; None when the router knows better."""
    match parts:
        case ["", workspace, "services", service, function] if workspace and service and function:
            return SERVICES
        case ["", "s3", _, *_]:
            return OBJECTS
        case ["", workspace, "artifacts", alias] if workspace and alias:
            return RECORD
        case ["", workspace, "artifacts", alias, "files", *_] if workspace and alias:
            return FILES
        case ["", workspace, "artifacts", alias, "create-zip-file"] if workspace and alias:
            return ARCHIVE
        case ["", workspace, "artifacts", alias, "create-zip"] if workspace and alias:
            return ARCHIVE_SHORT
        case ["", workspace, "artifacts", alias, "create-multipart-upload"] if workspace and alias:
            return START_MULTIPART
        case ["", workspace, "artifacts", alias, "complete-multipart-upload"] if workspace and alias:
            return COMPLETE_MULTIPART
        case ["", workspace, "view", alias, *_] if workspace and alias:
            return VIEW
        case ["", workspace, "artifacts", alias, "zip-files", path] if workspace and alias and path:
            return ZIP_FILES
    return None
