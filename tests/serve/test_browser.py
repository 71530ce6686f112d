"""The page in a real Chromium: what a person sees and does. Pixels are those of screenshots."""

import io
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pydicom
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from pydicom.uid import ComprehensiveSRStorage

pytestmark = pytest.mark.ray
NAMES = ("chromium", "chromium-browser", "google-chrome")
BREAST = (0, 40, 100, 260)  # of ``make_dicom``
TOKEN = os.environ["MGRAY_TOKEN"]
SIZE = {"width": 1280, "height": 800}
VIEWS = [("L", "MLO"), ("R", "MLO"), ("L", "CC"), ("R", "CC")]


def find_chromium():
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
        for command in (["apt-get", "update"], install):
            subprocess.run(command, capture_output=True, check=False, timeout=240)
        found = shutil.which("chromium")
    return found


@pytest.fixture(scope="module")
def browser():
    path = find_chromium()
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
        page.set_default_timeout(20_000)
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
        expect(page.locator(".panel")).to_be_visible(timeout=60_000)  # a first answer is slow
        return page

    return show


def drop(page, *bodies):
    files = [
        {"name": f"{index}.dcm", "mimeType": "application/dicom", "buffer": body}
        for index, body in enumerate(bodies)
    ]
    page.set_input_files("#files", files)


def screen_of(page, pane=0):
    """A pane as it is on the screen, with what stands in its corners left out."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shot = page.locator(".pane canvas").nth(pane).screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def orange_in(screen):
    """Where a malignant box is drawn, also where its line falls between pixels; tissue is grey."""
    return screen[..., 0] - screen[..., 2] > 90


def press(page, key):
    page.locator(".pane").first.focus()
    page.keyboard.press(key)


def box_on_screen(page, box):
    """Where a box must be, told by where the breast's own edges are seen."""
    press(page, "x")
    bright = screen_of(page)[..., 0] > 90
    press(page, "x")
    bright[:, bright.shape[1] * 3 // 4 :] = False  # marker and readout
    ys, xs = np.flatnonzero(bright.mean(axis=1) > 0.1), np.flatnonzero(bright.mean(axis=0) > 0.1)
    scale = (ys[-1] + 1 - ys[0]) / (BREAST[3] - BREAST[1])
    left, top = xs[0] - scale * BREAST[0], ys[0] - scale * BREAST[1]
    return [
        scale * box[0] + left,
        scale * box[1] + top,
        scale * box[2] + left,
        scale * box[3] + top,
    ]


def bright_rows(page):
    """How many rows of the screen the breast takes."""
    press(page, "x")
    rows = (screen_of(page)[..., 0] > 90).mean(axis=1) > 0.1
    press(page, "x")
    return int(rows.sum())


def sees_box(page, box):
    """Whether a malignant box's four edges are drawn where they must be, to two pixels."""
    x0, y0, x1, y1 = (round(edge) for edge in box_on_screen(page, box))
    orange = orange_in(screen_of(page))
    sides = (
        orange[y0 + 4 : y1 - 4, x0 - 2 : x0 + 3].any(axis=1),
        orange[y0 + 4 : y1 - 4, x1 - 2 : x1 + 3].any(axis=1),
        orange[y0 - 2 : y0 + 3, x0 + 4 : x1 - 4].any(axis=0),
        orange[y1 - 2 : y1 + 3, x0 + 4 : x1 - 4].any(axis=0),
    )
    return [side.size > 0 and side.mean() > 0.9 for side in sides]


def show_the_best_alone(page, answer):
    """Move the slider to where one malignant box is left; returns that box."""
    found = [one for one in answer["images"][0]["detections"] if one["label"] == "malignant"]
    threshold = (found[0]["score"] + found[1]["score"]) / 2
    stops = [1.0, *answer["thresholds"].values(), 0.0]
    below = next(index for index, score in enumerate(stops) if score <= threshold)
    share = (stops[below - 1] - threshold) / (stops[below - 1] - stops[below])
    page.locator("#threshold").evaluate("(slider) => { slider.step = 'any'; }")
    page.locator("#threshold").fill(str(below - 1 + share))
    return found[0]["box"]


@pytest.fixture(scope="module")
def body(make_dicom):
    return make_dicom()


@pytest.fixture(scope="module")
def answer(detect, body):
    return detect(body).json()


@pytest.fixture(scope="module")
def exam(make_dicom):
    return [
        make_dicom(index, ImageLaterality=side, ViewPosition=view)
        for index, (side, view) in enumerate(VIEWS)
    ]


def test_the_box_is_drawn_where_the_answer_has_it(show, body, answer):
    page = show(body)
    box = show_the_best_alone(page, answer)
    expect(page.locator("#findings li")).to_have_count(1)
    assert sees_box(page, box) == [True] * 4


def test_the_box_follows_zoom_and_pan(show, body, answer):
    page = show(body)
    box = show_the_best_alone(page, answer)
    before = box_on_screen(page, box)
    place = page.locator(".pane").bounding_box()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.mouse.wheel(0, 150)
    press(page, "ArrowRight")
    after = box_on_screen(page, box)
    assert after[2] - after[0] < 0.9 * (before[2] - before[0])
    assert sees_box(page, box) == [True] * 4


def test_the_slider_takes_boxes_away_and_gives_them_back(show, body, answer):
    page = show(body)
    page.get_by_label("Benign", exact=True).check()
    slider, findings = page.locator("#threshold"), page.locator("#findings li")
    detections = answer["images"][0]["detections"]
    expect(findings).to_have_count(sum(d["score"] >= answer["thresholds"]["1"] for d in detections))
    expect(page.locator("#threshold-words")).to_contain_text("1 FP / image")
    slider.focus()
    page.keyboard.press("End")
    expect(findings).to_have_count(len(detections))
    page.keyboard.press("Home")
    expect(findings).to_have_count(0)
    orange = orange_in(screen_of(page))
    assert not orange.any()


def test_a_drag_changes_the_window(show, body):
    page = show(body)
    press(page, "x")
    before, told = screen_of(page), page.locator(".readout").text_content()
    place = page.locator(".pane").bounding_box()
    page.mouse.move(place["x"] + 300, place["y"] + 200)
    page.mouse.down()
    page.mouse.move(place["x"] + 300, place["y"] + 300, steps=3)
    page.mouse.up()
    assert screen_of(page).mean() > before.mean() + 5
    assert page.locator(".readout").text_content() != told
    press(page, "r")
    np.testing.assert_array_equal(screen_of(page), before)


def test_invert_turns_black_to_white(show, body):
    page = show(body)
    press(page, "x")
    before = screen_of(page)[80:-60]
    page.get_by_role("button", name="Invert").click()
    np.testing.assert_allclose(screen_of(page)[80:-60], 255 - before, atol=1)  # smoothed


def test_an_exam_hangs_side_by_side(show, exam):
    page = show(*exam)
    names = page.locator(".marker").evaluate_all("(all) => all.map((one) => one.firstChild.data)")
    assert names == ["R CC", "L CC", "R MLO", "L MLO"]
    expect(page.locator("#scores")).to_contain_text("Right")
    tops = [round(page.locator(".pane").nth(index).bounding_box()["y"]) for index in range(4)]
    assert tops[0] == tops[1]
    page.locator(".pane").nth(2).dblclick()
    expect(page.locator(".pane:visible")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".pane:visible")).to_have_count(4)


