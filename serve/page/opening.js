/** From files to an answer: grey levels first, so that there is something to see meanwhile. */

import { Problem } from "./api.js";

const SCREEN = 2048;
const FULL = 8192;
const AT_ONCE = 2;

/** Number the images of an exam. */
export const asImages = (found) => found.map((one, index) => ({ ...one, index }));

/** Read all images; one that is refused keeps its problem. */
export async function readImages(api, images, told) {
  let done = 0;
  const waiting = [...images];
  const readSome = async () => {
    for (let image = waiting.shift(); image; image = waiting.shift()) {
      await readOne(api, image);
      done += 1;
      told(done);
    }
  };
  told(0);
  await Promise.all(Array.from({ length: AT_ONCE }, readSome));
}

/** Ask for the detections on all images that could be read. */
export async function detect(api, images) {
  const readable = images.filter((image) => image.pixels);
  const answer = await api.detect(readable.map((image) => image.file));
  readable.forEach((image, index) => { image.answer = answer.images[index]; });
  return answer;
}

/** Replace an image's pixels by all there are; once. */
export async function sharpen(api, image) {
  if (image.isSharpening) return false;
  image.isSharpening = true;
  image.pixels = await api.pixels(image.file, FULL);
  return true;
}

async function readOne(api, image) {
  try {
    image.pixels = await api.pixels(image.file, SCREEN);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    image.problem = problem;
  }
}
