/** From files to an answer: grey levels first, so that there is something to see meanwhile. */

import { Problem } from "./api.js";

const SCREEN = 2048;
const FULL = 8192;
const AT_ONCE = 2;
const PAUSE_MS = 2000;
const OF_ALL = ["offline", "unauthorized"];

/** Number the images of an exam. */
export const asImages = (found) => found.map((one, index) => ({ ...one, index }));

/** Read all images; one that is refused keeps its problem, one that concerns all ends it. */
export async function readImages(api, images, signal, told) {
  let done = 0;
  const waiting = [...images];
  const end = new AbortController();
  const either = AbortSignal.any([signal, end.signal]);
  const readSome = async () => {
    for (let image = waiting.shift(); image; image = waiting.shift()) {
      await readOne(api, image, either);
      done += 1;
      told(done);
    }
  };
  told(0);
  await Promise.all(Array.from({ length: AT_ONCE }, readSome)).finally(() => end.abort());
}

/** Ask for the detections on all images that could be read. */
export async function detect(api, images, signal) {
  const readable = images.filter((image) => image.pixels);
  const answer = await api.detect(readable.map((image) => image.file), signal);
  readable.forEach((image, index) => { image.answer = answer.images[index]; });
  return answer;
}

/** Replace an image's pixels by all there are; once, and after a failure not at once again. */
export async function sharpen(api, image, signal) {
  if (image.isSharpening) return false;
  image.isSharpening = true;
  try {
    image.pixels = await api.pixels(image.file, FULL, signal);
  } catch (problem) {
    setTimeout(() => { image.isSharpening = false; }, PAUSE_MS);
    throw problem;
  }
  return true;
}

async function readOne(api, image, signal) {
  try {
    image.pixels = await api.pixels(image.file, SCREEN, signal);
  } catch (problem) {
    if (!(problem instanceof Problem) || OF_ALL.includes(problem.code)) throw problem;
    image.problem = problem;
  }
}