def test_a_bad_file_is_told_in_words(new_page):
    page = new_page()
    drop(page, b"no DICOM")
    expect(page.get_by_role("alert")).to_contain_text("the file is not DICOM")
    expect(page.locator("#start")).to_be_visible()


def test_a_bad_file_of_an_exam_spares_the_others(show, exam):
    page = show(exam[0], b"no DICOM", exam[1])
    expect(page.locator(".pane.failed")).to_contain_text("Image 2 was refused")
    expect(page.locator(".pane:not(.failed)")).to_have_count(2)


def test_each_half_s_boxes_can_be_shown(show, body, client):
    asked = {"contributions": True}
    head = {"Content-Type": "application/dicom"}
    told = client.post("/v1/detect", content=body, params=asked, headers=head).json()
    halves = told["images"][0]["contributions"]
    page = show(body)
    press(page, "x")
    plain = screen_of(page)
    press(page, "x")
    page.get_by_label("Malignant", exact=True).uncheck()
    for half in ("a", "b"):
        page.locator("#threshold").fill("3")
        np.testing.assert_array_equal(screen_of(page), plain)
        press(page, half)
        assert (screen_of(page) != plain).any() == bool(halves[half])
        press(page, half)


def test_a_sample_shows_its_planted_lesion(new_page):
    page = new_page()
    page.locator("#start").get_by_role("button", name="One view").click()
    expect(page.get_by_label("Planted lesions")).to_be_checked(timeout=60_000)
    with_lesion = screen_of(page)
    press(page, "t")
    assert (screen_of(page) != with_lesion).any()


def test_a_large_image_is_fetched_whole_when_it_is_looked_at_closely(show, make_dicom):
    page = show(make_dicom(height=2200))
    with page.expect_request("**/v1/pixels?side=8192"):
        for _ in range(9):
            press(page, "+")


def test_the_answer_can_be_saved(show, body, answer):
    page = show(body)
    with page.expect_download() as saved:
        page.get_by_role("button", name="JSON").click()
    found = json.loads(saved.value.path().read_text())
    assert found["images"][0]["detections"] == answer["images"][0]["detections"]


