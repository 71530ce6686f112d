"""Pages in a real Chromium, and what is shown on them."""

import json
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.debian import find_or_install
from tests.serve.page.screen import SIZE, drop
from tests.serve.page.wire import TOKEN

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 60_000
"""A machine that has much else to do may stand still for a while."""
VIEWS = [("L", "MLO"), ("R", "MLO"), ("L", "CC"), ("R", "CC")]


def find_chromium():
    return next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=PATIENCE_MS)
    path = find_or_install(find_chromium, "chromium")
    if path is None:
        pytest.skip("no Chromium: install Debian's package chromium, or run as root")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser, endpoint):
    """Open a page; whatever the console says, a broken policy first, fails the test."""
    contexts, said = [], []

    def new(color_scheme="dark", viewport=SIZE, route=None, **options):
        context = browser.new_context(color_scheme=color_scheme, viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        if route:
            page.route("**/v1/**", route)
        else:
            page.add_init_script(f"sessionStorage.setItem('mgray.token', {json.dumps(TOKEN)})")
        page.goto(endpoint)
        return page

    yield new
    for context in contexts:
        context.close()
    assert [text for text in said if "Failed to load resource" not in text] == []


@pytest.fixture
def show(new_page):
    """Open a page on which images are answered."""

    def show(*bodies, **options):
        page = new_page(**options)
        drop(page, *bodies)
        expect(page.locator(".panel")).to_be_visible()
        return page

    return show


@pytest.fixture(scope="module")
def body(make_dicom):
    return make_dicom()


@pytest.fixture(scope="module")
def exam(make_dicom):
    return [
        make_dicom(index, ImageLaterality=side, ViewPosition=view)
        for index, (side, view) in enumerate(VIEWS)
    ]
