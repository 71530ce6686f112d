"""What is seen of a page: pixels of screenshots, and where a box must be in them."""

import io
import re

import numpy as np
from PIL import Image

SIZE = {"width": 1280, "height": 800}
BREAST = (0, 40, 100, 260)  # of ``make_dicom``


def drop(page, *bodies):
    files = [
        {"name": f"{index}.dcm", "mimeType": "application/dicom", "buffer": body}
        for index, body in enumerate(bodies)
    ]
    page.set_input_files("#files", files)


def press(page, key):
    page.locator(".pane").first.focus()
    page.keyboard.press(key)


def drag(page, start, across, down):
    """Drag over the first pane from a point of it."""
    place = page.locator(".pane").first.bounding_box()
    x, y = place["x"] + start[0], place["y"] + start[1]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + across, y + down, steps=3)
    page.mouse.up()


def screen_of(page, pane=0):
    """A pane as it is on the screen, with what stands in its corners left out."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shot = page.locator(".pane canvas").nth(pane).screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def percent_of(page, pane=0):
    """The scale that is told of a pane: pixels of the screen for one of the image."""
    return int(re.search(r"(\d+) %", page.locator(".readout").nth(pane).text_content())[1])


def orange_in(screen):
    """Where a malignant box is drawn, also where its line falls between pixels; tissue is grey."""
    return screen[..., 0] - screen[..., 2] > 90


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


def widths_of_lines(screen, edges):
    """How wide a malignant box's lines are, pixels; of its left, right, top and bottom."""
    x0, y0, x1, y1 = (round(edge) for edge in edges)
    orange = np.clip(screen[..., 0] - screen[..., 2], 0, None)
    rows, columns = slice(y0 + 20, y1 - 20), slice(x0 + 20, x1 - 20)  # no tag, no corners
    sides = (
        orange[rows, x0 - 5 : x0 + 6].sum(axis=1),
        orange[rows, x1 - 5 : x1 + 6].sum(axis=1),
        orange[y0 - 5 : y0 + 6, columns].sum(axis=0),
        orange[y1 - 5 : y1 + 6, columns].sum(axis=0),
    )
    return [float(np.median(side)) / orange.max() for side in sides]
