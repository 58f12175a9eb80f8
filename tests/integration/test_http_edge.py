"""The outermost layer: bounds, an orderly stop, the log, connections that end early."""

import asyncio
import json
from typing import Any

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from api.http.app import create_app
from application.settings import Settings
from tests.support.fake_application import FakeApplication, FakeFile
from tests.support.http import client_of, client_to

WAIT = "/public/services/artifact-manager/wait"
READ = "/public/services/artifact-manager/read"


async def test_too_many_requests_at_once_are_refused_and_then_taken_again() -> None:
    application = FakeApplication(settings=Settings(active_requests=16))
    async with client_of(application) as client:
        waiting = [asyncio.create_task(client.post(WAIT)) for _ in range(16)]
        for _ in waiting:
            await application.arrived.acquire()
        refused = await client.post(READ, json={"artifact_id": "x"})
        alive = await client.get("/health/live")
        application.release.set()
        assert [(await answer).status_code for answer in waiting] == [200] * 16
        taken = await client.post(READ, json={"artifact_id": "x"})
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "unavailable", "1")
    assert (alive.status_code, taken.status_code) == (200, 200)


async def test_a_drain_waits_for_what_is_under_way_and_refuses_the_rest() -> None:
    application = FakeApplication()
    app = create_app(application.gateway())
    async with client_to(app) as client:
        under_way = asyncio.create_task(client.post(WAIT))
        await application.arrived.acquire()
        draining = asyncio.create_task(app.drain(60))
        await asyncio.sleep(0)
        refused = await client.get("/schema")
        assert not draining.done()
        application.release.set()
        await draining
        assert (await under_way).status_code == 200
    assert refused.status_code == 503


async def test_a_drain_ends_with_its_time_and_cancels_what_is_left() -> None:
    application = FakeApplication()
    app = create_app(application.gateway())
    async with client_to(app) as client:
        under_way = asyncio.create_task(client.post(WAIT))
        await application.arrived.acquire()
        await app.drain(0.01)
        with pytest.raises(asyncio.CancelledError):
            await under_way


async def test_commands_and_refusals_are_logged_without_what_is_secret() -> None:
    with capture_logs() as logs:
        async with client_of(FakeApplication()) as client:
            await client.post("/public/services/artifact-manager/edit", json={"artifact_id": "x"})
            await client.get("/lab/artifacts/data?token=bot-token&bogus=1")
            await client.get("/lab/artifacts/data?token=bot-token")
    assert [(line["log_level"], line["operation"], line["status"]) for line in logs] == [
        ("info", "edit", 200),
        ("info", "read", 400),
        ("debug", "read", 200),
    ]
    assert logs[0]["actor"] == "alice"
    assert (logs[2]["actor"], logs[2]["workspace"]) == ("bot", "lab")
    assert "token" not in json.dumps(logs)


async def test_an_unexpected_error_is_logged_once_with_its_traceback() -> None:
    with capture_logs() as logs:
        async with client_of(FakeApplication()) as client:
            await client.post("/public/services/artifact-manager/fail", json={"error": "Unknown", "detail": "x"})
            await client.get("/lab/artifacts/data/files/x?use_proxy=true")
    errors = [line for line in logs if line["log_level"] == "error"]
    assert len(errors) == 1
    assert isinstance(errors[0]["exc_info"], RuntimeError)
    assert errors[0]["operation"] == "fail"


async def test_a_file_shorter_than_promised_cuts_the_connection() -> None:
    application = FakeApplication()
    application.files.files["a"] = FakeFile("a", b"x" * 50, promised_bytes=60)
    transport = httpx.ASGITransport(app=create_app(application.gateway()))  # type: ignore[arg-type]  # The types of ASGI differ.
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        with capture_logs(), pytest.raises(OSError, match="differs from its record by 10 bytes"):
            await client.get("/lab/artifacts/data/files/a?use_proxy=true")


@pytest.mark.parametrize("sent", [[], [{"type": "http.request", "body": b"half", "more_body": True}]])
async def test_a_client_that_leaves_half_way_changes_nothing(sent: list[dict[str, Any]]) -> None:
    application = FakeApplication()
    messages = [*sent, {"type": "http.disconnect"}]
    answers: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        answers.append(message)

    scope: Any = {
        "type": "http",
        "method": "PUT",
        "path": "/lab/artifacts/data/files/a",
        "query_string": b"",
        "headers": [(b"content-length", b"100")],
    }
    with capture_logs() as logs:
        await create_app(application.gateway())(scope, receive, send)
    assert application.files.files == {}
    # One that closed only its own side still hears that nothing came of it.
    assert [message.get("status") for message in answers] == [400, None]
    assert json.loads(answers[1]["body"])["code"] == "incomplete_body"
    assert [line["status"] for line in logs] == [499]


async def test_a_long_file_is_not_read_to_its_end_for_a_client_that_is_gone() -> None:
    application = FakeApplication()
    application.files.files["a"] = FakeFile("a", bytes(4 * 1024 * 1024), chunk=64 * 1024)
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]
    left = asyncio.Event()
    bodies = 0

    async def receive() -> Any:
        if not messages:
            await left.wait()
            return {"type": "http.disconnect"}
        return messages.pop(0)

    async def send(message: Any) -> None:
        nonlocal bodies
        bodies += message["type"] == "http.response.body"
        if bodies == 3:
            left.set()
        await asyncio.sleep(0)

    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/lab/artifacts/data/files/a",
        "query_string": b"use_proxy=true",
        "headers": [],
    }
    with capture_logs() as logs:
        await create_app(application.gateway())(scope, receive, send)
    assert bodies < 10
    assert [line["status"] for line in logs] == [499]


async def test_a_client_that_sends_nothing_is_given_up() -> None:
    application = FakeApplication(settings=Settings(stalled_seconds=1))
    gateway = application.gateway()
    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": READ,
        "query_string": b"",
        "headers": [(b"content-length", b"100")],
    }

    async def receive() -> Any:
        await asyncio.Event().wait()

    answers: list[Any] = []

    async def send(message: Any) -> None:
        answers.append(message)

    with capture_logs() as logs:
        await create_app(gateway)(scope, receive, send)
    assert [line["status"] for line in logs] == [408]
    assert answers[0]["status"] == 408
    assert (b"connection", b"close") in answers[0]["headers"]


async def test_a_websocket_is_closed() -> None:
    answers: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        answers.append(message)

    scope: Any = {"type": "websocket", "path": "/ws", "query_string": b"", "headers": []}
    await create_app(FakeApplication().gateway())(scope, receive, send)
    assert [message["type"] for message in answers] == ["websocket.close"]


def test_logs_are_json_lines(capfd: pytest.CaptureFixture[str]) -> None:
    from adapters.structured_logging import configure_logging

    try:
        configure_logging("info")
        log = structlog.get_logger()
        log.debug("unseen")
        log.info("seen", number=1, path=object)
        try:
            raise ValueError("wrong")
        except ValueError as error:
            log.error("failed", exc_info=error)
    finally:
        structlog.reset_defaults()
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["seen", "failed"]
    assert lines[0]["number"] == 1
    assert "ValueError: wrong" in lines[1]["exception"]
