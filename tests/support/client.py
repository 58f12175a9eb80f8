"""A small client of the running service: calls methods by name, moves files through the URLs that it gets."""

import re
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import httpx
import requests

from application.operator_tokens import create_operator_token
from application.settings import Settings
from bootstrap import make_tokens
from tests.support.server import Server

METHODS = "/public/services/artifact-manager/"
SECONDS = 60
_OUTSIDE = re.compile("[^A-Za-z0-9]+")


class RefusedError(Exception):
    """The service answered a call with an error."""

    def __init__(self, answer: httpx.Response) -> None:
        body = answer.json()
        self.status: int = answer.status_code
        self.code: str = body.get("code", "")
        self.detail: str = body["detail"]
        super().__init__(f"{self.status} {self.code}: {self.detail}")


class Client:
    """A caller of a running service. Without a token it is anonymous. It follows no redirects."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=SECONDS)

    def call(self, method: str, /, **arguments: Any) -> Any:
        """Call a method of the artifact manager; gives its JSON.

        Raises:
            RefusedError: The answer is anything but exactly 200.
        """
        return self.post(METHODS + method, arguments)

    def workspaces(self, method: str, /, *, workspace: str = "public", **arguments: Any) -> Any:
        """Call a method of the workspace manager at the address of a workspace."""
        return self.post(f"/{workspace}/services/ws/{method}", arguments)

    def post(self, path: str, arguments: Mapping[str, Any]) -> Any:
        answer = self.http.post(path, json=arguments)
        if answer.status_code != 200:
            raise RefusedError(answer)
        return answer.json()

    def refused(self, method: str, /, **arguments: Any) -> RefusedError:
        """Call a method that must be refused, and give the refusal."""
        try:
            answer = self.call(method, **arguments)
        except RefusedError as error:
            return error
        raise AssertionError(f"{method} was not refused: {answer}")

    def get(self, path: str, **query: Any) -> Any:
        """GET an address that answers JSON.

        Raises:
            RefusedError: The answer is anything but exactly 200.
        """
        answer = self.http.get(path, params=query)
        if answer.status_code != 200:
            raise RefusedError(answer)
        return answer.json()

    def record(self, artifact_id: str, **options: Any) -> Any:
        """Read a record without counting a view."""
        return self.call("read", artifact_id=artifact_id, silent=True, **options)

    def aliases(self, **arguments: Any) -> list[str]:
        """List, without counting a view, and give the aliases in order."""
        return [record["alias"] for record in self.call("list", silent=True, **arguments)]

    def upload(self, artifact_id: str, path: str, data: bytes, **options: Any) -> str:
        """Announce a file and PUT its bytes; gives the URL."""
        url: str = self.call("put_file", artifact_id=artifact_id, file_path=path, **options)
        answer = put(url, data)
        assert answer.status_code == 200, answer.text
        return url

    def download(self, artifact_id: str, path: str, **options: Any) -> bytes:
        """Get the bytes of a file through its presigned URL, counting nothing."""
        url = self.call("get_file", artifact_id=artifact_id, file_path=path, **{"silent": True, **options})
        return fetch(url)

    def files(self, artifact_id: str, **options: Any) -> list[str]:
        """Name the entries of a directory."""
        return [entry["name"] for entry in self.call("list_files", artifact_id=artifact_id, **options)]

    def dataset(self, alias: str, files: Mapping[str, bytes] | None = None, **arguments: Any) -> str:
        """Make a committed dataset with files; gives its id."""
        arguments = {"manifest": {"name": alias}, **arguments}
        artifact_id: str = self.call("create", alias=alias, stage=bool(files), **arguments)["id"]
        for path, data in (files or {}).items():
            self.upload(artifact_id, path, data)
        if files:
            self.call("commit", artifact_id=artifact_id)
        return artifact_id

    def close(self) -> None:
        self.http.close()


class People:
    """The callers of one test module: each user has one client, all closed at the end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._clients: list[Client] = []
        self._by_user: dict[str, Client] = {}

    def __enter__(self) -> "People":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()

    def __getitem__(self, user: str) -> Client:
        """Give the client of a user with a login token."""
        if user not in self._by_user:
            self._by_user[user] = self.bearer(login_token(self.server, user))
        return self._by_user[user]

    def anonymous(self) -> Client:
        return self.bearer(None)

    def bearer(self, token: str | None) -> Client:
        """Give a client of whoever holds a token."""
        client = Client(self.server.url, token)
        self._clients.append(client)
        return client


def login_token(
    server: Server,
    user: str,
    *,
    email: str | None = None,
    workspaces: Iterable[str] = (),
    permission: str = "read_write",
    expires_in: float = 3600,
) -> str:
    """Make the token that `artifact-manager token create` prints, without the second that a process takes."""
    return create_operator_token(
        make_tokens(Settings(data_dir=server.data_dir)),
        user=user,
        email=email,
        workspaces=tuple(workspaces),
        permission=permission,
        expires_in=expires_in,
    )


def alias_of(test: str) -> str:
    """Make the name of a test an alias, so that the tests of a module share a server and nothing else."""
    return "t-" + _OUTSIDE.sub("-", test)[-60:].strip("-")


def put(url: str, data: Any) -> requests.Response:
    """PUT bytes or an open file to a presigned URL, as clients of the service do."""
    return requests.put(url, data=data, timeout=SECONDS)


def fetch(url: str) -> bytes:
    """GET the bytes at a presigned URL, as clients of the service do."""
    answer = requests.get(url, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    return answer.content
