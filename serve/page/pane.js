/** One image on the screen: its canvas, its corners, its view. */

import { drawBoxes } from "./boxes.js";
import { make } from "./element.js";
import { chestWall, nameOf, pixelWidth, regionOf } from "./exam.js";
import { View } from "./view.js";
import { headerWindow, shades, windowWords } from "./window.js";

const KINDS = {
  synthetic_2d: "Synthetic 2D", ffdm: "FFDM", ffdm_raw: "FFDM, raw", film: "Film",
  dbt: "Tomosynthesis", dbt_slice: "Tomosynthesis slice", cesm: "Contrast-enhanced",
};

export class Pane {
  /** @param {object} image `{file, index, pixels, truth, answer, problem}` */
  constructor(image, count) {
    const { pixels, problem, index } = image;
    Object.assign(this, { image, count, view: new View(), untouched: true, drawn: "" });
    this.element = make("figure", "pane");
    this.element.tabIndex = 0;
    this.canvas = make("canvas");
    this.element.append(this.canvas);
    if (pixels) this.addCorners(pixels.frame, index);
    else this.element.append(failure(problem, index));
    this.element.classList.toggle("failed", !pixels);
    if (pixels) this.resetWindow();
  }

  addCorners(frame, index) {
    this.element.dataset.side = chestWall(frame, 2) === 1 ? "right" : "left";
    this.marker = make("figcaption", "marker", nameOf(frame, index));
    this.marker.append(make("small", "", KINDS[frame.image_kind] ?? frame.image_kind));
    this.ruler = make("p", "ruler");
    this.readout = make("p", "readout");
    this.element.append(this.marker, this.ruler, this.readout);
  }

  /** The header's own window, not inverted. */
  resetWindow() {
    this.window = headerWindow(this.image.pixels.frame);
  }

  /** Take the size that layout and screen give; the view stays on the same point. */
  resize() {
    const { width, height } = this.element.getBoundingClientRect();
    Object.assign(this.view, { width: Math.max(width, 1), height: Math.max(height, 1) });
    this.ratio = devicePixelRatio;
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
  }

  /** The scale at which the breast fills the pane. */
  get fitting() {
    return this.view.fitting(regionOf(this.image.pixels.frame));
  }

  /** Show the breast at a scale that is at most `fitting`. */
  fit(scale) {
    const { frame } = this.image.pixels;
    this.view.show(regionOf(frame), scale, chestWall(frame, this.count));
    this.untouched = true;
  }

  /** Whether the screen could show more than these pixels hold. */
  get wantsMore() {
    const step = this.image.pixels.frame.affine[0][0];
    return step > 1 && this.view.scale * step * devicePixelRatio > 1.15;
  }

  /** Draw image, boxes and corners. */
  draw({ boxes, selected, inverted }) {
    const { pixels } = this.image;
    if (!pixels) return;
    if (this.ratio !== devicePixelRatio) this.resize();
    this.shade(inverted);
    const context = this.canvas.getContext("2d");
    const { view } = this;
    const [[stepX, , x], [, stepY, y]] = pixels.frame.affine;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = inverted ? "#fff" : "#000";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.scale(devicePixelRatio, devicePixelRatio);
    context.imageSmoothingEnabled = view.scale * stepX * devicePixelRatio < 6;
    context.imageSmoothingQuality = "high";
    const [left, top] = view.toPane(x, y);
    const size = [pixels.width * stepX * view.scale, pixels.height * stepY * view.scale];
    context.drawImage(this.shaded, left, top, ...size);
    drawBoxes(context, view, boxes, selected);
    this.tell(boxes);
  }

  /** Turn grey levels into shades, if pixels or window are new. */
  shade(inverted) {
    const { pixels } = this.image;
    const { center, width } = this.window;
    const wanted = [center, width, inverted, pixels.width].join();
    if (wanted === this.drawn) return;
    if (this.shaded?.width !== pixels.width) {
      this.shaded = new OffscreenCanvas(pixels.width, pixels.height);
      this.data = new ImageData(pixels.width, pixels.height);
    }
    const table = shades(pixels.frame, this.window, inverted);
    const colours = new Uint32Array(this.data.data.buffer);
    const { grey } = pixels;
    for (let i = 0; i < grey.length; i += 1) colours[i] = table[grey[i]];
    this.shaded.getContext("2d").putImageData(this.data, 0, 0);
    this.drawn = wanted;
  }

  tell(boxes) {
    const { frame } = this.image.pixels;
    const percent = Math.round(this.view.scale * devicePixelRatio * 100);
    this.readout.textContent = `${windowWords(this.window)}  ${percent} %`;
    this.measure(pixelWidth(frame) ? this.view.scale / pixelWidth(frame) : 0);
    const shown = boxes.length === 1 ? "1 box" : `${boxes.length} boxes`;
    this.element.setAttribute("aria-label", `${nameOf(frame, this.image.index, true)}, ${shown}`);
  }

  /** Draw a ruler of a round length. */
  measure(pixelsPerMm) {
    this.ruler.hidden = pixelsPerMm === 0;
    const room = Math.min(130, 0.35 * this.view.width);
    const length = [100, 50, 20, 10, 5, 2, 1].find((mm) => mm * pixelsPerMm < room) ?? 1;
    this.ruler.style.width = `${length * pixelsPerMm}px`;
    this.ruler.textContent = length >= 10 ? `${length / 10} cm` : `${length} mm`;
  }
}

function failure(problem, index) {
  const whole = make("div", "failure");
  whole.append(
    make("strong", "", `Image ${index + 1} was refused`),
    make("p", "", problem.title),
    make("p", "note", problem.detail),
  );
  return whole;
}
