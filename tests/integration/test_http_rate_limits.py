"""Limits on how often a caller may ask: who shares a bucket, what is refused, and what a refusal does not do."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from api.http.app import create_app
from application.settings import Settings
from tests.support.fake_application import FakeApplication, FakeFile
from tests.support.http import client_of, client_to

READ = "/public/services/artifact-manager/read?artifact_id=x"
FILE = "/lab/artifacts/data/files/a"
SLOW = 0.001
"""So few requests a second that no bucket fills again during a test."""


def _application(**settings: Any) -> FakeApplication:
    application = FakeApplication(settings=Settings(**settings))
    application.files.files["a"] = FakeFile("a", b"bytes")
    application.files.files["key"] = FakeFile("key", b"bytes")
    return application


@pytest.fixture
def application() -> FakeApplication:
    return _application(
        anonymous_requests_per_second=SLOW, anonymous_burst=2, user_requests_per_second=SLOW, user_burst=4
    )


@pytest.fixture
async def anyone(application: FakeApplication) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(application, token=None) as client:
        yield client


@pytest.fixture
async def alice(application: FakeApplication) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(application) as client:
        yield client


async def _statuses(client: httpx.AsyncClient, path: str, count: int, **options: Any) -> list[int]:
    return [(await client.get(path, **options)).status_code for _ in range(count)]


async def test_there_are_none_by_default() -> None:
    async with client_of(_application(), token=None) as client:
        answers = [await client.get(READ) for _ in range(50)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any(name.startswith("ratelimit") for answer in answers for name in answer.headers)


async def test_an_anonymous_caller_has_a_bucket(anyone: httpx.AsyncClient) -> None:
    answers = [await anyone.get(READ) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"2"}
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {"2;w=2000"}
    assert int(answers[1].headers["ratelimit-reset"]) in {1999, 2000}
    refused = answers[2]
    assert refused.json() == {
        "success": False,
        "detail": "Rate limit exceeded. Please slow down.",
        "code": "rate_limited",
    }
    assert int(refused.headers["retry-after"]) in {999, 1000}
    assert "retry-after" not in answers[0].headers


@pytest.mark.parametrize(
    "path", ["/lab/artifacts/data", "/lab/artifacts/", FILE, "/schema", "/nothing/here", "/lab/services", READ]
)
async def test_every_address_counts(anyone: httpx.AsyncClient, path: str) -> None:
    statuses = await _statuses(anyone, path, 3)
    assert 429 not in statuses[:2]
    assert statuses[2] == 429
    assert (await anyone.get("/lab/artifacts/other")).status_code == 429


async def test_probes_do_not_count_and_are_answered(anyone: httpx.AsyncClient) -> None:
    assert await _statuses(anyone, "/health", 5) == [200] * 5
    assert await _statuses(anyone, READ, 3) == [200, 200, 429]
    for path in ("/health/live", "/health/liveness", "/health/ready", "/health/readiness"):
        assert (await anyone.get(path)).status_code == 200
    # The name of a workspace is no way around, neither that of the probes nor that of presigned URLs.
    for name in ("health", "s3"):
        assert (await anyone.get(READ.replace("public", name))).status_code == 429


async def test_a_user_has_one_bucket_whatever_his_tokens_and_wherever_they_stand(
    application: FakeApplication,
) -> None:
    # `bot-token` is one that alice made.
    asked: list[tuple[str, Mapping[str, str]]] = [
        (READ, {"authorization": "Bearer alice-token"}),
        (READ, {"cookie": "access_token=alice-token"}),
        ("/lab/artifacts/data?token=alice-token", {}),
        ("/lab/artifacts/data", {"authorization": "Bearer bot-token"}),
    ]
    for path, headers in asked:
        async with client_to(create_app(application.gateway()), token=None) as client:
            for other, others in [*asked[:2], (path, headers)]:
                assert (await client.get(other, headers=others)).status_code == 200
            assert (await client.get(path, headers=headers)).headers["ratelimit-remaining"] == "0"
            for other, others in asked:
                assert (await client.get(other, headers=others)).status_code == 429
            # Anonymous callers at the same address are others.
            assert await _statuses(client, READ, 3) == [200, 200, 429]


async def test_whoever_tries_tokens_is_nobody(anyone: httpx.AsyncClient) -> None:
    headers = [{"authorization": f"Bearer guess-{number}"} for number in range(3)]
    assert [(await anyone.get(READ, headers=header)).status_code for header in headers] == [401, 401, 429]
    assert (await anyone.get(READ)).status_code == 429
    # A token in the query of a method is none, as always.
    assert (await anyone.get(f"{READ}&token=alice-token")).status_code == 429


async def test_presigned_urls_have_a_bucket_of_their_own_for_each_address(
    anyone: httpx.AsyncClient, alice: httpx.AsyncClient
) -> None:
    url = "/s3/key?signature=good"
    assert await _statuses(anyone, url, 5) == [200] * 4 + [429]
    assert (await anyone.put(url, content=b"x")).status_code == 429
    assert (await anyone.get(READ)).status_code == 200
    assert (await alice.get(READ)).status_code == 200


async def test_nothing_is_recorded_or_read_of_what_is_refused(
    application: FakeApplication, alice: httpx.AsyncClient
) -> None:
    file = application.files.files["a"]
    assert await _statuses(alice, f"{FILE}?use_proxy=true", 4) == [200] * 4
    before = len(file.records)
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1_000):
            read += 1
            yield b"x"

    with capture_logs() as logs:
        assert (await alice.get(f"{FILE}?use_proxy=true")).status_code == 429
        refused = await alice.put(FILE + "/new", content=body())
    assert (refused.status_code, refused.headers["connection"]) == (429, "close")
    assert (len(file.records), application.files.uploads, read) == (before, [], 0)
    assert [line["status"] for line in logs] == [429, 429]


async def test_a_page_of_another_origin_may_read_the_limits(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.get(READ, headers={"origin": "https://app.test"})
    assert "RateLimit-Remaining" in answer.headers["access-control-expose-headers"]
    preflights = [await anyone.options(READ, headers={"origin": "https://app.test"}) for _ in range(5)]
    assert {answer.status_code for answer in preflights} == {204}


@pytest.mark.parametrize(("limited", "free"), [("anonymous", "user"), ("user", "anonymous")])
async def test_one_kind_of_caller_may_be_without_a_limit(limited: str, free: str) -> None:
    application = _application(**{f"{limited}_requests_per_second": SLOW, f"{limited}_burst": 1})
    for kind, expected in ((free, 200), (limited, 429)):
        async with client_of(application, token=None if kind == "anonymous" else "alice-token") as client:
            answers = [await client.get(READ) for _ in range(3)]
        assert answers[-1].status_code == expected
        assert ("ratelimit-limit" in answers[-1].headers) is (kind == limited)


async def test_behind_a_proxy_each_client_has_a_bucket() -> None:
    behind = _application(
        anonymous_requests_per_second=SLOW, anonymous_burst=1, client_address_header="X-Forwarded-For"
    )
    async with client_of(behind, token=None) as client:
        for address in ("192.0.2.1", "192.0.2.2"):
            forwarded = {"x-forwarded-for": f"198.51.100.1, {address}"}
            assert await _statuses(client, READ, 2, headers=forwarded) == [200, 429]
        # What a client writes himself helps him nothing.
        forged = {"x-forwarded-for": "203.0.113.9, 192.0.2.1"}
        assert await _statuses(client, READ, 1, headers=forged) == [429]


async def test_without_one_the_header_is_not_believed(anyone: httpx.AsyncClient) -> None:
    statuses = [
        (await anyone.get(READ, headers={"x-forwarded-for": f"192.0.2.{number}"})).status_code for number in range(3)
    ]
    assert statuses == [200, 200, 429]
