/** The views of an exam: in which order they hang, in which grid, at which common scale. */

const VIEW_ORDER = ["CC", "MLO", "ML", "LM", "LMO"];
const NAMES = { L: "Left", R: "Right" };

/** Hang right beside left, view by view; images without a side or view come last, as given. */
export function hung(images) {
  const rank = ({ frame }) => {
    const view = VIEW_ORDER.indexOf(frame.view);
    const side = ["R", "L"].indexOf(frame.laterality);
    return [view, side].map((place) => (place < 0 ? 9 : place));
  };
  return images
    .map((image, index) => ({ image, key: [...(image.pixels ? rank(image.pixels) : [99, 99]), index] }))
    .sort((one, other) => compare(one.key, other.key))
    .map(({ image }) => image);
}

/**
 * Columns of the grid that shows the images largest.
 * @param {number} aspect width of an image over its height
 */
export function gridColumns(count, width, height, aspect) {
  const tall = (columns) => {
    return Math.min(height / Math.ceil(count / columns), width / columns / aspect);
  };
  const choices = Array.from({ length: count }, (_, index) => index + 1);
  return choices.reduce((best, columns) => (tall(columns) > tall(best) ? columns : best), 1);
}

/**
 * Which edge of its pane a breast lies on, so that two of an exam hang back to back.
 * @returns {number} as for `View.show`
 */
export function chestWall(frame, count) {
  if (count < 2) return 0;
  return { R: 1, L: -1 }[frame.laterality] ?? 0;
}

/** The part of an image worth looking at: the breast and a rim, else all of it. */
export function regionOf({ breast_box: box, rows, columns }) {
  const [x0, y0, x1, y1] = box ?? [0, 0, columns, rows];
  const rim = 0.02 * Math.max(x1 - x0, y1 - y0);
  return [
    Math.max(x0 - rim, 0), Math.max(y0 - rim, 0),
    Math.min(x1 + rim, columns), Math.min(y1 + rim, rows),
  ];
}

/** Millimetres across a DICOM pixel; null where nobody knows. */
export const pixelWidth = ({ pixel_spacing_mm: spacing }) => spacing?.[1] ?? null;

/** The widths of frames' pixels, to compare them by; 1 for all where one is not known. */
export function pixelWidths(frames) {
  const widths = frames.map(pixelWidth);
  return widths.includes(null) ? widths.map(() => 1) : widths;
}

/** Short name of a view: "R CC"; long name for a screen reader: "Right CC". */
export function nameOf(frame, index, words = false) {
  const side = words ? NAMES[frame?.laterality] : frame?.laterality;
  return [side, frame?.view].filter(Boolean).join(" ") || `Image ${index + 1}`;
}

function compare(one, other) {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at < 0 ? 0 : one[at] - other[at];
}
