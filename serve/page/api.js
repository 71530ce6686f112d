/** Requests to the endpoint: token, errors in words, patience while it is busy. */

import { readPgm } from "./pgm.js";

const TOKEN = "mgray.token";
const TRIES = 4;
const HEADER_SAFE = /^[\x21-\x7e]+$/;
const REFUSED = "The endpoint refused that token.";
const UNFIT = "A token has only the letters, digits and signs of ASCII, without spaces.";
const OFFLINE = { title: "The endpoint does not answer", detail: "Is it still running?" };
const NO_TOKEN = { status: 401, code: "unauthorized", title: "No token was given" };
const CUT_SHORT = { code: "cut_short", title: "The answer broke off", detail: "Try it again." };
const UNREADABLE = {
  code: "unreadable",
  title: "A file cannot be read",
  detail: "Was it moved or changed? Open it again.",
};

/** An error as the endpoint tells it (RFC 9457), or as it is told of the way there. */
export class Problem extends Error {
  constructor({ status = 0, code = "offline", title = "", detail = "" }) {
    super(title);
    Object.assign(this, { status, code, title, detail: detail === title ? "" : detail });
  }
}

/** A file that was chosen or dropped, and is not what it was. */
export const unreadable = () => new Problem(UNREADABLE);

/** Each request may be given up by a signal; then it fails with the signal's reason. */
export class Api {
  /**
   * @param {(words: string) => Promise<?string>} askToken told what was wrong with the token
   *   before; gives null if the person cancels
   */
  constructor(askToken) {
    this.askToken = askToken;
    this.asking = null;
  }

  /** One image's grey levels; `side` is the longest side, pixels. */
  pixels(file, side, signal) {
    const grey = async (answer) => readPgm(await answer.arrayBuffer());
    return this.read(grey, `v1/pixels?side=${side}`, { ...dicom(file), signal });
  }

  /** Detections on the images of an exam. */
  detect(files, signal) {
    return this.read(json, "v1/detect?contributions=true", { ...form(files), signal });
  }

  /** The answer as a DICOM structured report, at an operating point (false positives per image). */
  report(files, fppi, signal) {
    const headers = { Accept: "application/dicom" };
    return this.read(blob, `v1/detect?fppi=${fppi}`, { ...form(files), headers, signal });
  }

  /** The model and its card. */
  model() {
    return this.read(json, "v1/model");
  }

  /** Virtual patients to try. */
  samples() {
    return this.read(json, "v1/samples");
  }

  /** One of them: its images as files, with the lesions that were planted. */
  async sample(id, signal) {
    const { images } = await this.read(json, `v1/samples/${id}`, { signal });
    return Promise.all(
      images.map(async ({ href, lesions }) => ({
        file: new File([await this.read(blob, href, { signal })], href.split("/").pop()),
        truth: lesions,
      })),
    );
  }

  /** Ask, and read the body that comes. */
  async read(body, path, options = {}) {
    const answer = await this.request(path, options);
    try {
      return await body(answer);
    } catch {
      options.signal?.throwIfAborted();
      throw new Problem({ ...CUT_SHORT, status: answer.status });
    }
  }

  /** Ask; wait and ask again while the endpoint is busy, ask for a token where it wants one. */
  async request(path, options) {
    for (let tried = 1; ; tried += 1) {
      const token = storedToken();
      const answer = await send(path, options, token);
      if (answer.ok) return answer;
      if (answer.status === 401) {
        await this.renewToken(token);
      } else if (answer.status === 503 && tried < TRIES) {
        await seconds(Number(answer.headers.get("Retry-After") ?? 1) * tried);
      } else {
        throw await problemOf(answer);
      }
    }
  }

  async renewToken(refused) {
    if (storedToken() !== refused) return; // another request asked meanwhile
    this.asking ??= this.newToken(refused === null ? "" : REFUSED)
      .finally(() => { this.asking = null; });
    const token = await this.asking;
    if (token === null) throw new Problem(NO_TOKEN);
    sessionStorage.setItem(TOKEN, token);
  }

  async newToken(words) {
    const token = await this.askToken(words);
    return token === null || HEADER_SAFE.test(token) ? token : this.newToken(UNFIT);
  }
}

function storedToken() {
  const token = sessionStorage.getItem(TOKEN) ?? "";
  return HEADER_SAFE.test(token) ? token : null;
}

async function send(path, options, token) {
  const headers = new Headers(options.headers);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  try {
    return await fetch(path, { ...options, headers });
  } catch {
    options.signal?.throwIfAborted();
    throw new Problem(await canBeRead(options.body) ? OFFLINE : UNREADABLE);
  }
}

/** Whether the files of a request still are as they were chosen. */
async function canBeRead(body) {
  const files = body instanceof FormData ? [...body.values()] : [body ?? new Blob()];
  try {
    await Promise.all(files.map((file) => file.slice(0, 1).arrayBuffer()));
    return true;
  } catch {
    return false;
  }
}

async function problemOf(answer) {
  const told = await answer.json().catch(() => ({}));
  return new Problem({ code: "unknown", title: `Status ${answer.status}`, ...told, status: answer.status });
}

const json = (answer) => answer.json();
const blob = (answer) => answer.blob();

const dicom = (file) => ({
  method: "POST", body: file, headers: { "Content-Type": "application/dicom" },
});

function form(files) {
  const body = new FormData();
  files.forEach((file, index) => body.append("image", file, `${index + 1}.dcm`));
  return { method: "POST", body };
}

const seconds = (count) => new Promise((resolve) => { setTimeout(resolve, count * 1000); });
