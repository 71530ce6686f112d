/** Mouse, pen and fingers on a pane. */

const STILL = 4;
const TURN = 0.0016;

/**
 * Listen on an element.
 * @param {HTMLElement} element
 * @param {object} to
 * @param {() => string} to.tool what a plain drag does: "window" or "pan"
 * @param {() => void} to.begin a drag begins
 * @param {(across: number, down: number) => void} to.window CSS pixels since the drag began
 * @param {(dx: number, dy: number) => void} to.pan CSS pixels since the last call
 * @param {(x: number, y: number, factor: number) => void} to.zoom about a point of the element
 * @param {(x: number, y: number) => void} to.pick a click
 * @param {() => void} to.alone a double click
 */
export function listen(element, to) {
  const fingers = new Map();
  let drag = null;

  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    fingers.set(event.pointerId, at(event));
    const start = at(event);
    drag = fingers.size === 1 ? { what: purpose(event, to.tool()), start, last: start } : null;
    if (drag) to.begin();
    event.preventDefault();
  });

  element.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    if (fingers.size === 2) pinch(event);
    fingers.set(event.pointerId, at(event));
    if (drag) move(at(event));
  });

  element.addEventListener("pointerup", (event) => {
    const { x, y } = at(event);
    if (drag && event.button === 0 && distance(drag.start, { x, y }) < STILL) to.pick(x, y);
    end(event);
  });
  element.addEventListener("pointercancel", end);
  element.addEventListener("contextmenu", (event) => event.preventDefault());
  element.addEventListener("dblclick", () => to.alone());
  element.addEventListener("wheel", (event) => {
    const { x, y } = at(event);
    const lines = event.deltaMode === 1 ? 30 : 1;
    to.zoom(x, y, Math.exp(-event.deltaY * lines * TURN * (event.ctrlKey ? 5 : 1)));
    event.preventDefault();
  }, { passive: false });

  function move(now) {
    const [dx, dy] = [now.x - drag.last.x, now.y - drag.last.y];
    if (drag.what === "window") to.window(now.x - drag.start.x, now.y - drag.start.y);
    if (drag.what === "pan") to.pan(dx, dy);
    if (drag.what === "zoom") to.zoom(drag.start.x, drag.start.y, Math.exp(-dy * 0.008));
    drag.last = now;
  }

  function pinch(event) {
    const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
    const before = fingers.get(event.pointerId);
    const now = at(event);
    const factor = distance(now, other) / Math.max(distance(before, other), 1);
    to.zoom((now.x + other.x) / 2, (now.y + other.y) / 2, factor);
    to.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  function end(event) {
    fingers.delete(event.pointerId);
    drag = null;
  }

  function at(event) {
    const { left, top } = element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }
}

function purpose(event, tool) {
  return { 1: "pan", 2: "zoom" }[event.button] ?? tool;
}

const distance = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);
