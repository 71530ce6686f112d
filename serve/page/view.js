/**
 * Zoom and pan: where the pixels of the DICOM lie on a pane.
 *
 * `scale` is CSS pixels for one DICOM pixel; `x`, `y` is the DICOM point in the pane's middle.
 */

const CLOSEST = 24;

export class View {
  constructor() {
    Object.assign(this, { scale: 1, x: 0, y: 0, width: 1, height: 1, farthest: 0.01 });
  }

  /** DICOM point → point of the pane, CSS pixels. */
  toPane(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, (y - this.y) * this.scale + this.height / 2];
  }

  /** Point of the pane → DICOM point. */
  toImage(x, y) {
    return [(x - this.width / 2) / this.scale + this.x, (y - this.height / 2) / this.scale + this.y];
  }

  /** Scale at which a region fills the pane. */
  fitting([x0, y0, x1, y1]) {
    return Math.min(this.width / (x1 - x0), this.height / (y1 - y0));
  }

  /**
   * Show a region.
   * @param {number[]} region x0, y0, x1, y1
   * @param {number} scale at most `fitting(region)`
   * @param {number} side -1 to lay its left edge on the pane's, 1 its right edge, 0 for the middle
   */
  show([x0, y0, x1, y1], scale, side = 0) {
    const half = this.width / 2 / scale;
    this.scale = scale;
    this.farthest = Math.min(scale / 2, 1 / devicePixelRatio);
    this.x = { [-1]: x0 + half, 0: (x0 + x1) / 2, 1: x1 - half }[side];
    this.y = (y0 + y1) / 2;
  }

  /** Zoom by a factor; the point of the pane stays where it is. */
  zoomAt(x, y, factor) {
    const [imageX, imageY] = this.toImage(x, y);
    this.scale = Math.min(Math.max(this.scale * factor, this.farthest), CLOSEST);
    this.x = imageX - (x - this.width / 2) / this.scale;
    this.y = imageY - (y - this.height / 2) / this.scale;
  }

  /** Move the image by CSS pixels. */
  panBy(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
  }

  /** Keep some of the image in the pane. */
  holdIn(columns, rows) {
    this.x = Math.min(Math.max(this.x, 0), columns);
    this.y = Math.min(Math.max(this.y, 0), rows);
  }
}
