/** A model card's Markdown as elements: headings, paragraphs, lists, tables, bold, code. */

import { make } from "./element.js";

/**
 * @param {string} text Markdown, perhaps with a YAML head, which is shown as it is
 * @returns {DocumentFragment}
 */
export function renderCard(text) {
  const page = document.createDocumentFragment();
  const head = /^---\n([\s\S]*?)\n---\n/.exec(text);
  for (const block of text.slice(head?.[0].length ?? 0).split(/\n{2,}/)) {
    const lines = block.split("\n").filter((line) => line.trim());
    if (lines.length) page.append(...blockOf(lines));
  }
  if (head) page.append(make("pre", "", head[1]));
  return page;
}

function blockOf(lines) {
  const title = /^(#{1,4}) (.*)/.exec(lines[0]);
  if (title) {
    const rest = lines.slice(1);
    return [inline(`h${title[1].length + 1}`, title[2]), ...(rest.length ? blockOf(rest) : [])];
  }
  if (lines.every((line) => line.startsWith("|"))) return [table(lines)];
  if (lines.every((line) => /^([-*]|\s)\s/.test(line))) return [list(lines)];
  return [inline("p", lines.join(" "))];
}

function list(lines) {
  const items = make("ul");
  for (const line of lines) {
    if (/^[-*] /.test(line)) items.append(inline("li", line.slice(2)));
    else items.lastChild?.append(` ${line.trim()}`);
  }
  return items;
}

function table(lines) {
  const rows = lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const isRule = (cells) => cells.every((cell) => /^:?-+:?$/.test(cell));
  const ruled = rows.length > 1 && isRule(rows[1]);
  const whole = make("table");
  rows.filter((cells) => !isRule(cells) && cells.some(Boolean)).forEach((cells, index) => {
    const isHead = ruled && index === 0 && rows[0] === cells;
    const row = make("tr");
    row.append(...cells.map((cell) => inline(isHead ? "th" : "td", cell)));
    whole.append(row);
  });
  return whole;
}

function inline(tag, text) {
  const whole = make(tag);
  for (const part of text.split(/(\*\*[^*]+\*\*|`[^`]+`)/)) {
    if (part.startsWith("**")) whole.append(make("strong", "", part.slice(2, -2)));
    else if (part.startsWith("`")) whole.append(make("code", "", part.slice(1, -1)));
    else whole.append(part);
  }
  return whole;
}
