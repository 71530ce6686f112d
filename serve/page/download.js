/** Save a blob under a name. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** An object as indented JSON. */
export const asJson = (facts) => new Blob([JSON.stringify(facts, null, 2)], { type: "application/json" });
