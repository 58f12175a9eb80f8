"""Sites over HTTP: pages, templates, headers, rights, conditions and counters."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.client import Client, People, alias_of, login_token
from tests.support.server import Server
from tests.support.sites import FILES, VIEW, make_site
from tests.support.waiting import wait_until

ALICE = "ws-user-alice"
HTML = {"accept": "text/html,*/*;q=0.8"}
SANDBOX = "sandbox allow-scripts"


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture(scope="module")
def alice(people: People) -> Client:
    alice = people["alice"]
    make_site(alice, "public-site")
    make_site(alice, "private-site", is_public=False)
    return alice


@pytest.fixture(scope="module")
def nobody(people: People, alice: Client) -> Client:
    return people.anonymous()


@pytest.fixture
def alias(request: pytest.FixtureRequest) -> str:
    return alias_of(request.node.name)


def _url(page: str = "", alias: str = "public-site") -> str:
    return f"/{ALICE}/view/{alias}/{page}"


def _get(client: Client, url: str, **headers: str) -> httpx.Response:
    # Cookies of earlier answers are not sent: each test says what its browser has.
    client.http.cookies.clear()
    return client.http.get(url, headers=headers)


def test_the_index_is_a_template_with_the_documented_variables(nobody: Client) -> None:
    answer = _get(nobody, _url())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Jane &lt;b&gt;Doe&lt;/b&gt;</h1>" in answer.text
    assert '<p id="description">Builds &amp; measures</p>' in answer.text
    assert f'<p id="base">{_url()}</p>' in answer.text
    assert '<p id="user">nobody</p>' in answer.text


def test_both_sets_of_variables_are_there(alice: Client, alias: str) -> None:
    source = "|".join(
        f"{{{{ {name} }}}}"
        for name in (
            "MANIFEST.name CONFIG.view_config.metadata.colour BASE_URL PUBLIC_BASE_URL LOCAL_BASE_URL WORKSPACE "
            "VIEW_COUNT DOWNLOAD_COUNT USER.id artifact.manifest.name artifact.config.view_config.metadata.colour "
            "artifact.id artifact.view_count artifact.versions[0].version public_base_url local_base_url "
            "view_base_url artifact_base_url workspace user.id metadata.colour"
        ).split()
    )
    make_site(alice, alias, files={"index.html": source}, view={**VIEW, "metadata": {"colour": "red"}})
    base, site = alice.url, f"/{ALICE}/view/{alias}"
    name = "Jane &lt;b&gt;Doe&lt;/b&gt;"
    assert _get(alice, f"{site}/").text.split("|") == [
        *(name, "red", f"{site}/", base, base, ALICE),
        *("1", "0.0", "alice", name, "red"),
        *(f"{ALICE}/{alias}", "1", "v0", base, base),
        *(f"{base}{site}", f"{base}/{ALICE}/artifacts/{alias}", ALICE, "alice", "red"),
    ]


def test_a_template_sees_no_secrets_no_grants_to_people_and_no_addresses(
    people: People, alice: Client, alias: str
) -> None:
    source = "{{ CONFIG | tojson }}{{ artifact | tojson }}{{ USER | tojson }}"
    site = make_site(
        alice, alias, files={"index.html": source}, permissions={"*": "r", "bob": "rw", "carol@example.org": "r"}
    )
    alice.call("set_secret", artifact_id=site, secret_key="KEY-NAME", secret_value="secret-value")
    carol = people.bearer(login_token(people.server, "carol", email="carol@example.org"))
    for client in (alice, carol, people["bob"], people.anonymous()):
        text = _get(client, _url(alias=alias)).text
        assert '"*"' in text.replace("&#34;", '"')
        for hidden in ("KEY-NAME", "secret-value", "bob" if client is not people["bob"] else "carol", "example.org"):
            assert hidden not in text


@pytest.mark.parametrize("page", ["style.css", "js/script.js", "static.html", "docs/index.html"])
def test_files_are_served_as_they_are_with_their_type(nobody: Client, page: str) -> None:
    answer = _get(nobody, _url(page))
    assert answer.text == FILES[page]
    kind = {"css": "text/css", "js": "text/javascript", "html": "text/html"}[page.rsplit(".", 1)[1]]
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in answer.headers


def test_a_directory_shows_its_index_and_its_address_ends_with_a_slash(nobody: Client) -> None:
    assert "<p>docs</p>" in _get(nobody, _url("docs/")).text
    for address, location in ((f"/{ALICE}/view/public-site", "./public-site/"), (_url("docs"), "./docs/")):
        answer = _get(nobody, f"{address}?a=b")
        assert (answer.status_code, answer.headers["location"]) == (307, f"{location}?a=b")
        followed = nobody.http.get(f"{address}?a=b", follow_redirects=True)
        assert (followed.status_code, followed.url.path) == (200, f"{address}/")


@pytest.mark.parametrize("page", ["nope", "docs/nope.html", "js/", "style.css/", "~x", "index.html/x"])
def test_a_page_that_is_not_there_is_not_found(nobody: Client, page: str) -> None:
    answer = _get(nobody, _url(page))
    assert answer.status_code == 404
    assert answer.json()["code"] == "file_not_found"


@pytest.mark.parametrize("page", ["..%2f..%2fsecret", "%2e%2e/x", "a%00b", "a/..%5c/b", "%ff%fe", "%0d%0aset-cookie:x"])
def test_paths_that_lead_elsewhere_are_refused(nobody: Client, page: str) -> None:
    answer = _get(nobody, _url(page))
    assert answer.status_code in (400, 404)
    assert "set-cookie" not in answer.headers


def test_browsers_get_a_page_that_says_what_is_wrong(nobody: Client) -> None:
    answer = _get(nobody, _url("<script>alert(1)</script>"), **HTML)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text
    refused = _get(nobody, _url(alias="private-site"), **HTML)
    assert refused.status_code == 403
    assert "You may not see this page" in refused.text
    assert _get(nobody, _url(alias="nothing"), **HTML).status_code == 404


def test_a_site_has_an_error_page_of_its_own(alice: Client, nobody: Client, alias: str) -> None:
    view = {**VIEW, "error_page": "lost.html", "templates": ["lost.html"]}
    make_site(alice, alias, files={"lost.html": "<h1>{{ MANIFEST.description }}: lost</h1>"}, view=view)
    answer = _get(nobody, _url("nope", alias))
    assert (answer.status_code, answer.text) == (404, "<h1>Builds &amp; measures: lost</h1>")
    assert answer.headers["content-security-policy"].startswith(SANDBOX)
    assert _get(alice, _url("lost.html", alias)).status_code == 200


def test_a_template_with_a_mistake_is_an_error_without_a_traceback(alice: Client, nobody: Client, alias: str) -> None:
    make_site(alice, alias, files={"index.html": "\n{{ 1 / 0 }}"})
    answer = _get(nobody, _url(alias=alias))
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Template rendering failed: line 2: division by zero", "code": "template_failed"}
    page = _get(nobody, _url(alias=alias), **HTML)
    assert "division by zero" in page.text
    for text in (answer.text, page.text):
        assert "Traceback" not in text
        assert ".py" not in text


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10**10 }}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ config.__class__.__init__.__globals__['os'].popen('id').read() }}",
        "x" * (1024 * 1024 + 1),
    ],
    ids=["loop", "memory", "number", "classes", "globals", "size"],
)
def test_no_template_stops_the_service(alice: Client, nobody: Client, alias: str, source: str) -> None:
    make_site(alice, alias, files={"index.html": source})
    with ThreadPoolExecutor(2) as pool:
        hostile = [pool.submit(_get, alice, _url(alias=alias)) for _ in range(2)]
        assert _get(nobody, _url("style.css")).status_code == 200
        assert nobody.http.get("/health/live").status_code == 200
        for answer in hostile:
            assert (answer.result().status_code, answer.result().json()["code"]) == (500, "template_failed")
    assert "Jane" in _get(nobody, _url()).text


def test_a_template_that_is_no_text_is_an_error(alice: Client, alias: str) -> None:
    view = {**VIEW, "templates": ["page.html"]}
    site = make_site(alice, alias, view=view)
    alice.call("edit", artifact_id=site, stage=True)
    alice.upload(site, "page.html", b"\xff\xfe{{ 1 }}")
    alice.call("commit", artifact_id=site)
    assert _get(alice, _url("page.html", alias)).json()["code"] == "template_failed"


def test_the_configuration_may_be_called_view_as_well(alice: Client, nobody: Client, alias: str) -> None:
    make_site(alice, alias, key="view")
    assert "Jane" in _get(nobody, _url(alias=alias)).text


def test_a_site_may_lie_in_a_directory(alice: Client, nobody: Client, alias: str) -> None:
    files = {"dist/index.html": "<p>{{ WORKSPACE }}</p>", "dist/a.css": "a{}", "outside.txt": "outside"}
    make_site(alice, alias, files=files, view={"root_directory": "/dist", "templates": ["index.html"]})
    assert _get(nobody, _url(alias=alias)).text == f"<p>{ALICE}</p>"
    assert _get(nobody, _url("a.css", alias)).text == "a{}"
    assert _get(nobody, _url("outside.txt", alias)).status_code == 404
    assert _get(nobody, _url("%2e%2e/outside.txt", alias)).status_code in (400, 404)


def test_the_builtin_page_is_there_on_request_and_for_two_types(alice: Client, nobody: Client, alias: str) -> None:
    make_site(alice, alias, view={"use_builtin_template": True})
    assert "<h1>Jane &lt;b&gt;Doe&lt;/b&gt;</h1>" in _get(nobody, _url(alias=alias)).text
    for kind in ("application", "collection"):
        alice.call(
            "create",
            alias=f"{alias}-{kind}"[-60:].strip("-"),
            type=kind,
            manifest={"name": "<i>It", "description": "d"},
            config={"permissions": {"*": "r"}},
        )
        answer = _get(nobody, _url(alias=f"{alias}-{kind}"[-60:].strip("-")))
        assert answer.status_code == 200
        assert "<h1>&lt;i&gt;It</h1>" in answer.text


def test_other_artifacts_are_no_sites(alice: Client, alias: str) -> None:
    site = alice.dataset(alias, {"index.html": b"x"})
    answer = _get(alice, _url(alias=alias))
    assert (answer.status_code, answer.json()["detail"]) == (400, "This artifact type does not support view mode")
    alice.call("edit", artifact_id=site, config={"view_config": "disabled"})
    answer = _get(alice, _url(alias=alias))
    assert (answer.status_code, answer.json()["detail"]) == (404, "View access is disabled for this artifact")


def test_a_configuration_of_another_shape_is_refused_when_it_is_given(alice: Client, alias: str) -> None:
    error = alice.refused("create", alias=alias, manifest={}, config={"view_config": {"headers": {"Set-Cookie": "a"}}})
    assert (error.status, error.code) == (400, "invalid_argument")
    assert "config.view_config.headers: a site cannot set the header 'Set-Cookie'" in error.detail
    site = make_site(alice, alias)
    before = alice.record(site)
    assert (
        "template_engine" in alice.refused("edit", artifact_id=site, config={"view": {"template_engine": "x"}}).detail
    )
    assert alice.record(site) == before


def test_headers_of_the_site_are_there_and_confine_no_less(alice: Client, nobody: Client, alias: str) -> None:
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "max-age=3600",
        "X-Frame-Options": "SAMEORIGIN",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox allow-scripts allow-same-origin",
        "X-Custom": "mine",
    }
    make_site(alice, alias, view={**VIEW, "headers": headers})
    for page in ("", "style.css"):
        answer = nobody.http.get(_url(page, alias), headers={"origin": "https://elsewhere.example"})
        given = answer.headers
        assert given.get_list("access-control-allow-origin") == ["*"]
        assert given.get_list("cache-control") == ["max-age=3600"]
        assert given.get_list("x-frame-options") == ["SAMEORIGIN"]
        assert given.get_list("x-content-type-options") == ["nosniff"]
        assert given["x-custom"] == "mine"
        policies = given.get_list("content-security-policy")
        assert len(policies) == 2
        assert policies[0].startswith(SANDBOX)
        assert "allow-same-origin" not in policies[0]
        assert "access-control-allow-credentials" not in given
        assert "set-cookie" not in given


def test_what_a_visitor_alone_may_see_is_kept_by_him_alone(alice: Client, nobody: Client, alias: str) -> None:
    make_site(alice, alias, view={**VIEW, "headers": {"Cache-Control": "public, max-age=60, s-maxage=60"}})
    assert _get(nobody, _url(alias=alias)).headers["cache-control"] == "public, max-age=60, s-maxage=60"
    assert _get(alice, _url(alias=alias)).headers["cache-control"] == "max-age=60"
    assert "Authorization" in _get(nobody, _url(alias=alias)).headers["vary"]
    assert "Cookie" in _get(nobody, _url(alias=alias)).headers["vary"]


def test_conditions_ranges_and_head(alice: Client, nobody: Client) -> None:
    first = _get(nobody, _url("style.css"))
    etag = first.headers["etag"]
    kept = _get(nobody, _url("style.css"), **{"if-none-match": etag})
    assert (kept.status_code, kept.content) == (304, b"")
    assert kept.headers["content-security-policy"].startswith(SANDBOX)
    part = _get(nobody, _url("style.css"), range="bytes=0-3")
    assert (part.status_code, part.text) == (206, "body")
    head = nobody.http.head(_url("style.css"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(FILES["style.css"]))
    page = nobody.http.head(_url())
    assert (page.status_code, page.content) == (200, b"")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert nobody.http.post(_url()).status_code == 405
    assert nobody.http.put(_url(), content=gzip.compress(b"x")).status_code == 405


def test_a_rendered_page_has_an_etag_of_what_it_says(alice: Client, nobody: Client, alias: str) -> None:
    make_site(alice, alias, files={"index.html": "{{ MANIFEST.name }}"})
    etag = _get(nobody, _url(alias=alias)).headers["etag"]
    assert _get(nobody, _url(alias=alias), **{"if-none-match": etag}).status_code == 304
    alice.call("edit", artifact_id=f"{ALICE}/{alias}", manifest={"name": "Other"})
    changed = _get(nobody, _url(alias=alias), **{"if-none-match": etag})
    assert (changed.status_code, changed.text) == (200, "Other")


def test_each_page_counts_as_a_view_and_says_so_in_the_history(alice: Client, nobody: Client, alias: str) -> None:
    site = make_site(alice, alias)
    assert [_views(_get(nobody, _url(alias=alias)).text) for _ in range(3)] == ["1", "2", "3"]
    _get(nobody, _url("style.css", alias))
    nobody.http.head(_url(alias=alias))
    _get(nobody, _url("nope", alias))
    nobody.http.get(f"/{ALICE}/view/{alias}")
    assert alice.record(site)["view_count"] == 4
    assert alice.record(site)["download_count"] == 0


def _views(page: str) -> str:
    return page.partition('<p id="views">')[2].partition("<")[0]


def test_versions_and_stages_can_be_looked_at(alice: Client, people: People, nobody: Client, alias: str) -> None:
    site = make_site(alice, alias)
    alice.call("edit", artifact_id=site, stage=True, version="new", manifest={"name": "Second"})
    alice.upload(site, "index.html", b"<h1>{{ MANIFEST.name }} {{ artifact.manifest.name }}</h1>")

    def show(client: Client, **query: Any) -> httpx.Response:
        return client.http.get(_url(alias=alias), params=query)

    for query in ({"stage": "true"}, {"version": "stage"}):
        assert show(alice, **query).text == "<h1>Second Second</h1>"
        for other in (nobody, people["bob"]):
            assert show(other, **query).status_code == 403
    assert "Jane" in show(nobody).text
    assert _get(alice, _url("style.css?stage=true", alias)).status_code == 404
    alice.call("commit", artifact_id=site)
    assert show(nobody).text == "<h1>Second Second</h1>"
    assert "Jane" in show(nobody, version="v0").text
    assert "Jane" in show(nobody, version="0").text
    assert show(nobody, version="v7").status_code == 404
    assert show(nobody, stage="true", version="v0").status_code == 400
    assert show(nobody, stage="perhaps").status_code == 400


def test_a_draft_is_a_site_for_those_who_may_see_it(alice: Client, nobody: Client, alias: str) -> None:
    site = alice.call(
        "create", alias=alias, manifest={"name": "Draft"}, config={"view": VIEW, "permissions": {"*": "r"}}, stage=True
    )["id"]
    alice.upload(site, "index.html", b"{{ MANIFEST.name }}")
    assert _get(alice, _url(alias=alias)).text == "Draft"
    assert _get(alice, _url("?stage=true", alias)).text == "Draft"
    assert _get(nobody, _url(alias=alias)).status_code == 403


def test_the_rest_of_the_query_is_the_sites_own(nobody: Client) -> None:
    assert _get(nobody, _url("style.css?v=3&silent=x&limit=-1&consistency=no")).status_code == 200


def test_private_sites_are_for_those_with_rights(alice: Client, people: People, nobody: Client) -> None:
    for page in ("", "style.css", "nope", "docs"):
        assert _get(nobody, _url(page, "private-site")).status_code == 403
        assert _get(people["bob"], _url(page, "private-site")).status_code == 403
    assert "alice" in _get(alice, _url(alias="private-site")).text
    bad = people.bearer("not-a-token")
    assert _get(bad, _url()).status_code == 401
    assert _get(nobody, _url("?token=bad")).status_code == 401
    assert _get(nobody, _url("?token=")).status_code == 200


def test_a_token_in_the_address_becomes_a_cookie_of_the_site(alice: Client, people: People, nobody: Client) -> None:
    token = login_token(people.server, "alice")
    answer = _get(nobody, _url(f"docs/?a=1&token={token}&b=%20", "private-site"))
    assert answer.status_code == 303
    assert answer.headers["location"] == _url("docs/?a=1&b=%20", "private-site")
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    name_and_value, *attributes = cookie.split("; ")
    assert attributes == [f"Path={_url(alias='private-site')}", "Max-Age=43200", "HttpOnly", "SameSite=Lax"]
    assert token not in answer.text + str(answer.headers)
    for page in ("", "style.css", "js/script.js", "docs/"):
        assert _get(nobody, _url(page, "private-site"), cookie=name_and_value).status_code == 200


def test_a_pass_opens_nothing_but_its_site(alice: Client, people: People, nobody: Client, alias: str) -> None:
    make_site(alice, alias, is_public=False)
    answer = _get(nobody, _url(f"?token={login_token(people.server, 'alice')}", "private-site"))
    cookie = answer.headers["set-cookie"].partition(";")[0]
    passed = cookie.partition("=")[2]
    files = f"/{ALICE}/artifacts/private-site"
    assert _get(nobody, _url(alias="private-site"), cookie=cookie).status_code == 200
    assert _get(nobody, _url(alias=alias), cookie=cookie).status_code == 403
    for address in (
        files,
        f"{files}/files/style.css",
        f"{files}/create-zip-file",
        "/public/services/ws/list_workspaces",
    ):
        assert _get(nobody, address, cookie=cookie).status_code == _get(nobody, address).status_code
        for headers in ({"authorization": f"Bearer {passed}"}, {"cookie": f"access_token={passed}"}):
            assert _get(nobody, address, **headers).status_code == 401
    assert _get(nobody, f"{files}?token={passed}").status_code == 401
    # In the address another pass is needed than in the cookie.
    assert _get(nobody, _url(f"~pass-{passed}/style.css", "private-site")).status_code == 401


def test_a_cookie_that_is_not_good_any_more_is_none(nobody: Client) -> None:
    assert _get(nobody, _url(), cookie="site_pass=rubbish").status_code == 200
    assert _get(nobody, _url(alias="private-site"), cookie="site_pass=rubbish").status_code == 403


def test_a_token_without_the_right_gets_no_cookie(people: People, nobody: Client) -> None:
    answer = _get(nobody, _url(f"?token={login_token(people.server, 'bob')}", "private-site"))
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_revoked_token_ends_its_passes(alice: Client, nobody: Client) -> None:
    token = alice.workspaces("generate_token", config={"workspace": ALICE, "permission": "read"}, workspace=ALICE)
    answer = _get(nobody, _url(f"?token={token}", "private-site"))
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert _get(nobody, _url(alias="private-site"), cookie=cookie).status_code == 200
    alice.workspaces("revoke_token", token=token, workspace=ALICE)
    assert _get(nobody, _url(alias="private-site"), cookie=cookie).status_code == 403


def test_a_browser_is_given_a_pass_in_the_address_for_what_a_private_page_loads(
    people: People, alice: Client, nobody: Client
) -> None:
    token = login_token(people.server, "alice")
    browser = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}
    asset = {"sec-fetch-dest": "style", "sec-fetch-mode": "no-cors", "sec-fetch-site": "cross-site"}
    answer = _get(nobody, _url(f"docs/?token={token}", "private-site"), **browser)
    location = answer.headers["location"]
    assert location.startswith(_url("~pass-", "private-site"))
    assert location.endswith("/docs/")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    page = _get(nobody, location, **browser, cookie=cookie)
    assert page.status_code == 200
    style = location.replace("docs/", "style.css")
    assert _get(nobody, style, **asset).text == FILES["style.css"]
    # The address of a page alone lets nobody in.
    sent_on = _get(nobody, location, **browser)
    assert (sent_on.status_code, sent_on.headers["location"]) == (303, _url("docs/", "private-site"))
    # With the cookie the plain address works as well, and is given a new pass.
    again = _get(nobody, _url("docs/?x=y", "private-site"), **browser, cookie=cookie)
    assert again.status_code == 303
    assert again.headers["location"].startswith(_url("~pass-", "private-site"))
    assert again.headers["location"].endswith("/docs/?x=y")
    broken = _get(nobody, _url("~pass-broken/docs/", "private-site"), **browser, cookie=cookie)
    assert (broken.status_code, broken.headers["location"]) == (303, _url("docs/", "private-site"))
    # A public site needs none.
    shown = _get(nobody, _url(f"?token={token}"), **browser)
    assert shown.headers["location"] == _url()


def test_a_page_elsewhere_calls_no_method_with_the_callers_cookie(
    people: People, alice: Client, nobody: Client
) -> None:
    cookie = f"access_token={login_token(people.server, 'alice')}"
    call = f"/public/services/artifact-manager/read?artifact_id={ALICE}/private-site&silent=true"
    assert _get(nobody, call, cookie=cookie).status_code == 200
    assert _get(nobody, call, **{"cookie": cookie, "sec-fetch-site": "same-origin"}).status_code == 200
    for place in ("cross-site", "same-site"):
        assert _get(nobody, call, **{"cookie": cookie, "sec-fetch-site": place}).status_code == 403


def test_the_view_of_another_workspace_is_not_reached_by_an_alias(alice: Client, people: People) -> None:
    assert people["bob"].http.get("/ws-user-bob/view/public-site/").status_code == 404
    record = alice.record(f"{ALICE}/public-site")
    assert alice.http.get(f"/{ALICE}/view/{record['_id']}/style.css").status_code == 200


def test_an_event_says_that_a_site_was_visited(alice: Client, nobody: Client, alias: str) -> None:
    make_site(alice, alias)
    _get(nobody, _url("style.css", alias))

    def visits() -> list[tuple[str, str]]:
        events = alice.get(f"/{ALICE}/artifacts/{alias}/history", kinds="access")["items"]
        return [(event["data"]["kind"], event["data"]["path"]) for event in events if event["type"] == "access.viewed"]

    wait_until(lambda: visits() == [("site", "style.css")], "the visit is in the history")


APART = {
    "ARTIFACT_MANAGER_SITES_URL": "https://*.sites.example.org",
    "ARTIFACT_MANAGER_PUBLIC_BASE_URL": "https://artifacts.example.org",
}
TOGETHER = {**APART, "ARTIFACT_MANAGER_SITES_URL": "https://sites.example.org:8443"}


def _served(tmp_path: Path, environment: dict[str, str]) -> Iterator[tuple[Client, Client]]:
    with Server(tmp_path / "data", environment) as server, People(server) as people:
        alice = people["alice"]
        # Its URLs have the name of the service, which nobody resolves here; so files go the other way.
        for alias, permissions in (("public-site", {"*": "r"}), ("private-site", {})):
            config = {"view_config": VIEW, "permissions": permissions}
            site = alice.call("create", alias=alias, manifest={"name": "Jane"}, config=config, stage=True)["id"]
            for path, text in FILES.items():
                alice.call("write_file", artifact_id=site, file_path=path, content=text)
            alice.call("commit", artifact_id=site)
        yield alice, people.anonymous()


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[tuple[Client, Client]]:
    """Alice and nobody, at a service whose sites have origins of their own."""
    yield from _served(tmp_path, APART)


@pytest.fixture
def together(tmp_path: Path) -> Iterator[tuple[Client, Client]]:
    """Alice and nobody, at a service whose sites share an origin that is not the service's."""
    yield from _served(tmp_path, TOGETHER)


