/**
 * The operating point: a threshold on the score, told in false positives per image.
 *
 * A scale is a list of stops, evenly spaced on the slider: no box at all (score 1), what was
 * measured on the validation split, every box (score 0). Between stops the score is linear.
 */

const WORDS = new Map([[0.25, "¼"], [0.5, "½"], [1, "1"], [2, "2"]]);

/** Make the scale of an answer's `thresholds` (false positives per image → score). */
export function scaleOf(thresholds) {
  const measured = Object.entries(thresholds)
    .map(([fppi, score]) => ({ fppi: Number(fppi), score }))
    .sort((one, other) => one.fppi - other.fppi);
  return [{ fppi: 0, score: 1 }, ...measured, { fppi: Infinity, score: 0 }];
}

/** Where the slider starts: one false positive per image if that was measured. */
export function startOf(scale) {
  const one = scale.findIndex((stop) => stop.fppi === 1);
  return one > 0 ? one : (scale.length - 1) / 2;
}

/** The score at a position of the slider. */
export function scoreAt(scale, position) {
  const { below, above, part } = around(scale, position);
  return below.score + (above.score - below.score) * part;
}

/** The least score that is shown at a position; at "none" no score is enough, 1 neither. */
export function thresholdAt(scale, position) {
  return position > 0 ? scoreAt(scale, position) : Infinity;
}

/** Which scores are shown at a position, in words. */
export function scoreWords(scale, position) {
  return `score ${position > 0 ? "≥" : ">"} ${scoreAt(scale, position).toFixed(2)}`;
}

/** The position of the slider in words: false positives per image. */
export function wordsAt(scale, position) {
  const { below, above, part } = around(scale, position);
  if (part === 0 && isMeasured(below)) return perImage(wordOf(below));
  if (isMeasured(below) && isMeasured(above)) {
    const fppi = below.fppi * (above.fppi / below.fppi) ** part;
    return perImage(`about ${fppi.toPrecision(2)}`);
  }
  if (isMeasured(below)) return perImage(`over ${wordOf(below)}`);
  if (isMeasured(above)) return perImage(`under ${wordOf(above)}`);
  return "not measured for this model";
}

/** The measured stop nearest to a position; null where none was measured. */
export function nearestStop(scale, position) {
  const far = (stop) => Math.abs(scale.indexOf(stop) - position);
  const measured = scale.filter(isMeasured).sort((one, other) => far(one) - far(other));
  return measured[0] ?? null;
}

/** Which boxes a report at a measured stop holds. */
export function reportWords(stop) {
  if (stop) return `at ${perImage(stop.fppi)}`;
  return "not measured: all malignant boxes, 20 at most for an image";
}

/** What stands below the slider at a stop. */
export function wordOf(stop) {
  if (stop.fppi === 0) return "none";
  return isMeasured(stop) ? WORDS.get(stop.fppi) ?? String(stop.fppi) : "all";
}

function around(scale, position) {
  const last = scale.length - 1;
  const at = Math.min(Math.max(position, 0), last);
  const index = Math.min(Math.floor(at), last - 1);
  const below = scale[index];
  return { below, above: scale[index + 1], part: at - index };
}

const isMeasured = (stop) => stop.fppi > 0 && Number.isFinite(stop.fppi);
const perImage = (words) => `${words} FP / image`;
