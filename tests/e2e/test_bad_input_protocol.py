"""Requests that are hardly HTTP, addresses that are none, and clients that hold the line."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.support.client import METHODS, People
from tests.support.refusals import SECONDS, Watch, head, raw_request
from tests.support.server import Server

ALICE = "ws-user-alice"
CONNECTIONS = 1_000
SLOW = 200


@pytest.mark.parametrize(
    ("verb", "address", "status", "code"),
    [
        ("POST", METHODS + "nothing", 404, "method_not_found"),
        ("POST", METHODS + "Read", 404, "method_not_found"),
        ("POST", METHODS + "__init__", 404, "method_not_found"),
        ("POST", METHODS + "read.__class__", 404, "method_not_found"),
        ("POST", "/public/services/nothing/read", 404, "not_found"),
        ("POST", "/public/services/x:nothing/read", 404, "not_found"),
        ("POST", METHODS + "read/more", 404, "unknown_route"),
        ("POST", "/public/Services/artifact-manager/read", 404, "unknown_route"),
        ("GET", f"/{ALICE}/Artifacts/data", 404, "unknown_route"),
        ("GET", f"/{ALICE}/artifacts/data/nothing", 404, "unknown_route"),
        ("GET", f"/{ALICE}/artifacts/data/Files/a.txt", 404, "unknown_route"),
        ("GET", "/", 404, "unknown_route"),
        ("GET", "//", 404, "unknown_route"),
        ("GET", "/S3/a/b", 404, "unknown_route"),
        ("GET", "/health/nothing", 404, "unknown_route"),
        ("GET", "/%00/%ff", 404, "unknown_route"),
        ("PUT", METHODS + "read", 405, "method_not_allowed"),
        ("DELETE", METHODS + "read", 405, "method_not_allowed"),
        ("PATCH", METHODS + "read", 405, "method_not_allowed"),
        ("TRACE", METHODS + "read", 405, "method_not_allowed"),
        ("BREW", METHODS + "read", 405, "method_not_allowed"),
        ("POST", f"/{ALICE}/artifacts/data", 405, "method_not_allowed"),
        ("DELETE", f"/{ALICE}/artifacts/data", 405, "method_not_allowed"),
        ("TRACE", f"/{ALICE}/artifacts/data", 405, "method_not_allowed"),
        ("POST", f"/{ALICE}/artifacts/data/files/a.txt", 405, "method_not_allowed"),
        ("TRACE", f"/{ALICE}/artifacts/data/files/a.txt", 405, "method_not_allowed"),
        ("BREW", f"/{ALICE}/artifacts/data/files/a.txt", 405, "method_not_allowed"),
        ("BREW", "/health", 405, "method_not_allowed"),
        ("PUT", f"/{ALICE}/artifacts/data/files/a.txt", 400, "invalid_state"),
        ("PUT", f"/{ALICE}/artifacts/data/files/", 400, "invalid_path"),
        ("DELETE", f"/{ALICE}/artifacts/draft/files/", 400, "invalid_path"),
        ("DELETE", f"/{ALICE}/artifacts/draft/files/a?bogus=1", 400, "invalid_type"),
    ],
)
def test_addresses_and_verbs_that_are_none(watch: Watch, verb: str, address: str, status: int, code: str) -> None:
    answer = watch.alice.http.request(verb, address)
    watch.check(answer, status, code=code)
    if status == 405:
        assert answer.headers["allow"]
        assert verb not in answer.headers["allow"]


@pytest.mark.parametrize("address", ["/nothing", METHODS + "read", f"/{ALICE}/artifacts/nothing", "/s3/a/b"])
def test_the_head_of_a_refusal_has_no_body(watch: Watch, address: str) -> None:
    status, answer = raw_request(watch.server, head("HEAD", address))
    assert status in {403, 404, 405}
    assert answer.endswith(b"\r\n\r\n")


def test_asking_for_options_changes_nothing(watch: Watch) -> None:
    for address in ("*", METHODS + "delete", f"/{ALICE}/artifacts/data/files/a.txt", "/s3/a/b"):
        status, answer = raw_request(watch.server, head("OPTIONS", address, "Origin: http://elsewhere.example"))
        assert status == 204
        assert b"access-control-allow-credentials" not in answer.lower()


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (b"garbage\r\n\r\n", {400}),
        (b"GET\r\n\r\n", {400}),
        (b"GET / HTTP/9.9\r\n\r\n", {400, 505}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 508, {0, 400}),
        (head("GET", "/\x00"), {400}),
        (head("GET", "/" + "a" * 70_000), {414}),
        (head("GET", "/" + "a" * 2_000_000), {0, 414, 431}),
        (head("GET", "/health", "X-Long: " + "a" * 2_000_000), {0, 431}),
        (head("GET", "/health", *(f"X-{number}: a" for number in range(1_000))), {431}),
        (head("GET", "/health", "X-Folded: a", " b"), {200, 400}),
        (head("POST", METHODS + "delete", "Content-Length: x"), {400}),
        (head("POST", METHODS + "delete", "Content-Length: -1"), {400}),
        (head("POST", METHODS + "delete", "Content-Length: 1", "Content-Length: 2"), {400}),
        (head("POST", METHODS + "delete", "Transfer-Encoding: chunked") + b"zz\r\n{}", {400}),
        (head("POST", METHODS + "delete", "Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\n{}", {400}),
        (head("POST", METHODS + "delete", "Content-Length: 2", "Transfer-Encoding: chunked") + b"0\r\n\r\n", {400}),
        (head("GET", f"/health/../{ALICE}/artifacts/data"), {404}),
        (head("GET", f"/{ALICE}/artifacts/data/files/%2e%2e%2f%2e%2e%2ftoken-secret"), {400}),
        (head("GET", f"/{ALICE}/artifacts/data/files/../../../token-secret"), {400}),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else "",
)
def test_requests_that_are_hardly_http(watch: Watch, data: bytes, statuses: set[int]) -> None:
    status, answer = raw_request(watch.server, data)
    assert status in statuses, answer[:300]
    assert str(watch.server.data_dir).encode() not in answer
    assert b"Traceback" not in answer


def test_what_a_client_says_does_not_come_back_as_a_header(watch: Watch) -> None:
    _, answer = raw_request(watch.server, head("GET", "/health/live", "X-Request-ID: a\tb<script>"))
    assert b"<script>" not in answer
    _, answer = raw_request(watch.server, head("GET", "/%0d%0aX-Evil:%20yes", "X-Request-ID: good-id"))
    assert b"x-request-id: good-id" in answer
    assert b"x-evil" not in answer.lower()


def _open(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)


def test_clients_that_send_slowly_do_not_hold_up_others(watch: Watch) -> None:
    with ExitStack() as stack:
        for number in range(SLOW):
            slow = stack.enter_context(_open(watch.server))
            # Half of them stop in the head, half in the body of a request.
            slow.sendall(
                b"GET /health HTTP/1.1\r\nHost: x\r\nX-"
                if number % 2
                else f"POST {METHODS}delete HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode()
            )
        for _ in range(20):
            assert watch.alice.http.get(f"/{ALICE}/artifacts/").status_code == 200


def test_a_thousand_connections_at_once(furnished: People) -> None:
    token = f"Authorization: Bearer {furnished['alice'].token}"
    watch = Watch(furnished)

    def ask(address: str) -> set[bytes]:
        with ExitStack() as stack:
            # All are open before the first of them says anything.
            connections = [stack.enter_context(_open(furnished.server)) for _ in range(CONNECTIONS)]
            for connection in connections:
                connection.sendall(head("GET", address, token))
            return {connection.recv(12) for connection in connections}

    assert ask(f"/{ALICE}/artifacts/data?silent=true") == {b"HTTP/1.1 200"}
    # Searches cost more, so fewer of them may wait.
    assert ask(f"/{ALICE}/artifacts/") <= {b"HTTP/1.1 200", b"HTTP/1.1 503"}
    assert ask(f"/{ALICE}/artifacts/nothing") == {b"HTTP/1.1 404"}
    assert watch.problems() == []
    assert furnished["alice"].http.get(f"/{ALICE}/artifacts/").status_code == 200


def test_a_thousand_refusals_at_once(watch: Watch) -> None:
    http = watch.people.anonymous().http

    def refused(number: int) -> int:
        answer = http.post(METHODS + "create", json={"alias": f"a{number}", "manifest": {}})
        watch.check(answer, 403, code="permission_denied")
        return answer.status_code

    with ThreadPoolExecutor(32) as threads:
        assert set(threads.map(refused, range(CONNECTIONS))) == {403}


def test_requests_behind_each_other_on_one_connection_are_told_apart(watch: Watch) -> None:
    body = b'{"artifact_id": "nothing"}'
    bad = f"POST {METHODS}read HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    status, answer = raw_request(watch.server, bad * 3 + head("GET", "/health/live"))
    assert status == 404
    assert answer.count(b"HTTP/1.1 404") == 3
    assert answer.count(b"HTTP/1.1 200") == 1
