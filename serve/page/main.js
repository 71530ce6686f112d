/** The page: what the parts do when a person does something. */

import { Api, Problem } from "./api.js";
import { isSame } from "./boxes.js";
import { askToken, showCard, showHelp } from "./dialogs.js";
import { asJson, save } from "./download.js";
import { byId, make } from "./element.js";
import { fillHelp, listenForKeys } from "./keyboard.js";
import { asImages, detect, readImages, sharpen } from "./opening.js";
import { nearestStop, scaleOf, scoreAt, startOf } from "./operating.js";
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
  sharpen: (image) => attempt(async () => { if (await sharpen(api, image)) stage.draw(); }),
});
let turn = 0;

async function open(found) {
  const mine = turn += 1;
  const isCurrent = () => mine === turn;
  if (!found.length) return;
  if (found.length > MOST_IMAGES) {
    fail(new Problem({ title: `${found.length} files: at most ${MOST_IMAGES} images at once` }));
    return;
  }
  const images = asImages(found);
  await attempt(async () => {
    await readImages(api, images, (done) => isCurrent() && tell(reading(done, images.length)));
    if (!isCurrent()) return;
    if (images.every((image) => image.problem)) throw images[0].problem;
    show(images);
    tell("Looking for lesions…");
    const answer = await detect(api, images);
    if (isCurrent()) showResult(answer);
  });
}

/** Show the images, before there is an answer. */
function show(images) {
  Object.assign(state, { images, answer: null, selected: null, inverted: false });
  document.body.dataset.shown = "images";
  byId("start").hidden = true;
  byId("problem").hidden = true;
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
}

function setPosition(position) {
  state.position = Math.min(Math.max(position, 0), state.scale.length - 1);
  state.threshold = scoreAt(state.scale, state.position);
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
  tell("Writing the report…");
  await attempt(async () => {
    const { fppi } = nearestStop(state.scale, state.position);
    save(await api.report(files, fppi), "mgray-sr.dcm");
    tell(`The report was saved, at ${fppi} FP / image`);
  });
}

async function openSample({ id, title }) {
  byId("sample-menu").hidePopover();
  tell(`Making ${title.toLowerCase()}: some seconds…`);
  await attempt(async () => open(await api.sample(id)));
}

/** Do something that may fail; a person is told. */
async function attempt(doing) {
  byId("progress").hidden = false;
  try {
    await doing();
  } catch (problem) {
    fail(problem);
    if (!(problem instanceof Problem)) throw problem;
  } finally {
    byId("progress").hidden = true;
  }
}

function fail({ title, detail, code }) {
  const close = make("button", "icon", "×");
  close.type = "button";
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", () => { byId("problem").hidden = true; });
  const words = make("div");
  words.append(make("strong", "", title || "Something went wrong on this page"));
  if (detail) words.append(make("p", "", detail));
  if (code) words.append(make("code", "", code));
  byId("problem").replaceChildren(words, close);
  byId("problem").hidden = false;
  tell("");
}

function tell(words) {
  byId("status").textContent = words;
}

function reading(done, count) {
  return count === 1 ? "Reading the image…" : `Reading the images: ${done} of ${count}…`;
}

async function start() {
  await attempt(async () => {
    const [model, samples] = await Promise.all([api.model(), api.samples()]);
    byId("model").textContent = `Model ${model.id}`;
    byId("model").addEventListener("click", () => showCard(model));
    showSamples(samples, openSample);
  });
}

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
byId("theme").addEventListener("click", () => dispatchEvent(new Event("mgray:theme")));
byId("help").addEventListener("click", showHelp);
byId("threshold").addEventListener("input", ({ target }) => setPosition(Number(target.value)));
byId("save-json").addEventListener("click", () => save(asJson(state.answer), "mgray.json"));
byId("save-sr").addEventListener("click", saveReport);
addEventListener("mgray:theme", () => stage.draw());
listenForFiles({ input: byId("files"), cover: byId("drop"), open: (files) => open(files.map((file) => ({ file }))) });
listenForKeys(SHORTCUTS);
fillHelp(SHORTCUTS);
start();