def test_sites_are_at_origins_of_their_own_and_nothing_else_is(apart: tuple[Client, Client]) -> None:
    alice, nobody = apart
    answer = _get(nobody, _url("docs/?a=b"))
    assert answer.status_code == 307
    origin, _, rest = answer.headers["location"].partition("/ws-user-alice")
    assert rest == "/view/public-site/docs/?a=b"
    label, _, name = origin.removeprefix("https://").partition(".")
    assert (len(label), name) == (26, "sites.example.org")
    host = f"{label}.{name}"
    page = _get(nobody, _url(), host=host)
    assert page.status_code == 200
    assert "content-security-policy" not in page.headers
    # Another site's name leads on to its own origin, and the service itself is at none of them.
    other = _get(nobody, _url(alias="private-site"), host=host)
    assert other.status_code == 307
    assert not other.headers["location"].startswith(origin)
    for address in (f"/{ALICE}/artifacts/public-site", "/schema", "/public/services/artifact-manager/list", "/health"):
        assert _get(alice, address).status_code == 200
        for other_host in (host, host.upper(), f"x.{name}"):
            assert _get(alice, address, host=other_host).status_code == 404


def test_a_visit_to_an_origin_of_its_own_has_a_cookie_that_needs_encryption(apart: tuple[Client, Client]) -> None:
    alice, nobody = apart
    answer = _get(nobody, _url(f"?token={alice.token}", "private-site"))
    host = answer.headers["location"].split("/")[2]
    visit = _get(nobody, _url(f"?token={alice.token}", "private-site"), **{"host": host, "sec-fetch-dest": "document"})
    assert (visit.status_code, visit.headers["location"]) == (303, _url(alias="private-site"))
    cookie, *attributes = visit.headers["set-cookie"].split("; ")
    assert attributes[1:] == ["Max-Age=43200", "HttpOnly", "SameSite=Lax", "Secure"]
    assert _get(nobody, _url("style.css", "private-site"), host=host, cookie=cookie).status_code == 200
    # A cookie of that name there was put by a site.
    own = f"access_token={alice.token}"
    assert _get(nobody, _url("style.css", "private-site"), host=host, cookie=own).status_code == 403


def test_sites_that_share_an_origin_stay_in_a_sandbox(together: tuple[Client, Client]) -> None:
    _, nobody = together
    assert _get(nobody, _url()).headers["location"] == f"https://sites.example.org:8443{_url()}"
    page = _get(nobody, _url(), host="sites.example.org:8443")
    assert page.status_code == 200
    assert page.headers["content-security-policy"].startswith(SANDBOX)
    assert _get(nobody, f"/{ALICE}/artifacts/public-site", host="sites.example.org:8443").status_code == 404
