/** The page: what the parts do when a person does something. */

import { Api, Problem, unreadable } from "./api.js";
import { isSame } from "./boxes.js";
import { askToken, showCard, showHelp } from "./dialogs.js";
import { asJson, save } from "./download.js";
import { byId, make } from "./element.js";
import { fillHelp, listenForKeys } from "./keyboard.js";
import { asImages, detect, readImages, sharpen } from "./opening.js";
import { nearestStop, reportWords, scaleOf, startOf, thresholdAt } from "./operating.js";
import { makeLayers, showAnswer, showFindings, showOperatingPoint } from "./panel.js";
import { showSamples } from "./samples.js";
import { shortcutsOf } from "./shortcuts.js";
import { Stage } from "./stage.js";
import { listenForFiles } from "./upload.js";

const MOST_IMAGES = 16;

const api = new Api(askToken);
const state = {
  images: [],
  answer: null,
  scale: scaleOf({}),
  position: 1,
  threshold: 0.5,
  layers: new Set(["malignant", "truth"]),
  boxesOn: true,
  inverted: false,
  tool: "window",
  selected: null,
};
const stage = new Stage(byId("panes"), state, {
  pick: (image, box) => select(box && { image, box }),
  sharpen: (image) => attempt(async ({ signal }) => {
    if (await sharpen(api, image, signal)) stage.draw();
  }, shown),
});

/** Turns: what is under way for an exam is given up once another is in its place. */
let newest = new AbortController();
let shown = newest;
let attempts = 0;

/** Begin another exam; the one on the screen keeps its turn until that is shown. */
function takeTurn() {
  if (newest !== shown) newest.abort();
  newest = new AbortController();
  return newest;
}

async function open(found) {
  if (!found.length) return;
  if (found.length > MOST_IMAGES) {
    const title = `${found.length} files: at most ${MOST_IMAGES} images at once`;
    fail(new Problem({ code: "too_many_images", title }));
    return;
  }
  forget();
  await attempt((turn) => openImages(found, turn), takeTurn());
}

async function openSample({ id, title }) {
  byId("sample-menu").hidePopover();
  forget();
  tell(`Making ${title.toLowerCase()}: some seconds…`);
  await attempt(async (turn) => openImages(await api.sample(id, turn.signal), turn), takeTurn());
}

async function openImages(found, turn) {
  const images = asImages(found);
  await readImages(api, images, turn.signal, (done) => tell(reading(done, images.length)));
  if (images.every((image) => image.problem)) throw images[0].problem;
  show(images, turn);
  tell("Looking for lesions…");
  showResult(await detect(api, images, turn.signal));
}

/** Show the images, before there is an answer. */
function show(images, turn) {
  shown.abort();
  shown = turn;
  Object.assign(state, { images, answer: null, selected: null, inverted: false });
  document.body.dataset.shown = "images";
  byId("start").hidden = true;
  forget();
  byId("panes").hidden = false;
  document.querySelector(".tools").hidden = false;
  document.querySelector(".panel").hidden = true;
  stage.load(images);
  press("invert", false);
}

function showResult(answer) {
  const hasHalves = state.images.some((image) => image.answer?.contributions);
  const hasTruth = state.images.some((image) => image.truth?.length);
  state.answer = answer;
  state.scale = scaleOf(answer.thresholds);
  document.querySelector(".panel").hidden = false;
  showAnswer(answer, state.images, state.scale);
  makeLayers(state, { hasHalves, hasTruth }, setLayer);
  setPosition(startOf(state.scale));
  stage.layOut();
  Promise.allSettled([loadModel(), loadSamples()]); // where they failed at first
}

function setPosition(position) {
  state.position = Math.min(Math.max(position, 0), state.scale.length - 1);
  state.threshold = thresholdAt(state.scale, state.position);
  showOperatingPoint(state.scale, state.position);
  refresh();
}

/** Draw what depends on the threshold, the layers and the selection. */
function refresh() {
  const rows = showFindings(state.images, state, goTo);
  if (state.answer) tell(rows.length === 1 ? "1 finding is shown" : `${rows.length} findings are shown`);
  stage.draw();
  return rows;
}

function setLayer(name, isOn) {
  state.layers[isOn ? "add" : "delete"](name);
  refresh();
}

function toggleLayer(name) {
  const box = document.querySelector(`[data-layer=${name}]:not(:disabled)`);
  box?.click();
}

function select(selected) {
  state.selected = selected;
  refresh();
}

function goTo(image, box) {
  stage.showBox(image, box.box);
  select({ image, box });
}

/** The next finding by score, or the one before. */
function step(by) {
  const rows = refresh();
  if (!rows.length) return;
  const { selected } = state;
  const now = rows.findIndex(({ image, one }) => selected?.image === image && isSame(one, selected.box));
  const { image, one } = rows[(Math.max(now, by < 0 ? 0 : -1) + by + rows.length) % rows.length];
  goTo(image, one);
}

