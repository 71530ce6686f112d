/** The panes side by side: layout, common scale, one window for all, drawing once a frame. */

import { boxAt, visibleBoxes } from "./boxes.js";
import { gridColumns, hung, pixelWidths, regionOf } from "./exam.js";
import { listen } from "./gestures.js";
import { Pane } from "./pane.js";
import { draggedWindow } from "./window.js";

export class Stage {
  /**
   * @param {HTMLElement} root
   * @param {object} state `{tool, threshold, layers, boxesOn, inverted, selected}`, read when
   *   drawing; `selected` is null or `{image, box}`, the box as `visibleBoxes` lists it
   * @param {{pick: Function, sharpen: Function}} on what a person or a zoom asks for
   */
  constructor(root, state, on) {
    Object.assign(this, { root, state, on, panes: [], alone: null, waiting: false });
    new ResizeObserver(() => this.layOut()).observe(root);
    this.watchScreen();
  }

  /** Draw anew when the screen's pixels become others, on another screen too. */
  watchScreen() {
    const same = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    same.addEventListener("change", () => { this.draw(); this.watchScreen(); }, { once: true });
  }

  /** Show other images. */
  load(images) {
    this.panes = hung(images).map((image) => new Pane(image, images.length));
    this.alone = null;
    this.root.replaceChildren(...this.panes.map((pane) => pane.element));
    this.seen.forEach((pane) => this.attend(pane));
    this.layOut();
  }

  /** Panes that hold an image. */
  get seen() {
    return this.panes.filter((pane) => pane.image.pixels);
  }

  /** The pane that the keyboard means: the one with the focus, else the first. */
  get active() {
    const focused = this.seen.find((pane) => pane.element === document.activeElement);
    return focused ?? this.alone ?? this.seen[0];
  }

  /** Fill the space; views that nobody moved are fitted again. */
  layOut() {
    const { width, height } = this.root.getBoundingClientRect();
    if (!width || !this.panes.length) return;
    const shown = this.alone ? [this.alone] : this.panes;
    this.panes.forEach((pane) => { pane.element.hidden = !shown.includes(pane); });
    const columns = gridColumns(shown.length, width, height, this.aspect);
    this.root.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    this.root.style.gridAutoRows = "minmax(0, 1fr)";
    const there = shown.filter((pane) => pane.image.pixels);
    there.forEach((pane) => pane.resize());
    this.fit(there.filter((pane) => pane.untouched));
  }

  /** Width of the broadest breast over its height. */
  get aspect() {
    const ratio = ([x0, y0, x1, y1]) => (x1 - x0) / (y1 - y0);
    return Math.max(0.3, ...this.seen.map((pane) => ratio(regionOf(pane.image.pixels.frame))));
  }

  /** Show whole breasts, all at the scale of the largest. */
  fit(panes = this.visible) {
    const widths = pixelWidths(this.seen.map((pane) => pane.image.pixels.frame));
    const widthOf = (pane) => widths[this.seen.indexOf(pane)];
    const widest = Math.max(...panes.map((pane) => widthOf(pane) / pane.fitting));
    panes.forEach((pane) => pane.fit(widthOf(pane) / widest));
    this.draw();
  }

  get visible() {
    return this.seen.filter((pane) => !pane.element.hidden);
  }

  /** One image alone, or all again. */
  toggleAlone(pane = this.active) {
    if (this.panes.length < 2) return this.fit();
    this.alone = this.alone ? null : pane;
    this.seen.forEach((one) => { one.untouched = true; });
    this.layOut();
    return pane?.element.focus({ preventScroll: true });
  }

  zoomBy(factor, pane = this.active) {
    this.zoom(pane, pane.view.width / 2, pane.view.height / 2, factor);
  }

  /** One pixel of the image on one of the screen. */
  showActual(pane = this.active) {
    this.zoomBy(1 / devicePixelRatio / pane.view.scale, pane);
  }

  panBy(dx, dy, pane = this.active) {
    pane.view.panBy(dx, dy);
    this.moved(pane);
  }

  /** Windows and views as they were at first. */
  reset() {
    this.seen.forEach((pane) => pane.resetWindow());
    this.fit();
  }

  /** Go to a box: in the middle, and large enough to judge. */
  showBox(image, box) {
    const pane = this.seen.find((one) => one.image === image);
    if (this.alone && this.alone !== pane) this.toggleAlone();
    const [x0, y0, x1, y1] = box;
    const { view } = pane;
    const share = 0.3 * Math.min(view.width / (x1 - x0), view.height / (y1 - y0));
    Object.assign(view, { x: (x0 + x1) / 2, y: (y0 + y1) / 2 });
    view.scale = Math.min(Math.max(view.scale, share), 4 / devicePixelRatio);
    this.moved(pane);
  }

  boxesOf({ image }) {
    return this.state.boxesOn ? visibleBoxes(image, this.state) : [];
  }

  /** The box that is selected on a pane's image; null if none is. */
  selectedOf({ image }) {
    const { selected } = this.state;
    return selected?.image === image ? selected.box : null;
  }

  /** Draw all panes before the next frame. */
  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.visible.forEach((pane) => this.drawPane(pane));
    });
  }

  drawPane(pane) {
    const { inverted } = this.state;
    pane.draw({ boxes: this.boxesOf(pane), selected: this.selectedOf(pane), inverted });
  }

  zoom(pane, x, y, factor) {
    pane.view.zoomAt(x, y, factor);
    this.moved(pane);
  }

  moved(pane) {
    const { columns, rows } = pane.image.pixels.frame;
    pane.view.holdIn(columns, rows);
    pane.untouched = false;
    if (pane.wantsMore) this.on.sharpen(pane.image);
    this.draw();
  }

  attend(pane) {
    let before = [];
    listen(pane.element, {
      tool: () => this.state.tool,
      begin: () => { before = this.seen.map((one) => ({ ...one.window })); },
      window: (across, down) => this.dragWindows(before, across / 400, down / 400),
      pan: (dx, dy) => this.panBy(dx, dy, pane),
      zoom: (x, y, factor) => this.zoom(pane, x, y, factor),
      pick: (x, y) => this.on.pick(pane.image, boxAt(pane.view, this.boxesOf(pane), x, y) ?? null),
      alone: () => this.toggleAlone(pane),
    });
  }

  dragWindows(before, across, down) {
    this.seen.forEach((pane, index) => {
      const { frame } = pane.image.pixels;
      pane.window = draggedWindow(frame, before[index], across, down);
    });
    this.draw();
  }
}
