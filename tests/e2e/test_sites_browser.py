"""Sites in a real browser: they are shown as their authors meant, and their scripts have no rights of the visitor."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.support.browser import open_browser, text_of, wait_for_text
from tests.support.client import Client, People, alias_of, login_token
from tests.support.server import Server
from tests.support.sites import VIEW, make_site
from tests.support.waiting import wait_until

ALICE, MALLORY = "ws-user-alice", "ws-user-mallory"
PAINTED = "rgba(1, 2, 3, 1)"

# What a page of a private site loads, in each of the ways in which browsers do.
LOADING = {
    "index.html": """<!DOCTYPE html><html><head><link rel="stylesheet" href="style.css"></head><body>
<p id="user">{{ USER.id }}</p><p id="module">no</p><p id="script">no</p><p id="data">no</p><p id="absolute">no</p>
<img id="image" src="dot.svg">
<script src="js/script.js"></script><script src="{{ BASE_URL }}absolute.js"></script>
<script type="module" src="module.js"></script></body></html>""",
    "module.js": """document.getElementById('module').textContent = 'run';
fetch('data.json').then(answer => answer.json()).then(data => {
  document.getElementById('data').textContent = data.word;
});""",
    "absolute.js": "document.getElementById('absolute').textContent = 'run';",
    "data.json": '{"word": "read"}',
    "dot.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"></svg>',
}

# Each attempt says what it got hold of, or how it failed. SERVICE and RECORD are put in.
ATTACK = """
const service = SERVICE, record = RECORD;
const attempts = {
  withCookies: () => fetch(service + record, {credentials: 'include'}).then(a => a.text()),
  sameOrigin: () => fetch(service + record, {credentials: 'same-origin'}).then(a => a.text()),
  relative: () => fetch(record).then(a => a.text()),
  xhr: () => new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open('GET', service + record); request.withCredentials = true;
    request.onload = () => done(request.responseText); request.onerror = () => failed(new Error('refused'));
    request.send();
  }),
  cookies: async () => document.cookie,
  storage: async () => localStorage.getItem('token'),
  session: async () => sessionStorage.getItem('token'),
  database: async () => JSON.stringify(await indexedDB.databases()),
  worker: async () => String(await navigator.serviceWorker.register('js/script.js')),
  frame: () => new Promise((done, failed) => {
    const frame = document.createElement('iframe');
    frame.src = service + record;
    frame.onload = () => { try { done(frame.contentDocument.body.innerText); } catch (error) { failed(error); } };
    document.body.append(frame);
  }),
  deleteByImage: () => new Promise(done => {
    const image = new Image(); image.onload = image.onerror = () => done('sent'); image.src = service + DELETION;
  }),
  deleteByPost: () => fetch(service + '/public/services/artifact-manager/delete', {
    method: 'POST', mode: 'no-cors', credentials: 'include', headers: {'content-type': 'text/plain'},
    body: JSON.stringify({artifact_id: VICTIM}),
  }).then(() => 'sent'),
};
(async () => {
  const found = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try { found[name] = String(await attempt()); } catch (error) { found[name] = 'failed: ' + error.name; }
  }
  document.getElementById('found').textContent = JSON.stringify(found);
  document.getElementById('state').textContent = 'done';
})();
"""
ATTACKER = (
    '<!DOCTYPE html><html><body><p id="state">attacking</p><pre id="found"></pre>'
    '<script src="attack.js"></script></body></html>'
)
NOTHING = {"", "null", "sent", "[]"}


@pytest.fixture(scope="module")
def browsers() -> Iterator[Chrome]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def browser(browsers: Chrome) -> Chrome:
    """The browser of the module, without what the test before has left in it."""
    browsers.get("about:blank")
    browsers.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browsers.execute_cdp_cmd("Network.clearBrowserCache", {})
    return browsers


@pytest.fixture(scope="module")
def people(shared_server: Server) -> Iterator[People]:
    with People(shared_server) as people:
        yield people


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """A service whose sites have origins of their own: names below `localhost` are this machine to a browser."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "ARTIFACT_MANAGER_SITES_URL": f"http://*.localhost:{port}",
        "ARTIFACT_MANAGER_PUBLIC_BASE_URL": f"http://localhost:{port}",
    }
    server = Server(tmp_path_factory.mktemp("apart") / "data", environment)
    server.port = port
    with server, People(server) as people:
        yield people


@pytest.fixture
def alias(request: pytest.FixtureRequest) -> str:
    return alias_of(request.node.name)


def _background(browser: Chrome) -> str:
    found: str = browser.find_element("tag name", "body").value_of_css_property("background-color")
    return found