def test_the_report_can_be_saved(show, body):
    page = show(body)
    with page.expect_download() as saved:
        page.get_by_role("button", name="DICOM SR").click()
    report = pydicom.dcmread(saved.value.path())
    assert report.SOPClassUID == ComprehensiveSRStorage
    told = pydicom.dcmread(io.BytesIO(body))
    assert report.StudyInstanceUID == told.StudyInstanceUID


def test_a_folder_can_be_dropped(new_page, exam, tmp_path):
    """By the browser's own drag, as no script can make one that holds a folder."""
    for index, image in enumerate(exam):
        below = tmp_path / "exam" / str(index % 2)
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{index}.dcm").write_bytes(image)
    page = new_page()
    devtools = page.context.new_cdp_session(page)
    held = {"items": [], "files": [str(tmp_path / "exam")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        where = {"type": kind, "x": 600, "y": 400, "data": held}
        devtools.send("Input.dispatchDragEvent", where)
    expect(page.locator(".pane")).to_have_count(len(exam), timeout=60_000)
    expect(page.locator(".panel")).to_be_visible(timeout=60_000)


def test_two_fingers_zoom(show, body):
    page = show(body, has_touch=True)
    devtools = page.context.new_cdp_session(page)
    place = page.locator(".pane").bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    before = bright_rows(page)

    def touch(kind, *ys):
        points = [{"x": x, "y": each, "id": number} for number, each in enumerate(ys)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", y - 60, y + 60)
    touch("touchMove", y - 45, y + 45)
    touch("touchMove", y - 30, y + 30)
    touch("touchEnd")
    assert bright_rows(page) == pytest.approx(before / 2, rel=0.05)


def test_the_model_s_card_is_shown(new_page):
    page = new_page()
    page.get_by_role("button", name="Model fused").click()
    expect(page.get_by_role("dialog")).to_contain_text("Finds lesions on synthetic 2D mammograms")


def test_a_token_is_asked_for_and_kept_for_the_tab(new_page):
    def gate(route):
        if route.request.headers.get("authorization") == f"Bearer {TOKEN}":
            route.continue_()
        else:
            route.fulfill(status=401, json={"code": "unauthorized", "title": "needs a token"})

    page = new_page(route=gate)
    page.get_by_role("textbox", name="Token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("refused that token")
    page.get_by_role("textbox", name="Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Model fused")).to_be_visible()
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [
        1,
        0,
        "",
    ]


def test_keys_are_told_by_the_keyboard_alone(new_page):
    page = new_page()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard and mouse")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_chosen_theme_outlives_a_reload(new_page):
    page = new_page(color_scheme="dark")
    scheme = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(scheme)
    page.keyboard.press("d")
    light = page.evaluate(scheme)
    page.reload()
    assert page.evaluate(scheme) == light != dark


@pytest.mark.parametrize(
    ("color_scheme", "size"),
    [("dark", SIZE), ("light", {"width": 768, "height": 1024})],
    ids=["dark desk", "light tablet"],
)
def test_all_text_is_legible_and_nothing_sticks_out(show, exam, size, color_scheme):
    page = show(*exam, viewport=size, color_scheme=color_scheme, has_touch=size != SIZE)
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(NAMELESS) == []
    expect(page.get_by_text("For research; not for diagnosis.")).to_be_in_viewport()
    covered = page.locator("#panes").bounding_box()
    assert covered["width"] * covered["height"] > 0.45 * size["width"] * size["height"]


def test_the_operating_points_are_interpolated_on_the_score(new_page):
    page = new_page()
    found = page.evaluate("""async () => {
      const { scaleOf, scoreAt, startOf, wordsAt } = await import("/page/operating.js");
      const scale = scaleOf({ 2: 0.2, 0.25: 0.8, 0.5: 0.6, 1: 0.4 });
      return [0, 1, 1.5, 3, 3.5, 4.5, 5].map((at) => [scoreAt(scale, at), wordsAt(scale, at)])
        .concat([[startOf(scale), wordsAt(scaleOf({}), 0.5)]]);
    }""")
    words = [re.sub(" FP / image", "", text) for _, text in found]
    assert [score for score, _ in found] == pytest.approx([1, 0.8, 0.7, 0.4, 0.3, 0.1, 0, 3])
    assert words == ["under ¼", "¼", "about 0.35", "1", "about 1.4", "over 2", "over 2",
                     "not measured for this model"]  # fmt: skip


CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *:not(script, style, symbol *)")) {
    const isText = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const isDead = element.closest(":disabled, label:has(:disabled)");
    if (!isText || isDead || !element.checkVisibility()) continue;
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) poor.push([element.textContent.trim(), ratio]);
  }
  return poor;
}"""

NAMELESS = """() => [...document.querySelectorAll("button, input, [role=toolbar], section, aside")]
  .filter((one) => one.checkVisibility())
  .filter((one) => !(one.getAttribute("aria-label") || one.getAttribute("aria-labelledby")
    || one.textContent.trim() || one.labels?.length))
  .map((one) => one.outerHTML)"""
