/** The column beside the images: scores, operating point, findings, warnings, details. */

import { LAYERS, isSame, visibleBoxes } from "./boxes.js";
import { byId, make } from "./element.js";
import { nameOf } from "./exam.js";
import { scoreWords, wordOf, wordsAt } from "./operating.js";

const SIDES = { L: "Left", R: "Right" };

/** Fill what an answer decides: called once for each. */
export function showAnswer(answer, images, scale) {
  showScores(answer);
  showWarnings(answer, images);
  showDetails(answer, images);
  byId("threshold").max = scale.length - 1;
  byId("ticks").replaceChildren(...scale.map((stop) => make("span", "", wordOf(stop))));
  byId("threshold-note").textContent = scale.length > 2
    ? "False positives (malignant boxes) per image, as measured on the validation split."
    : "This model has no measured operating points: the slider is the score itself.";
}

/** Show where the slider stands. */
export function showOperatingPoint(scale, position) {
  const words = wordsAt(scale, position);
  byId("threshold").value = position;
  byId("threshold").setAttribute("aria-valuetext", words);
  byId("threshold-words").replaceChildren(
    make("strong", "", words),
    make("span", "", scoreWords(scale, position)),
  );
}

/** List the detections that are shown; a click goes to one. The focus stays where it is. */
export function showFindings(images, state, choose) {
  const rows = images.flatMap((image) => visibleBoxes(image, state)
    .filter((one) => one.layer === one.label)
    .map((one) => ({ image, one })));
  rows.sort((first, second) => second.one.score - first.one.score);
  const list = byId("findings");
  const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
  list.replaceChildren(...rows.map(({ image, one }) => finding(image, one, state, choose)));
  list.children[Math.min(focused, rows.length - 1)]?.firstChild.focus();
  byId("findings-title").textContent = `Findings (${rows.length})`;
  return rows;
}

/** Make the checkboxes of the layers; `hasHalves` tells whether A and B can be told apart. */
export function makeLayers(state, { hasHalves, hasTruth }, changed) {
  const names = Object.keys(LAYERS).reverse().filter((name) => name !== "truth" || hasTruth);
  byId("layers").replaceChildren(...names.map((name) => {
    const box = make("input");
    const dead = !hasHalves && (name === "a" || name === "b");
    Object.assign(box, { type: "checkbox", checked: state.layers.has(name) && !dead, disabled: dead });
    box.dataset.layer = name;
    box.addEventListener("change", () => changed(name, box.checked));
    const label = make("label", `layer ${name}`);
    label.append(box, swatch(name), LAYERS[name].name);
    return label;
  }));
  byId("halves-note").textContent = hasHalves
    ? "A was trained on synthetic images, B imitates full-field ones: what each half finds alone."
    : "This model has no two halves to show alone.";
}

function showScores({ exam, images }) {
  const { breasts } = exam;
  const isExam = images.length > 1;
  byId("scores-title").textContent = isExam ? "Exam score" : "Image score";
  const whole = make("p", "score", (isExam ? exam.score : images[0].score).toFixed(2));
  const sides = isExam ? breasts.map(({ laterality, score }) => bar(SIDES[laterality] ?? "Other", score)) : [];
  byId("scores").replaceChildren(whole, ...sides);
}

function bar(name, score) {
  const row = make("p", "bar");
  const track = make("span", "track");
  track.append(make("i"));
  track.firstChild.style.width = `${score * 100}%`;
  row.append(make("span", "", name), track, make("span", "", score.toFixed(2)));
  return row;
}

function showWarnings({ exam, images: answers }, images) {
  const shown = [
    ...exam.warnings.map(({ detail }) => ["", detail]),
    ...answers.flatMap(({ warnings }, index) => {
      const image = images.filter(({ answer }) => answer)[index];
      const where = answers.length > 1 ? nameOf(image.pixels.frame, image.index) : "";
      return warnings.map(({ detail }) => [where, detail]);
    }),
  ];
  byId("warnings-section").hidden = shown.length === 0;
  byId("warnings").replaceChildren(...shown.map(([where, detail]) => {
    const item = make("li");
    if (where) item.append(make("strong", "", where), " ");
    item.append(detail);
    return item;
  }));
}

function showDetails({ model, timing_ms: time }, images) {
  const facts = [["Model", model.id], ["Version", model.version], ["Weights", `${model.sha256.slice(0, 12)}…`]];
  for (const { pixels, answer, index } of images.filter((image) => image.answer)) {
    const { rows, columns, pixel_spacing_mm: spacing } = answer.image;
    const at = spacing ? `, ${spacing[0].toFixed(3)} mm` : "";
    const [height, width] = answer.preprocessing.net_size;
    facts.push([nameOf(pixels.frame, index), `${columns} × ${rows} px${at}; network saw ${width} × ${height}`]);
  }
  facts.push(["Time", `${(time.total / 1000).toFixed(2)} s`]);
  byId("details").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
}

function finding(image, one, state, choose) {
  const item = make("li");
  const button = make("button", `finding ${one.layer}`);
  button.type = "button";
  button.setAttribute("aria-pressed", String(isSame(one, state.selected?.box) && state.selected.image === image));
  button.append(
    swatch(one.layer),
    make("span", "", nameOf(image.pixels.frame, image.index)),
    make("span", "kind", one.label),
    make("span", "value", one.score.toFixed(2)),
  );
  button.addEventListener("click", () => choose(image, one));
  item.append(button);
  return item;
}

/** A line as the boxes of a layer have. */
function swatch(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("class", `swatch ${name}`);
  drawing.setAttribute("viewBox", "0 0 22 12");
  drawing.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "rect");
  const { dash, line: width } = LAYERS[name];
  const place = { x: 1.5, y: 1.5, width: 19, height: 9, "stroke-dasharray": dash.join(" "), "stroke-width": width };
  Object.entries(place).forEach(([key, value]) => line.setAttribute(key, value));
  drawing.append(line);
  return drawing;
}
