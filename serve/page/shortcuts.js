/** What each key does; the help is made from this table too. */

const PAN = 60;
const STEP = 0.25;

/** @param {object} act what the page can do */
export function shortcutsOf(act) {
  const shown = (run) => () => { if (act.isShown()) run(); };
  return [
    { keys: ["o"], words: "open files", run: act.choose },
    { keys: ["w"], words: "window tool", run: act.window },
    { keys: ["p"], words: "pan tool", run: act.pan },
    { keys: ["+", "="], words: "zoom in", run: shown(act.closer) },
    { keys: ["-"], words: "zoom out", run: shown(act.farther) },
    { keys: ["0"], words: "fit the breast", run: shown(act.fit) },
    { keys: ["1"], words: "pixel for pixel", run: shown(act.actual) },
    { keys: ["ArrowLeft"], words: "pan", run: shown(() => act.panBy(PAN, 0)) },
    { keys: ["ArrowRight"], words: "pan", run: shown(() => act.panBy(-PAN, 0)) },
    { keys: ["ArrowUp"], words: "pan", run: shown(() => act.panBy(0, PAN)) },
    { keys: ["ArrowDown"], words: "pan", run: shown(() => act.panBy(0, -PAN)) },
    { keys: ["Enter"], words: "one image alone, and back", run: shown(act.alone) },
    { keys: ["i"], words: "invert black and white", run: shown(act.invert) },
    { keys: ["r"], words: "reset window and view", run: shown(act.reset) },
    { keys: ["x"], words: "boxes on or off", run: shown(act.boxes) },
    { keys: ["a"], words: "boxes of A only", run: () => act.layer("a") },
    { keys: ["b"], words: "boxes of B only", run: () => act.layer("b") },
    { keys: ["t"], words: "planted lesions of a sample", run: () => act.layer("truth") },
    { keys: ["n"], words: "next finding", run: shown(() => act.step(1)) },
    { keys: ["N"], words: "finding before", run: shown(() => act.step(-1)) },
    { keys: ["["], words: "fewer boxes", run: shown(() => act.threshold(-STEP)) },
    { keys: ["]"], words: "more boxes", run: shown(() => act.threshold(STEP)) },
    { keys: ["m"], words: "model card", run: act.card },
    { keys: ["d"], words: "light or dark", run: act.theme },
    { keys: ["?"], words: "this help", run: act.help },
  ];
}
