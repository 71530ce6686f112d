/** Shortcuts: one table, from which the help is made too. */

import { byId, make } from "./element.js";

const MOUSE = [
  ["Drag", "window: across for contrast, down for brightness"],
  ["Wheel", "zoom about the cursor"],
  ["Middle drag", "pan; two fingers pan and zoom on a screen"],
  ["Right drag", "zoom"],
  ["Double click", "one image alone, and back"],
];

/**
 * Listen for keys, except while a person types or a dialog is open.
 * @param {{keys: string[], words: string, run: () => void}[]} shortcuts
 */
export function listenForKeys(shortcuts) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isElsewhere(event.target)) return;
    const found = shortcuts.find(({ keys }) => keys.includes(event.key));
    if (!found || isOwnKey(event)) return;
    event.preventDefault();
    found.run();
  });
}

/** Fill the help. */
export function fillHelp(shortcuts) {
  const rows = [
    ...grouped(shortcuts).map(({ keys, words }) => [keys.map(name), words]),
    ...MOUSE.map(([what, words]) => [[what], words]),
  ];
  byId("shortcuts").replaceChildren(...rows.flatMap(([keys, words]) => {
    const term = make("dt");
    term.append(...keys.map((key) => make("kbd", "", key)));
    return [term, make("dd", "", words)];
  }));
}

/** Shortcuts that do the same, on one line. */
function grouped(shortcuts) {
  const lines = new Map();
  for (const { keys, words } of shortcuts) lines.set(words, [...(lines.get(words) ?? []), ...keys]);
  return [...lines].map(([words, keys]) => ({ keys, words }));
}

const isElsewhere = (target) => target.closest("dialog, input:not([type=range], [type=checkbox])");

/** Keys with a meaning of their own on the focused element. */
function isOwnKey({ key, target }) {
  if (target.matches("a[href], button, summary") && [" ", "Enter"].includes(key)) return true;
  if (target.closest(".panel") && key.startsWith("Arrow")) return true; // scrolls it
  if (target.matches("input[type=checkbox]") && key === " ") return true;
  return target.matches("input[type=range]") && /^(Arrow|Page|Home|End)/.test(key);
}

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Enter: "Enter" };
const name = (key) => NAMES[key] ?? (/[A-Z]/.test(key) && key.length === 1 ? `Shift ${key}` : key.toUpperCase());
