/** Files in: chosen, or dropped anywhere on the page, folders too. */

/**
 * Listen for files.
 * @param {object} to
 * @param {HTMLInputElement} to.input where they are chosen
 * @param {HTMLElement} to.cover shown while they hang over the page
 * @param {(files: File[]) => void} to.open
 * @param {() => void} to.refuse something that was dropped cannot be read
 */
export function listenForFiles({ input, cover, open, refuse }) {
  input.addEventListener("change", () => {
    open([...input.files]);
    input.value = ""; // the same files may be chosen again
  });
  let depth = 0;
  addEventListener("dragenter", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    depth += 1;
    cover.hidden = false;
  });
  addEventListener("dragleave", () => {
    depth = Math.max(depth - 1, 0);
    cover.hidden = depth === 0;
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    cover.hidden = true;
    const files = await filesOf(event.dataTransfer).catch(refuse);
    if (files) open(files);
  });
}

async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(filesBelow))).flat();
}

async function filesBelow(entry) {
  if (entry.isFile) return [await new Promise((done, fail) => { entry.file(done, fail); })];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, fail) => { reader.readEntries(done, fail); });
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(filesBelow))).flat());
  }
}
