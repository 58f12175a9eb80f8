"""A real Chromium without a window, that keeps nothing from one test to the next."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.tools import need

LIMIT_SECONDS = 30


@contextmanager
def open_browser() -> Iterator[Chrome]:
    """Open a browser with a profile of its own; skips the test where there is none."""
    options = Options()
    options.binary_location = str(need("chromium"))
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        # Chromium refuses to run as root with its sandbox of processes, which is not the one that is tested here.
        options.add_argument("--no-sandbox")
    service = Service(str(need("chromedriver")), log_output=subprocess.DEVNULL)
    browser = Chrome(options=options, service=service)
    try:
        browser.set_page_load_timeout(LIMIT_SECONDS)
        browser.set_script_timeout(LIMIT_SECONDS)
        yield browser
    finally:
        browser.quit()


def text_of(browser: Chrome, element_id: str) -> str:
    """Give the text of an element."""
    found: str = browser.find_element("id", element_id).text
    return found


def wait_for_text(browser: Chrome, element_id: str, text: str) -> None:
    """Wait until an element says something."""
    WebDriverWait(browser, LIMIT_SECONDS).until(lambda _: text_of(browser, element_id) == text, text)
