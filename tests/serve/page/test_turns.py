"""The page in a real Chromium: one exam after the other, before the first is answered."""

import pytest
from playwright.sync_api import expect

from tests.serve.page.screen import drop, press
from tests.serve.page.wire import be_late, hold, wait_for

pytestmark = pytest.mark.ray

DETECT = "**/v1/detect*"
DROPPED_TEXT = """() => {
  const dataTransfer = new DataTransfer();
  dataTransfer.setData("text/plain", "x");
  dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
}"""


def given_up(page, part):
    """Wait, on leaving, for a request that the page gives up."""
    return page.expect_event("requestfailed", lambda request: part in request.url)


def test_a_sample_that_comes_late_does_not_replace_a_later_exam(new_page, body):
    page = new_page()
    held = hold(page, "**/v1/samples/image")
    page.locator("#start").get_by_role("button", name="One view").click()
    wait_for(page, held)
    with given_up(page, "/v1/samples/image"):
        drop(page, body)
    expect(page.locator(".panel")).to_be_visible()
    expect(page.locator(".layer.truth")).to_have_count(0)


def test_what_cannot_be_opened_leaves_the_exam_on_the_screen_its_answer(new_page, body):
    page = new_page()
    held = hold(page, DETECT)
    drop(page, body)
    wait_for(page, held)
    page.evaluate(DROPPED_TEXT)
    drop(page, *[b"x"] * 17)
    expect(page.get_by_role("alert")).to_contain_text("17 files: at most 16 images at once")
    drop(page, b"no DICOM")
    expect(page.get_by_role("alert")).to_contain_text("the file is not DICOM")
    held[0].continue_()
    expect(page.locator(".panel")).to_be_visible()
    expect(page.locator("#scores")).to_contain_text("0.")


def test_an_exam_is_given_up_once_another_is_shown_and_its_failure_is_not_told(new_page, exam):
    page = new_page()
    held = hold(page, DETECT)
    drop(page, exam[0])
    wait_for(page, held)
    with given_up(page, "/v1/detect"):
        drop(page, *exam[:2])
    wait_for(page, held, 2)
    be_late(held[0])
    held[1].continue_()
    expect(page.locator(".panel")).to_be_visible()
    expect(page.locator(".pane")).to_have_count(2)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_exam_that_is_not_read_yet_is_given_up_at_once(new_page, exam):
    page = new_page()
    held = hold(page, "**/v1/pixels*")
    drop(page, *exam)
    wait_for(page, held, 2)
    with given_up(page, "/v1/pixels"):
        drop(page, exam[0])
    wait_for(page, held, 3)
    held[2].continue_()
    expect(page.locator(".panel")).to_be_visible()
    expect(page.locator(".pane")).to_have_count(1)
    assert len(held) == 3


def test_the_progress_bar_stays_until_all_work_is_done(new_page, make_dicom):
    page = new_page()
    held = hold(page, DETECT)
    drop(page, make_dicom(height=2200))
    wait_for(page, held)
    with page.expect_response("**/v1/pixels?side=8192"):
        for _ in range(9):
            press(page, "+")
    page.wait_for_timeout(500)
    expect(page.locator("#progress")).to_be_visible()
    held[0].continue_()
    expect(page.locator("#progress")).to_be_hidden()
