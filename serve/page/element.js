/** Make an element with a class and a text. */
export function make(tag, kind = "", text = "") {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (text) made.append(text);
  return made;
}

/** The element with this id. */
export const byId = (id) => document.getElementById(id);