def test_a_portfolio_is_shown_with_its_style_and_its_script(browser: Chrome, people: People, alias: str) -> None:
    make_site(people["alice"], alias, key="view")
    browser.get(f"{people.server.url}/{ALICE}/view/{alias}")
    assert browser.current_url == f"{people.server.url}/{ALICE}/view/{alias}/"
    assert browser.title == "Jane <b>Doe</b>"
    assert text_of(browser, "description") == "Builds & measures"
    assert text_of(browser, "user") == "nobody"
    assert text_of(browser, "script") == "run"
    assert _background(browser) == PAINTED


def _visit_private(browser: Chrome, people: People, alias: str, url: str) -> None:
    token = login_token(people.server, "alice")
    browser.get(f"{url}/{ALICE}/view/{alias}/?token={token}&page=1")
    assert token not in browser.current_url
    assert browser.current_url.endswith("?page=1")
    _is_loaded(browser)


def _is_loaded(browser: Chrome) -> None:
    assert text_of(browser, "user") == "alice"
    wait_for_text(browser, "data", "read")
    for part in ("script", "absolute", "module"):
        assert text_of(browser, part) == "run"
    assert _background(browser) == PAINTED
    assert browser.execute_script("return document.getElementById('image').naturalWidth") == 7
    assert browser.execute_script("try { return document.cookie } catch { return '' }") == ""


def test_what_a_private_site_loads_is_there_after_a_visit_by_token(browser: Chrome, people: People, alias: str) -> None:
    make_site(people["alice"], alias, files=LOADING, is_public=False)
    _visit_private(browser, people, alias, people.server.url)
    address = browser.current_url
    browser.get(f"{people.server.url}/{ALICE}/view/{alias}/")
    _is_loaded(browser)
    # Whoever is sent the address is not let in by it.
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser.get(address)
    assert browser.title == "You may not see this page"


def test_a_private_site_is_shown_to_a_visitor_whom_the_service_knows_by_his_cookie(
    browser: Chrome, people: People, alias: str
) -> None:
    make_site(people["alice"], alias, files=LOADING, is_public=False)
    _log_in(browser, people.server.url, login_token(people.server, "alice"))
    browser.get(f"{people.server.url}/{ALICE}/view/{alias}/")
    _is_loaded(browser)


def _log_in(browser: Chrome, url: str, token: str) -> None:
    """Give the browser a token in each of the places where a page of the service could keep it."""
    browser.get(f"{url}/schema")
    browser.add_cookie({"name": "access_token", "value": token, "path": "/", "sameSite": "Lax"})
    browser.execute_script("localStorage.setItem('token', arguments[0]);", token)
    browser.execute_script("sessionStorage.setItem('token', arguments[0]);", token)


def _attack(url: str, victim: str) -> dict[str, str]:
    record = f"/{ALICE}/artifacts/{victim}?silent=true"
    deletion = f"/public/services/artifact-manager/delete?artifact_id={ALICE}/{victim}"
    script = (
        ATTACK.replace("SERVICE", json.dumps(url))
        .replace("RECORD", json.dumps(record))
        .replace("DELETION", json.dumps(deletion))
        .replace("VICTIM", json.dumps(f"{ALICE}/{victim}"))
    )
    return {"index.html": ATTACKER, "attack.js": script}


def _found(browser: Chrome) -> dict[str, str]:
    wait_for_text(browser, "state", "done")
    found: dict[str, str] = json.loads(text_of(browser, "found"))
    return found


def _victim(alice: Client, alias: str) -> str:
    name = f"v-{alias}"[:60].strip("-")
    alice.dataset(name, {"a.txt": b"a"}, manifest={"name": "a-private-manifest"})
    return name


def _holds(found: dict[str, str], token: str) -> list[str]:
    return [name for name, text in found.items() if "a-private-manifest" in text or token in text]


def test_a_script_of_a_site_has_no_rights_of_its_visitor(browser: Chrome, people: People, alias: str) -> None:
    alice, url, token = people["alice"], people.server.url, login_token(people.server, "alice")
    victim = _victim(alice, alias)
    files = _attack(url, victim)
    make_site(people["mallory"], alias, files=files, view={**VIEW, "templates": []})
    _log_in(browser, url, token)
    # The token is good, and a page of the service itself would be let in by it: else this test could not fail.
    own: Any = browser.execute_async_script(
        "const done = arguments[1]; fetch(arguments[0]).then(a => a.text()).then(done);",
        f"/{ALICE}/artifacts/{victim}?silent=true",
    )
    assert "a-private-manifest" in own
    assert browser.execute_script("return document.cookie + localStorage.getItem('token')").count(token) == 2

    browser.get(f"{url}/{MALLORY}/view/{alias}/")
    found = _found(browser)
    assert _holds(found, token) == []
    assert len(found) == 12
    assert browser.execute_script("return self.origin") == "null"
    for name in ("withCookies", "xhr", "cookies", "storage", "session", "database", "worker", "frame"):
        assert found[name].startswith("failed: "), f"{name}: {found[name]}"
    for name in ("sameOrigin", "relative"):
        assert '"code":"permission_denied"' in found[name]
    assert alice.record(f"{ALICE}/{victim}")["manifest"] == {"name": "a-private-manifest"}


