"""The page in a real Chromium: what fails on the way is told for what it is, and can be mended."""

import os

import pytest
from playwright.sync_api import expect

from tests.serve.page.screen import drop, press
from tests.serve.page.wire import be_late

pytestmark = pytest.mark.ray

UNREADABLE_DROP = """() => {
  const file = (_, fail) => fail(new DOMException("", "NotReadableError"));
  const items = [{ webkitGetAsEntry: () => ({ isFile: true, file }) }];
  dispatchEvent(Object.assign(new Event("drop"), { dataTransfer: { items, files: [] } }));
}"""


def test_an_answer_cut_short_costs_one_image(new_page, exam):
    def cut(route):
        if route.request.post_data_buffer == exam[1]:
            route.fulfill(status=200, body=b"P5\n# {}\n2 2\n65535\n")
        else:
            route.continue_()

    page = new_page()
    page.route("**/v1/pixels*", cut)
    drop(page, *exam[:3])
    expect(page.locator(".panel")).to_be_visible()
    expect(page.locator(".pane.failed")).to_contain_text("The answer broke off")
    expect(page.locator(".pane:not(.failed)")).to_have_count(2)


def test_a_file_that_changed_since_it_was_chosen_is_told(new_page, body, tmp_path):
    path = tmp_path / "image.dcm"
    path.write_bytes(body)
    page = new_page()
    page.set_input_files("#files", path)
    expect(page.locator(".panel")).to_be_visible()
    path.write_bytes(body[:-2])
    os.utime(path, (1, 1))
    page.get_by_role("button", name="DICOM SR").click()
    expect(page.get_by_role("alert")).to_contain_text("A file cannot be read")


def test_a_dropped_file_that_cannot_be_read_is_told(new_page):
    page = new_page()
    page.evaluate(UNREADABLE_DROP)
    expect(page.get_by_role("alert")).to_contain_text("A file cannot be read")


def test_a_report_that_succeeds_takes_the_failure_before_away(show, body):
    page = show(body)
    page.route("**/v1/detect?fppi=*", be_late, times=1)
    page.get_by_role("button", name="DICOM SR").click()
    expect(page.get_by_role("alert")).to_contain_text("no answer within the time limit")
    with page.expect_download():
        page.get_by_role("button", name="DICOM SR").click()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_large_image_is_asked_for_again_after_a_failure(show, make_dicom):
    page = show(make_dicom(height=2200))
    page.route("**/v1/pixels?side=8192", be_late, times=1)
    for _ in range(9):
        press(page, "+")
    expect(page.get_by_role("alert")).to_contain_text("no answer within the time limit")
    page.wait_for_timeout(2500)
    with page.expect_response("**/v1/pixels?side=8192") as answer:
        press(page, "ArrowDown")
    assert answer.value.ok
