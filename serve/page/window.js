/**
 * Window and level: grey levels to shades on the screen.
 *
 * The header's window is a curve over a span of grey levels, flat beyond it; another center and
 * width shift and stretch that curve, so that a sigmoid stays one. Both are in the header's units.
 * Padding has a grey level of its own, 0, and is black whatever the window.
 */

const LEVELS = 65536;

/** The window that the header asks for. */
export function headerWindow(frame) {
  const [center, width] = frame.window;
  return { center, width };
}

/**
 * Move a window as a drag does: across for the width, down for the center.
 * @param {object} frame of the image
 * @param {{center: number, width: number}} window where the drag began
 * @param {number} across share of the header's width, right is wider
 * @param {number} down share of the header's width, down is brighter
 */
export function draggedWindow(frame, window, across, down) {
  const [, unit] = frame.window;
  const towardsDark = frame.value[0] < 0 ? 1 : -1;
  return {
    center: window.center + towardsDark * down * unit,
    width: Math.max(window.width * 2 ** (2 * across), unit / 500),
  };
}

/** A window in words, with as many digits as its width needs. */
export function windowWords({ center, width }) {
  const digits = Math.min(Math.max(2 - Math.floor(Math.log10(width)), 0), 20);
  return `W ${width.toFixed(digits)}  L ${center.toFixed(digits)}`;
}

/**
 * Tabulate the shade of every grey level, as little-endian RGBA.
 * @returns {Uint32Array}
 */
export function shades(frame, window, inverted) {
  const table = new Uint32Array(LEVELS);
  const [slope, intercept] = frame.value;
  const [center, width] = frame.window.map(Number);
  const level = (value) => (value - intercept) / slope;
  const stretch = width / window.width;
  const from = level(window.center);
  const to = level(center);
  const last = frame.curve.length - 1;
  const [first, end] = frame.span;
  for (let grey = 0; grey < LEVELS; grey += 1) {
    const at = ((grey - from) * stretch + to - first) * (last / (end - first));
    const bright = curveAt(frame.curve, Math.min(Math.max(at, 0), last));
    const positive = Math.round(255 * bright);
    const shade = inverted ? 255 - positive : positive;
    table[grey] = opaque(shade);
  }
  if (frame.padded) table[0] = opaque(inverted ? 255 : 0);
  return table;
}

const opaque = (shade) => 0xff000000 | (shade * 0x010101);

function curveAt(curve, at) {
  const index = Math.floor(at);
  const next = Math.min(index + 1, curve.length - 1);
  return curve[index] + (curve[next] - curve[index]) * (at - index);
}
