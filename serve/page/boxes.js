/** Boxes: which are shown, how they are drawn, which lies under a point. */

/** Layers in drawing order; dashes tell them apart without colour. */
export const LAYERS = {
  truth: { name: "Planted lesions", colour: "--truth", dash: [2, 3], line: 1.5 },
  b: { name: "B only", colour: "--half-b", dash: [1.5, 4], line: 2, letter: "B ", corner: "right" },
  a: { name: "A only", colour: "--half-a", dash: [7, 4], line: 1.5, letter: "A ", corner: "left" },
  benign: { name: "Benign", colour: "--benign", dash: [12, 3], line: 1.5, letter: "" },
  malignant: { name: "Malignant", colour: "--malignant", dash: [], line: 2, letter: "" },
};

/**
 * List the boxes to be shown on one image.
 * @param {object} image with `answer` (of the answer's images) and `truth`
 * @param {{threshold: number, layers: Set<string>}} shown `threshold` as of `thresholdAt`
 * @returns {{layer: string, box: number[], score: ?number, label: string}[]}
 */
export function visibleBoxes(image, { threshold, layers }) {
  const { detections = [], contributions } = image.answer ?? {};
  const passing = (found) => found.score >= threshold;
  const all = [
    ...(image.truth ?? []).map((found) => ({ layer: "truth", ...found })),
    ...(contributions?.b ?? []).filter(passing).map((found) => ({ layer: "b", ...found })),
    ...(contributions?.a ?? []).filter(passing).map((found) => ({ layer: "a", ...found })),
    ...detections.filter(passing).map((found) => ({ layer: found.label, ...found })),
  ];
  return all.filter((one) => layers.has(one.layer));
}

/**
 * Draw boxes; each line has a dark rim, so that it is seen on white tissue too.
 * @param {CanvasRenderingContext2D} context in CSS pixels of the pane
 * @param {View} view
 * @param {object[]} boxes
 * @param {?object} selected one of them
 */
export function drawBoxes(context, view, boxes, selected) {
  const style = getComputedStyle(context.canvas);
  for (const one of boxes) {
    const { colour, dash, line } = LAYERS[one.layer];
    const edges = onPane(view, one.box);
    const width = isSame(one, selected) ? line + 1.5 : line;
    context.save();
    stroke(context, edges, "rgb(0 0 0 / 70%)", width + 2, []);
    stroke(context, edges, style.getPropertyValue(colour), width, dash);
    if (one.score != null) tag(context, edges, one, style.getPropertyValue(colour));
    context.restore();
  }
}

/** The smallest box under a point of the pane. */
export function boxAt(view, boxes, x, y) {
  const area = ({ box: [x0, y0, x1, y1] }) => (x1 - x0) * (y1 - y0);
  return boxes
    .filter(({ box }) => {
      const [left, top, width, height] = onPane(view, box);
      return x >= left && x < left + width && y >= top && y < top + height;
    })
    .sort((one, other) => area(one) - area(other))[0];
}

/** Whether two boxes are one: layers and places agree. */
export function isSame(one, other) {
  return Boolean(other) && one.layer === other.layer && String(one.box) === String(other.box);
}

function onPane(view, [x0, y0, x1, y1]) {
  const [left, top] = view.toPane(x0, y0);
  const [right, bottom] = view.toPane(x1, y1);
  return [left, top, right - left, bottom - top];
}

function stroke(context, edges, colour, width, dash) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.strokeRect(...edges);
}

function tag(context, [left, top, width, height], one, colour) {
  const { letter, corner } = LAYERS[one.layer];
  const text = letter + one.score.toFixed(2);
  context.font = "600 11px system-ui, sans-serif";
  const wide = context.measureText(text).width + 8;
  const at = corner === "right" ? left + width - wide + 1 : left - 1;
  const edge = corner || top < 18 ? top + height + 2 : top - 17;
  context.fillStyle = "rgb(0 0 0 / 70%)";
  context.fillRect(at, edge, wide, 15);
  context.fillStyle = colour;
  context.fillText(text, at + 4, edge + 11.5);
}
