"""The page in a real Chromium: closed to who has no token, and open to who gives it later."""

import pytest
from playwright.sync_api import expect

from tests.serve.page.screen import drop
from tests.serve.page.wire import TOKEN, be_late, gate

pytestmark = pytest.mark.ray


def give(page, token):
    page.get_by_role("textbox", name="Token").fill(token)
    page.keyboard.press("Enter")


def test_a_token_is_asked_for_and_kept_for_the_tab(new_page):
    page = new_page(route=gate)
    give(page, "wrong")
    expect(page.get_by_role("dialog")).to_contain_text("refused that token")
    give(page, TOKEN)
    expect(page.get_by_role("button", name="Model fused")).to_be_visible()
    kept = "[sessionStorage.length, localStorage.length, document.cookie]"
    assert page.evaluate(kept) == [1, 0, ""]


def test_a_token_that_no_header_can_hold_is_refused_and_never_kept(new_page):
    page = new_page(route=gate)
    give(page, "•••••••")
    expect(page.get_by_role("dialog")).to_contain_text("only the letters, digits and signs")
    assert page.evaluate("sessionStorage.length") == 0
    page.evaluate("sessionStorage.setItem('mgray.token', '•••')")
    page.reload()
    give(page, TOKEN)
    expect(page.get_by_role("button", name="Model fused")).to_be_visible()


def test_who_gives_no_token_is_asked_once_for_all_images_and_again_later(new_page, body):
    page = new_page(route=gate)
    page.get_by_role("button", name="Cancel").click()
    drop(page, *[b"x"] * 16)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#progress")).to_be_hidden()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("alert")).to_contain_text("No token was given")
    drop(page, body)
    give(page, TOKEN)
    expect(page.locator(".panel")).to_be_visible()
    expect(page.get_by_role("button", name="Model fused")).to_be_visible()
    expect(page.locator("#sample-menu .sample")).to_have_count(3)


def test_the_samples_come_without_the_card_and_the_card_on_a_click(new_page):
    page = new_page()
    page.route("**/v1/model", be_late, times=1)
    page.reload()
    expect(page.locator("#start .sample")).to_have_count(3)
    expect(page.get_by_role("alert")).to_contain_text("no answer within the time limit")
    page.get_by_role("button", name="Model card").click()
    expect(page.get_by_role("dialog")).to_contain_text("Finds lesions on synthetic 2D mammograms")
    expect(page.get_by_role("alert")).to_have_count(0)
