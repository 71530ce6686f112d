"""The page in a real Chromium: files that come in, and what can be saved."""

import io
import json

import pydicom
import pytest
from playwright.sync_api import expect
from pydicom.uid import ComprehensiveSRStorage

from tests.serve.page.screen import drop, press, screen_of

pytestmark = pytest.mark.ray


def test_a_bad_file_is_told_in_words(new_page):
    page = new_page()
    drop(page, b"no DICOM")
    expect(page.get_by_role("alert")).to_contain_text("the file is not DICOM")
    expect(page.locator("#start")).to_be_visible()


def test_a_bad_file_of_an_exam_spares_the_others(show, exam):
    page = show(exam[0], b"no DICOM", exam[1])
    expect(page.locator(".pane.failed")).to_contain_text("Image 2 was refused")
    expect(page.locator(".pane:not(.failed)")).to_have_count(2)


def test_a_folder_can_be_dropped(new_page, exam, tmp_path):
    """By the browser's own drag, as no script can make one that holds a folder."""
    for index, image in enumerate(exam):
        below = tmp_path / "exam" / str(index % 2)
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{index}.dcm").write_bytes(image)
    page = new_page()
    devtools = page.context.new_cdp_session(page)
    held = {"items": [], "files": [str(tmp_path / "exam")], "dragOperationsMask": 1}
    page.evaluate("() => { window.over = 0; addEventListener('dragover', () => { over += 1; }); }")
    where = {"x": 600, "y": 400, "data": held}
    devtools.send("Input.dispatchDragEvent", {"type": "dragEnter", **where})
    while page.evaluate("() => window.over") < 2:  # who drops too early loses the files
        devtools.send("Input.dispatchDragEvent", {"type": "dragOver", **where})
        page.wait_for_timeout(50)
    devtools.send("Input.dispatchDragEvent", {"type": "drop", **where})
    expect(page.locator(".pane")).to_have_count(len(exam))
    expect(page.locator(".panel")).to_be_visible(timeout=60_000)


def test_a_sample_shows_its_planted_lesion(new_page):
    page = new_page()
    page.locator("#start").get_by_role("button", name="One view").click()
    expect(page.get_by_label("Planted lesions")).to_be_checked(timeout=60_000)
    with_lesion = screen_of(page)
    press(page, "t")
    assert (screen_of(page) != with_lesion).any()


def test_the_answer_can_be_saved(show, body, detect):
    page = show(body)
    with page.expect_download() as saved:
        page.get_by_role("button", name="JSON").click()
    found = json.loads(saved.value.path().read_text())
    assert found["images"][0]["detections"] == detect(body).json()["images"][0]["detections"]


def test_the_report_of_an_unmeasured_model_is_not_told_as_measured(new_page, body):
    def unmeasured(route):
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"thresholds": {}})

    page = new_page()
    page.route("**/v1/detect?contributions=true", unmeasured)
    drop(page, body)
    expect(page.locator("#threshold-words")).to_contain_text("not measured")
    with page.expect_download():
        page.get_by_role("button", name="DICOM SR").click()
    expect(page.locator("#status")).to_contain_text(
        "was saved, not measured: all malignant boxes, 20 at most for an image"
    )


def test_the_report_can_be_saved(show, body):
    page = show(body)
    with page.expect_download() as saved:
        page.get_by_role("button", name="DICOM SR").click()
        expect(page.locator("#status")).to_contain_text("was saved")
    report = pydicom.dcmread(saved.value.path())
    assert report.SOPClassUID == ComprehensiveSRStorage
    told = pydicom.dcmread(io.BytesIO(body))
    assert report.StudyInstanceUID == told.StudyInstanceUID
