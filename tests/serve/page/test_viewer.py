"""The page in a real Chromium: images, boxes and what moves them."""

import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.serve.page.screen import (
    SIZE,
    box_on_screen,
    bright_rows,
    drag,
    drop,
    orange_in,
    percent_of,
    press,
    screen_of,
    sees_box,
    widths_of_lines,
)

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def answer(detect, body):
    return detect(body).json()


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


def test_the_box_is_drawn_where_the_answer_has_it(show, body, answer):
    page = show(body)
    box = show_the_best_alone(page, answer)
    expect(page.locator("#findings li")).to_have_count(1)
    assert sees_box(page, box) == [True] * 4


def test_a_chosen_finding_is_drawn_with_thicker_lines_until_another_place_is_clicked(
    show, body, answer
):
    page = show(body)
    box = show_the_best_alone(page, answer)
    edges = box_on_screen(page, box)
    thin = screen_of(page)
    page.locator(".finding").click()
    press(page, "0")
    thick = screen_of(page)
    assert widths_of_lines(thin, edges) == pytest.approx([2.0] * 4, rel=0.1)
    assert widths_of_lines(thick, edges) == pytest.approx([3.5] * 4, rel=0.1)
    page.locator(".pane").click(position={"x": edges[0] + 9, "y": 9})
    np.testing.assert_array_equal(screen_of(page), thin)


@pytest.mark.parametrize("how", ["a key", "a click on the box"])
def test_a_box_is_chosen_by_other_ways_too(show, body, answer, how):
    page = show(body)
    edges = box_on_screen(page, show_the_best_alone(page, answer))
    x, y = (edges[0] + edges[2]) / 2, (edges[1] + edges[3]) / 2
    if how == "a key":
        press(page, "n")
        press(page, "0")
    else:
        page.locator(".pane").click(position={"x": x, "y": y})
    assert widths_of_lines(screen_of(page), edges) == pytest.approx([3.5] * 4, rel=0.1)


def test_only_the_chosen_box_of_the_chosen_image_is_thicker(show, body, answer):
    page = show(body, body)
    show_the_best_alone(page, answer)
    page.locator(".finding").first.click()
    page.locator(".finding").first.click()
    chosen = [screen_of(page, pane) for pane in (0, 1)]
    page.locator(".pane").last.click(position={"x": 300, "y": 9})
    none = [screen_of(page, pane) for pane in (0, 1)]
    assert [(one != other).any() for one, other in zip(chosen, none, strict=True)] == [True, False]


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


@pytest.fixture
def saturated(new_page, body):
    """A page with an answer whose scores are all 1, one measured threshold too."""

    def saturate(route):
        answer = route.fetch()
        told = json.loads(re.sub(r'"score":\s*[-+.\de]+', '"score":1.0', answer.text()))
        route.fulfill(response=answer, json=told | {"thresholds": {"0.5": 1.0, "1": 0.25}})

    page = new_page()
    page.route("**/v1/detect?contributions=true", saturate)
    drop(page, body)
    expect(page.locator(".panel")).to_be_visible()
    return page


def test_none_takes_away_a_box_whose_score_is_one(saturated, answer):
    for layer in ("Benign", "A only", "B only"):
        saturated.get_by_label(layer, exact=True).check()
    findings = saturated.locator("#findings li")
    expect(findings).to_have_count(len(answer["images"][0]["detections"]))
    saturated.locator("#threshold").press("Home")
    expect(findings).to_have_count(0)
    expect(saturated.locator(".pane")).to_have_attribute("aria-label", "Left CC, 0 boxes")
    expect(saturated.locator("#threshold-words")).to_contain_text("score > 1.00")


def test_a_measured_threshold_of_one_shows_a_box_whose_score_is_one(saturated, answer):
    labels = [found["label"] for found in answer["images"][0]["detections"]]
    saturated.locator("#threshold").fill("1")
    expect(saturated.locator("#findings li")).to_have_count(labels.count("malignant"))
    expect(saturated.locator("#threshold-words")).to_contain_text("score ≥ 1.00")


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


def test_a_drag_changes_the_window(show, body):
    page = show(body)
    press(page, "x")
    before, told = screen_of(page), page.locator(".readout").text_content()
    drag(page, (300, 200), 0, 100)
    assert screen_of(page).mean() > before.mean() + 5
    assert page.locator(".readout").text_content() != told
    press(page, "r")
    np.testing.assert_array_equal(screen_of(page), before)


def test_a_window_narrower_than_the_header_s_reaches_black_and_white(show, make_dicom):
    page = show(make_dicom(WindowCenter=512, WindowWidth=8192))
    press(page, "x")
    grey = screen_of(page)[300:400]
    assert grey[:, 700:900].min() > 100
    assert grey[:, 400:600].max() < 150
    width = page.locator(".pane").bounding_box()["width"]
    drag(page, (width - 20, 200), 40 - width, 0)
    narrow = screen_of(page)[300:400]
    assert narrow[:, 700:900].max() == 0
    assert narrow[:, 400:600].max() == 255


