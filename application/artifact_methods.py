"""The methods of the service `artifact-manager`."""

from collections.abc import Mapping

from application import parameters
from application.commands.create import create
from application.commands.delete import delete
from application.commands.duplicate import duplicate
from application.commands.edit import commit, discard, edit
from application.commands.files import put_file, remove_file, write_file
from application.commands.lineage import set_parent
from application.commands.multipart import put_file_complete_multipart, put_file_start_multipart
from application.commands.secrets import set_secret
from application.commands.statistics import reset_stats, set_download_weight
from application.methods import Method
from application.queries.files import get_file, list_files, read_file
from application.queries.history import history
from application.queries.list import list_artifacts, search
from application.queries.multipart import list_multipart_parts, list_multipart_uploads
from application.queries.read import read
from application.queries.secrets import get_secret
from application.queries.versions import versions
from domain.permissions import Operation

_DECLARED = (
    Method(name="create", parameters=parameters.Create, handler=create, changes_state=True),
    Method(name="edit", parameters=parameters.Edit, handler=edit, operation=Operation.EDIT, changes_state=True),
    Method(name="commit", parameters=parameters.Commit, handler=commit, operation=Operation.COMMIT, changes_state=True),
    Method(
        name="discard", parameters=parameters.Discard, handler=discard, operation=Operation.EDIT, changes_state=True
    ),
    Method(name="delete", parameters=parameters.Delete, handler=delete, operation=Operation.DELETE, changes_state=True),
    Method(
        name="duplicate",
        parameters=parameters.Duplicate,
        handler=duplicate,
        operation=Operation.READ,
        changes_state=True,
    ),
    Method(name="read", parameters=parameters.Read, handler=read, operation=Operation.READ, changes_state=False),
    Method(
        name="list",
        parameters=parameters.List,
        handler=list_artifacts,
        operation=Operation.LIST,
        changes_state=False,
        ignored=("context", "no_cache"),
    ),
    Method(
        name="search",
        parameters=parameters.Search,
        handler=search,
        operation=Operation.LIST,
        changes_state=False,
        ignored=("context", "no_cache"),
    ),
    Method(
        name="put_file",
        parameters=parameters.PutFile,
        handler=put_file,
        operation=Operation.PUT_FILE,
        changes_state=True,
        ignored=("context", "version"),
    ),
    Method(
        name="put_file_start_multipart",
        parameters=parameters.PutFileStartMultipart,
        handler=put_file_start_multipart,
        operation=Operation.PUT_FILE,
        changes_state=True,
    ),
    Method(
        name="put_file_complete_multipart",
        parameters=parameters.PutFileCompleteMultipart,
        handler=put_file_complete_multipart,
        operation=Operation.PUT_FILE,
        changes_state=True,
    ),
    Method(
        name="list_multipart_uploads",
        parameters=parameters.ListMultipartUploads,
        handler=list_multipart_uploads,
        operation=Operation.PUT_FILE,
        changes_state=False,
    ),
    Method(
        name="list_multipart_parts",
        parameters=parameters.ListMultipartParts,
        handler=list_multipart_parts,
        operation=Operation.PUT_FILE,
        changes_state=False,
    ),
    Method(
        name="get_file",
        parameters=parameters.GetFile,
        handler=get_file,
        operation=Operation.GET_FILE,
        changes_state=False,
    ),
    Method(
        name="list_files",
        parameters=parameters.ListFiles,
        handler=list_files,
        operation=Operation.LIST_FILES,
        changes_state=False,
    ),
    Method(
        name="remove_file",
        parameters=parameters.RemoveFile,
        handler=remove_file,
        operation=Operation.REMOVE_FILE,
        changes_state=True,
    ),
    Method(
        name="read_file",
        parameters=parameters.ReadFile,
        handler=read_file,
        operation=Operation.GET_FILE,
        changes_state=False,
    ),
    Method(
        name="write_file",
        parameters=parameters.WriteFile,
        handler=write_file,
        operation=Operation.PUT_FILE,
        changes_state=True,
    ),
    Method(
        name="get_secret",
        parameters=parameters.GetSecret,
        handler=get_secret,
        operation=Operation.GET_SECRET,
        changes_state=False,
    ),
    Method(
        name="set_secret",
        parameters=parameters.SetSecret,
        handler=set_secret,
        operation=Operation.SET_SECRET,
        changes_state=True,
        keep_null=("secret_value",),
    ),
    Method(
        name="set_parent",
        parameters=parameters.SetParent,
        handler=set_parent,
        operation=Operation.READ,
        changes_state=True,
    ),
    Method(
        name="set_download_weight",
        parameters=parameters.SetDownloadWeight,
        handler=set_download_weight,
        operation=Operation.SET_DOWNLOAD_WEIGHT,
        changes_state=True,
    ),
    Method(
        name="reset_stats",
        parameters=parameters.ResetStats,
        handler=reset_stats,
        operation=Operation.RESET_STATS,
        changes_state=True,
    ),
    Method(
        name="history",
        parameters=parameters.History,
        handler=history,
        operation=Operation.READ,
        changes_state=False,
    ),
    Method(
        name="versions",
        parameters=parameters.Versions,
        handler=versions,
        operation=Operation.READ,
        changes_state=False,
    ),
)

METHODS: Mapping[str, Method] = {method.name: method for method in _DECLARED}
"""All methods by name."""