function setTool(tool) {
  state.tool = tool;
  press("window", tool === "window");
  press("pan", tool === "pan");
  byId("panes").dataset.tool = tool;
}

function toggle(name, what) {
  state[what] = !state[what];
  press(name, state[what]);
  stage.draw();
}

function press(name, isOn) {
  document.querySelector(`[data-do=${name}]`).setAttribute("aria-pressed", String(isOn));
}

function reset() {
  state.inverted = false;
  press("invert", false);
  stage.reset();
}

async function saveReport() {
  const files = state.images.filter((image) => image.pixels).map((image) => image.file);
  const stop = nearestStop(state.scale, state.position);
  forget();
  tell("Writing the report…");
  await attempt(async ({ signal }) => {
    save(await api.report(files, stop?.fppi ?? 1, signal), "mgray-sr.dcm");
    tell(`The report was saved, ${reportWords(stop)}`);
  }, shown);
}

/** Do something in a turn that may fail; a person is told, unless the turn is over. */
async function attempt(doing, turn = new AbortController()) {
  progress(1);
  try {
    await doing(turn);
  } catch (problem) {
    if (turn.signal.aborted) return;
    fail(problem);
    if (!(problem instanceof Problem)) throw problem;
  } finally {
    progress(-1);
  }
}

function progress(change) {
  attempts += change;
  byId("progress").hidden = attempts === 0;
}

function fail({ title, detail, code }) {
  const close = make("button", "icon", "×");
  close.type = "button";
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", forget);
  const words = make("div");
  words.append(make("strong", "", title || "Something went wrong on this page"));
  if (detail) words.append(make("p", "", detail));
  if (code) words.append(make("code", "", code));
  byId("problem").replaceChildren(words, close);
  byId("problem").hidden = false;
  tell("");
}

/** Take away what was told of a failure. */
function forget() {
  byId("problem").hidden = true;
}

function tell(words) {
  byId("status").textContent = words;
}

function reading(done, count) {
  return count === 1 ? "Reading the image…" : `Reading the images: ${done} of ${count}…`;
}

/** Do something until it succeeds, then never again. */
function once(doing) {
  let done = null;
  return () => {
    done ??= doing().catch((problem) => { done = null; throw problem; });
    return done;
  };
}

const loadModel = once(async () => {
  const model = await api.model();
  byId("model").textContent = `Model ${model.id}`;
  return model;
});
const loadSamples = once(async () => showSamples(await api.samples(), openSample));

const ACTIONS = {
  window: () => setTool("window"),
  pan: () => setTool("pan"),
  closer: () => stage.zoomBy(1.25),
  farther: () => stage.zoomBy(0.8),
  fit: () => stage.fit(),
  actual: () => stage.showActual(),
  invert: () => toggle("invert", "inverted"),
  reset,
  boxes: () => toggle("boxes", "boxesOn"),
};

const SHORTCUTS = shortcutsOf({
  ...ACTIONS,
  isShown: () => state.images.length > 0,
  choose: () => byId("files").click(),
  panBy: (dx, dy) => stage.panBy(dx, dy),
  alone: () => stage.toggleAlone(),
  layer: toggleLayer,
  step,
  threshold: (by) => setPosition(state.position + by),
  card: () => byId("model").click(),
  theme: () => dispatchEvent(new Event("mgray:theme")),
  help: showHelp,
});

document.querySelectorAll("[data-do]").forEach((button) => {
  button.addEventListener("click", ACTIONS[button.dataset.do]);
});
for (const id of ["open", "choose"]) byId(id).addEventListener("click", () => byId("files").click());
for (const id of ["model", "samples"]) byId(id).addEventListener("click", forget);
byId("model").addEventListener("click", () => attempt(async () => showCard(await loadModel())));
byId("samples").addEventListener("click", () => attempt(loadSamples));
byId("theme").addEventListener("click", () => dispatchEvent(new Event("mgray:theme")));
byId("help").addEventListener("click", showHelp);
byId("threshold").addEventListener("input", ({ target }) => setPosition(Number(target.value)));
byId("save-json").addEventListener("click", () => save(asJson(state.answer), "mgray.json"));
byId("save-sr").addEventListener("click", saveReport);
addEventListener("mgray:theme", () => stage.draw());
listenForFiles({
  input: byId("files"),
  cover: byId("drop"),
  open: (files) => open(files.map((file) => ({ file }))),
  refuse: () => fail(unreadable()),
});
listenForKeys(SHORTCUTS);
fillHelp(SHORTCUTS);
attempt(loadModel);
attempt(loadSamples);
