"""The page in a real Chromium: legible, and named."""

import pytest
from playwright.sync_api import expect

from tests.serve.page.screen import SIZE

pytestmark = pytest.mark.ray


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


def test_a_chosen_theme_outlives_a_reload(new_page):
    page = new_page(color_scheme="dark")
    scheme = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(scheme)
    page.keyboard.press("d")
    light = page.evaluate(scheme)
    page.reload()
    assert page.evaluate(scheme) == light != dark


def test_keys_are_told_by_the_keyboard_alone(new_page):
    page = new_page()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard and mouse")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_model_s_card_is_shown(new_page):
    page = new_page()
    page.get_by_role("button", name="Model fused").click()
    expect(page.get_by_role("dialog")).to_contain_text("Finds lesions on synthetic 2D mammograms")


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