def test_a_site_that_sends_its_visitor_to_a_method_changes_nothing(browser: Chrome, people: People, alias: str) -> None:
    alice, url = people["alice"], people.server.url
    victim = _victim(alice, alias)
    deletion = f"{url}/public/services/artifact-manager/delete?artifact_id={ALICE}/{victim}"
    page = f'<!DOCTYPE html><a id="go" href="{deletion}">go</a><script>document.getElementById("go").click()</script>'
    make_site(people["mallory"], alias, files={"index.html": page}, view={**VIEW, "templates": []})
    _log_in(browser, url, login_token(people.server, "alice"))
    browser.get(f"{url}/{MALLORY}/view/{alias}/")
    wait_until(lambda: browser.current_url == deletion, "the browser has gone to the method")
    assert "permission_denied" in browser.page_source
    assert alice.record(f"{ALICE}/{victim}")["manifest"] == {"name": "a-private-manifest"}


def test_a_site_cannot_leave_its_sandbox_by_its_own_headers(browser: Chrome, people: People, alias: str) -> None:
    headers = {"Content-Security-Policy": "sandbox allow-scripts allow-same-origin", "X-Frame-Options": "SAMEORIGIN"}
    make_site(people["alice"], alias, view={**VIEW, "headers": headers})
    browser.get(f"{people.server.url}/{ALICE}/view/{alias}/")
    assert text_of(browser, "script") == "run"
    assert browser.execute_script("return self.origin") == "null"


def test_a_site_has_an_origin_of_its_own_where_the_operator_gives_it_one(
    browser: Chrome, apart: People, alias: str
) -> None:
    url = f"http://localhost:{apart.server.port}"
    make_site(apart["alice"], alias)
    make_site(apart["alice"], f"{alias}-2")
    origins = set()
    for name in (alias, f"{alias}-2"):
        browser.get(f"{url}/{ALICE}/view/{name}/docs")
        assert browser.current_url.endswith(f".localhost:{apart.server.port}/{ALICE}/view/{name}/docs/")
        browser.get(f"{url}/{ALICE}/view/{name}/")
        assert text_of(browser, "script") == "run"
        assert _background(browser) == PAINTED
        assert browser.execute_script("localStorage.setItem('a', 'b'); return localStorage.getItem('a')") == "b"
        origins.add(browser.execute_script("return self.origin"))
    assert len(origins) == 2
    assert url not in origins


def test_a_private_site_on_an_origin_of_its_own_loads_its_parts_by_its_cookie(
    browser: Chrome, apart: People, alias: str
) -> None:
    make_site(apart["alice"], alias, files=LOADING, is_public=False)
    _visit_private(browser, apart, alias, f"http://localhost:{apart.server.port}")
    assert "~pass-" not in browser.current_url
    browser.get(f"http://localhost:{apart.server.port}/{ALICE}/view/{alias}/")
    _is_loaded(browser)


def test_a_script_on_an_origin_of_its_own_has_no_rights_of_its_visitor(
    browser: Chrome, apart: People, alias: str
) -> None:
    url, alice, token = f"http://localhost:{apart.server.port}", apart["alice"], login_token(apart.server, "alice")
    victim = _victim(alice, alias)
    files = _attack(url, victim)
    make_site(apart["mallory"], alias, files=files, view={**VIEW, "templates": []})
    make_site(alice, f"p-{alias}"[:60].strip("-"), is_public=False)
    _log_in(browser, url, token)
    browser.get(f"{url}/{MALLORY}/view/{alias}/")
    found = _found(browser)
    assert _holds(found, token) == []
    for name in ("withCookies", "xhr", "frame"):
        assert found[name].startswith("failed: "), f"{name}: {found[name]}"
    assert "There is nothing at this address" in found["relative"]
    assert {found[name] for name in ("cookies", "storage", "session")} <= NOTHING
    assert alice.record(f"{ALICE}/{victim}")["manifest"] == {"name": "a-private-manifest"}