@pytest.fixture
def show_sigmoid(show, make_dicom):
    """Open an image of 12 bits under a sigmoid that begins below the darkest value."""
    window = {"WindowCenter": 2048, "WindowWidth": 4096, "VOILUTFunction": "SIGMOID"}

    def show_sigmoid(padding):
        page = show(make_dicom(bits_stored=12, PixelPaddingValue=padding, **window))
        press(page, "x")
        return page

    return show_sigmoid


def beside_the_breast(page):
    """Shades of the image where the stored values are 0."""
    return np.unique(screen_of(page)[300:400, 700:900]).tolist()


def test_padding_is_black_however_the_window_is_moved_and_white_inverted(show_sigmoid):
    page = show_sigmoid(0)
    breast = screen_of(page)[300:400, 400:600].mean()
    assert beside_the_breast(page) == [0]
    drag(page, (300, 200), 40, 100)
    assert screen_of(page)[300:400, 400:600].mean() > breast + 20
    assert beside_the_breast(page) == [0]
    press(page, "i")
    assert beside_the_breast(page) == [255]


@pytest.mark.parametrize("padding", [None, 4095])
def test_what_is_no_padding_is_shown_as_the_window_has_it(show_sigmoid, padding):
    page = show_sigmoid(padding)
    assert beside_the_breast(page) == [30]
    press(page, "i")
    assert beside_the_breast(page) == [225]


def test_a_narrow_window_is_told_with_the_digits_it_needs(show, make_dicom):
    exact = {"WindowCenter": 2, "WindowWidth": 0.5, "VOILUTFunction": "LINEAR_EXACT"}
    page = show(make_dicom(RescaleSlope=0.004, RescaleIntercept=0, **exact))
    expect(page.locator(".readout")).to_contain_text("W 0.500  L 2.000")


def test_the_ruler_is_as_long_as_columns_are_apart(show, make_dicom):
    page = show(make_dicom(ImagerPixelSpacing=[0.2, 0.1]))
    ruler = page.locator(".ruler")
    number, unit = ruler.text_content().split()
    mm = int(number) * {"mm": 1, "cm": 10}[unit]
    width = ruler.evaluate("(ruler) => parseFloat(ruler.style.width)")
    assert width / mm * 0.1 == pytest.approx(percent_of(page) / 100, rel=0.01)


def test_views_are_compared_in_pixels_where_one_has_no_spacing(show, make_dicom):
    page = show(
        make_dicom(0, ImagerPixelSpacing=[0.1, 0.1]),
        make_dicom(1, ViewPosition="MLO"),
        make_dicom(2, ViewPosition="ML", ImagerPixelSpacing=[0, 0]),
    )
    percents = {percent_of(page, pane) for pane in range(3)}
    assert len(percents) == 1
    assert percents.pop() > 50


def test_one_to_one_is_one_to_one_for_a_small_image_too(show, body):
    page = show(body)
    assert percent_of(page) > 200
    page.get_by_role("button", name="1:1").click()
    expect(page.locator(".readout")).to_contain_text(" 100 %")


def test_a_screen_of_other_pixels_is_drawn_anew(new_page, body):
    """The browser does not tell of an emulated change: the test does."""
    page = new_page()
    page.add_init_script(
        "const real = matchMedia; window.matchMedia = (query) => window.asked = real(query);"
    )
    page.reload()
    drop(page, body)
    expect(page.locator(".panel")).to_be_visible()
    before = percent_of(page)
    devtools = page.context.new_cdp_session(page)
    size = {"width": SIZE["width"], "height": SIZE["height"]}
    dense = {**size, "deviceScaleFactor": 2, "mobile": False}
    devtools.send("Emulation.setDeviceMetricsOverride", dense)
    page.evaluate("asked.dispatchEvent(new Event('change'))")
    width = page.locator(".pane").bounding_box()["width"]
    expect(page.locator("canvas")).to_have_attribute("width", str(round(2 * width)))
    assert percent_of(page) == pytest.approx(2 * before, abs=1)


def test_the_skip_link_leads_to_the_images_by_the_keyboard(show, exam):
    page = show(*exam[:2])
    page.get_by_role("link", name="Skip to the images").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#stage")).to_be_focused()
    expect(page.locator(".pane:visible")).to_have_count(2)


def test_the_panel_is_used_by_the_keyboard(show, body):
    page = show(body, viewport={"width": 1280, "height": 400})
    page.locator("#threshold").press("End")
    finding = page.locator(".finding").first
    finding.focus()
    page.keyboard.press("Enter")
    expect(finding).to_be_focused()
    expect(finding).to_have_attribute("aria-pressed", "true")
    page.evaluate("() => { document.querySelector('.panel').scrollTop = 0; }")
    page.get_by_text("Details").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_function("document.querySelector('.panel').scrollTop > 0")


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


def test_a_large_image_is_fetched_whole_when_it_is_looked_at_closely(show, make_dicom):
    page = show(make_dicom(height=2200))
    with page.expect_request("**/v1/pixels?side=8192"):
        for _ in range(9):
            press(page, "+")


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
