"""What every refusal of the running service must be: clear, clean, and without any effect."""

import json
import re
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import requests

from tests.support.client import People
from tests.support.server import Server

Answer = httpx.Response | requests.Response
SECONDS = 20
_LEAKS = re.compile(
    r"Traceback|File \"|/s3/|signature=|eyJ[A-Za-z0-9_-]{10}|/objects/|\.py\b|sqlite|"
    # The prefix of object keys: an artifact's UUID, a slash, a version and a stage's UUID.
    r"[0-9a-f]{8}-[0-9a-f-]{27}/v\d+-",
    re.IGNORECASE,
)


class Watch:
    """Looks at a service from outside while it is asked for what it must refuse.

    Alice may do everything with what is there: the collection `gallery`, the dataset `data` with the files `a.txt` and
    `d/b.txt`, and the draft `draft` with `in stage.txt`.
    """

    def __init__(self, people: People) -> None:
        self.people = people
        self.server = people.server
        self.alice = people["alice"]
        self._log_begins = len(self.server.log)
        self._private = [str(self.server.data_dir), str(self.alice.token)]

    def heads(self) -> dict[str, int]:
        """Give the position of each log: of the commands, and of the accesses."""
        found = self.alice.http.get("/health/ready").json()["detail"]["projections"]
        return {name: one["position"] + one["lag"] for name, one in found.items()}

    def check(self, answer: Answer, *statuses: int, code: str | None = None) -> Any:
        """Check the shape of a refusal, and that it gives nothing away; gives its body."""
        text = answer.text
        assert answer.status_code in statuses, (answer.status_code, text[:500])
        assert answer.headers["content-type"] == "application/json"
        shown = text + json.dumps(dict(answer.headers))
        assert not _LEAKS.search(shown), shown
        assert not any(secret in shown for secret in self._private), shown
        body = answer.json()
        is_service = urlsplit(str(answer.url)).path.split("/")[2:3] == ["services"]
        assert set(body) == ({"success", "detail", "code"} if is_service else {"detail", "code"})
        assert body.get("success", False) is False
        assert isinstance(body["detail"], str)
        assert body["detail"]
        assert re.fullmatch("[a-z_]+", body["code"])
        if code is not None:
            assert body["code"] == code, body
        if is_service and body["code"] not in {"method_not_found", "method_not_allowed", "unknown_route"}:
            assert re.match("[A-Z][A-Za-z]+: .", body["detail"]), body
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
        return body

    def problems(self) -> list[str]:
        """Give the lines that the service has logged about errors of its own since the beginning."""
        lines = self.server.log[self._log_begins :].splitlines()
        return [line for line in lines if json.loads(line)["level"] in {"error", "critical"}]


def furnish(people: People) -> None:
    """Make what `Watch` speaks of."""
    alice = people["alice"]
    alice.call("create", alias="gallery", type="collection", manifest={"name": "Gallery"})
    alice.dataset("data", {"a.txt": b"hello", "d/b.txt": b"below"})
    alice.call("create", alias="draft", manifest={"name": "Draft"}, stage=True)
    alice.upload("draft", "in stage.txt", b"staged")


def head(verb: str, target: str, *headers: str) -> bytes:
    """Write the head of a request after which the connection ends, with a target that nobody makes sense of before."""
    return "\r\n".join([f"{verb} {target} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]).encode()


def raw_request(server: Server, data: bytes, *, ends: bool = False) -> tuple[int, bytes]:
    """Send bytes that no client library would send; gives the status of the answer (0: none) and all its bytes.

    With `ends` our side of the connection is closed after them.
    """
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        answer = b""
        try:
            connection.sendall(data)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65_536):
                answer += chunk
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            # The service may cut the connection while we still send; what it has said until then counts.
    return (int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0), answer
