/** The grey map of `POST /v1/pixels`: 16 bits, with a frame as JSON in its comment. */

/**
 * Read a grey map.
 * @param {ArrayBuffer} buffer
 * @returns {{width: number, height: number, grey: Uint16Array, frame: object}}
 */
export function readPgm(buffer) {
  const bytes = new Uint8Array(buffer);
  const lines = [];
  let start = 0;
  while (lines.length < 4) {
    const end = bytes.indexOf(10, start);
    if (end < 0) throw new Error("not a grey map");
    lines.push(new TextDecoder("ascii").decode(bytes.subarray(start, end)));
    start = end + 1;
  }
  const [magic, comment, size] = lines;
  const [width, height] = size.split(" ").map(Number);
  if (magic !== "P5" || bytes.length - start !== 2 * width * height) {
    throw new Error("not a grey map");
  }
  return { width, height, grey: bigEndian(bytes, start), frame: JSON.parse(comment.slice(2)) };
}

function bigEndian(bytes, start) {
  const grey = new Uint16Array((bytes.length - start) / 2);
  for (let i = 0, at = start; i < grey.length; i += 1, at += 2) {
    grey[i] = (bytes[at] << 8) | bytes[at + 1];
  }
  return grey;
}
